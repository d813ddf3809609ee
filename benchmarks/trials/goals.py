"""What a trial found, held against what it was to find. Knows no trial."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Goal(NamedTuple):
    """One line of a trial's table.

    `must` marks an answer that is right or wrong; the others are speeds, which depend on the
    machine and on who else uses it, and fail no trial.
    """

    what: str
    got: str
    wanted: str = ""
    met: bool = True
    must: bool = False
    example: str = ""  # of what is wrong


def fact(what: str, got: str) -> Goal:
    """A figure that nothing is asked of."""
    return Goal(what, got)


def none_of(what: str, found: Sequence[object]) -> Goal:
    """A must: nothing was found; else how much, and the first of it."""
    got, example = (str(len(found)), f"{found[0]!s:.300}") if found else ("none", "")
    return Goal(what, got, "none", not found, must=True, example=example)


def equal(what: str, got: object, wanted: object) -> Goal:
    """A must: two things are the same."""
    return Goal(what, str(got), str(wanted), got == wanted, must=True)


def no_more(what: str, got: int, most: int) -> Goal:
    """A must: a count that has a bound."""
    return Goal(what, str(got), f"≤ {most}", got <= most, must=True)


def at_most(what: str, got: float, most: float, show: Callable[[float], str]) -> Goal:
    """A speed; NaN, where nothing was measured, does not meet it."""
    return Goal(what, show(got), f"≤ {show(most)}", got <= most)


def at_least(what: str, got: float, least: float, show: Callable[[float], str]) -> Goal:
    """As `at_most`."""
    return Goal(what, show(got), f"≥ {show(least)}", got >= least)


def milliseconds(seconds: float) -> str:
    """A time."""
    return f"{1000 * seconds:.1f} ms"


def failed(goals: Sequence[Goal]) -> list[Goal]:
    """The musts that were not met."""
    return [goal for goal in goals if goal.must and not goal.met]


def table(goals: Sequence[Goal]) -> str:
    """The goals in columns; below a line that failed, an example of why."""
    lines = [(goal.what, goal.got, goal.wanted, _verdict(goal)) for goal in goals]
    first, second, third = (max(len(line[column]) for line in lines) for column in range(3))
    shown = []
    for goal, (what, got, wanted, verdict) in zip(goals, lines, strict=True):
        shown.append(f"{what:<{first}}  {got:>{second}}  {wanted:<{third}}  {verdict}".rstrip())
        shown += [f"    such as {goal.example}"] if goal.example else []
    return "\n".join(shown)


def _verdict(goal: Goal) -> str:
    if not goal.wanted:
        return ""
    if goal.met:
        return "met"
    return "FAILED" if goal.must else "not met"
