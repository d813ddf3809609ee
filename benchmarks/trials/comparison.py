"""Whether answers under load are those that were given in peace, byte for byte."""

from collections.abc import Sequence

from benchmarks.connection import Answer
from benchmarks.trials.goals import Goal, equal, none_of

# What of the head belongs to the answer; the others name the request, its time and its connection.
COMPARED = ("content-type", "etag", "x-latentd-model", "x-latentd-seed")


class Comparison:
    """Compares answers with the expected ones, and remembers the first that differ.

    An answer of a status in `refusals` says that there is none now, and is only counted.
    """

    def __init__(self, expected: Sequence[Answer], refusals: Sequence[int] = ()) -> None:
        failed = [answer for answer in expected if answer.status != 200]
        if failed:
            body = failed[0].body[:300]
            raise RuntimeError(f"asked alone, a request is answered {failed[0].status}: {body!r}")
        self._expected = expected
        self._refusals = refusals
        self.compared = 0
        self.statuses: list[str] = []
        self.wrong: list[str] = []

    def __call__(self, index: int, answer: Answer) -> None:
        """Look at one answer to request `index`."""
        if answer.status in self._refusals:
            return
        if answer.status != 200:
            self.statuses.append(f"{answer.status} to request {index}: {answer.body[:200]!r}")
            return
        self.compared += 1
        expected = self._expected[index]
        if answer.body != expected.body:
            self.wrong.append(f"request {index}: {_difference(answer.body, expected.body)}")
            return
        got, wanted = answer.headers, expected.headers
        for name in COMPARED:
            if got.get(name) != wanted.get(name):
                self.wrong.append(f"request {index}: {name} is {got.get(name)}")

    def goals(self, unanswered: Sequence[str], count: int | None = None) -> list[Goal]:
        """The musts of a load: `count` answers, where it is known, and all of them right."""
        seen = [] if count is None else [equal("answers compared", self.compared, count)]
        return [
            *seen,
            none_of(f"answers that differ ({self.compared} compared)", self.wrong),
            none_of("answers of another status", self.statuses),
            none_of("requests without an answer", unanswered),
        ]


def _difference(got: bytes, expected: bytes) -> str:
    if len(got) != len(expected):
        return f"{len(got)} bytes, not {len(expected)}"
    differ = [place for place, (a, b) in enumerate(zip(got, expected, strict=True)) if a != b]
    return f"{len(differ)} of {len(got)} bytes differ, the first at {differ[0]}"
