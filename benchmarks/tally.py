"""What a load came to: how long each answer took, which status it had, and what went wrong."""

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.connection import Answer

Check = Callable[[int, Answer], None]


@dataclass(frozen=True)
class Tally:
    """Three arrays with one element per counted answer, in the order in which they came."""

    seconds: float  # the window
    latencies: NDArray[np.float64]  # seconds
    moments: NDArray[np.float64]  # of the answers, in seconds since the window opened
    codes: NDArray[np.int64]
    errors: Counter[str]  # connections refused or lost and requests never answered, by kind
    sent: int  # every request that left, those before and after the window included

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had which status."""
        codes, counts = np.unique(self.codes, return_counts=True)
        return Counter(dict(zip(codes.tolist(), counts.tolist(), strict=True)))

    @property
    def rate(self) -> float:
        """Answers a second, whatever their status; `of(200).rate` counts the good ones."""
        return len(self.latencies) / self.seconds

    def percentile(self, q: float) -> float:
        """The seconds that `q` percent of the answers stayed within; NaN where there are none."""
        return float(np.percentile(self.latencies, q)) if len(self.latencies) else float("nan")

    def of(self, status: int) -> "Tally":
        """The answers that had this status."""
        kept = self.codes == status
        return replace(
            self,
            latencies=self.latencies[kept],
            moments=self.moments[kept],
            codes=self.codes[kept],
        )


class Record:
    """Collects answers while a load runs.

    `check` sees every answer, those outside the window too. Its first AssertionError is raised by
    `tally`, so that a wrong answer spoils the measurement and not the event loop.
    """

    def __init__(self, check: Check | None) -> None:
        self._check = check
        self._wrong: AssertionError | None = None
        self._latencies = array("d")
        self._moments = array("d")
        self._codes = array("q")
        self.errors: Counter[str] = Counter()
        self.sent = 0

    def check(self, index: int, answer: Answer) -> None:
        """Show the answer to request `index` to whoever wants to see it."""
        if self._check is not None and self._wrong is None:
            try:
                self._check(index, answer)
            except AssertionError as wrong:
                self._wrong = wrong

    def count(self, latency: float, moment: float, status: int) -> None:
        """One answer inside the window."""
        self._latencies.append(latency)
        self._moments.append(moment)
        self._codes.append(status)

    def tally(self, opened: float, seconds: float) -> Tally:
        """What was counted; `opened` is the moment at which the window opened."""
        if self._wrong is not None:
            raise self._wrong
        return Tally(
            seconds=seconds,
            latencies=np.array(self._latencies, np.float64),
            moments=np.array(self._moments, np.float64) - opened,
            codes=np.array(self._codes, np.int64),
            errors=self.errors,
            sent=self.sent,
        )
