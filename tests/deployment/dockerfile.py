"""Reads a Dockerfile into stages of instructions: enough for the rules the tests put to ours."""

import json
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, its continued lines joined: `RUN`, `pip install …`."""

    keyword: str
    argument: str


class Stage(NamedTuple):
    """What stands between one FROM and the next."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def arguments(self, keyword: str) -> list[str]:
        """The arguments of every instruction of that keyword, in order."""
        return [each.argument for each in self.instructions if each.keyword == keyword]


class Dockerfile(NamedTuple):
    """`defaults`: the build arguments' default values, of all stages."""

    stages: tuple[Stage, ...]
    defaults: dict[str, str]

    def stage(self, name: str) -> Stage:
        """The stage of that name; KeyError where there is none."""
        return {stage.name: stage for stage in self.stages}[name]


def read(text: str) -> Dockerfile:
    """The stages and the defaults of the build arguments."""
    instructions = _instructions(text)
    starts = [i for i, each in enumerate(instructions) if each.keyword == "FROM"]
    stages = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        base, _, name = instructions[start].argument.partition(" AS ")
        stages.append(Stage(name, base, tuple(instructions[start + 1 : end])))
    arguments = [each.argument.split("=", 1) for each in instructions if each.keyword == "ARG"]
    defaults = {words[0]: words[1].strip('"') for words in arguments if len(words) > 1}
    return Dockerfile(tuple(stages), defaults)


def exec_form(argument: str) -> list[str] | None:
    """The words of `["python", "-m"]`; None for the shell form, which swallows signals."""
    try:
        words = json.loads(argument)
    except json.JSONDecodeError:
        return None
    return words if isinstance(words, list) else None


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        Instruction(keyword, " ".join(argument.split()))
        for keyword, _, argument in (line.partition(" ") for line in joined.splitlines() if line)
    ]
