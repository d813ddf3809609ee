"""What float32, in which models compute, takes from columns of numbers that come in float64."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

Doubles = NDArray[np.float64]
# A value may be moved by so much of its column's standard deviation; more makes steps of a line.
LARGEST_PART = 0.01


class Rounding:
    """The largest error of each of D columns beside its spread, gathered batch by batch."""

    def __init__(self, num_columns: int) -> None:
        self.rows = 0
        self.mean: Doubles = np.zeros(num_columns)
        self.squares: Doubles = np.zeros(num_columns)
        self.error: Doubles = np.zeros(num_columns)
        self.low: Doubles = np.full(num_columns, np.inf)
        self.high: Doubles = np.full(num_columns, -np.inf)

    def add(self, exact: Doubles) -> None:
        """Take finite rows [n, D] into account (Chan, Golub & LeVeque 1983, equation 2.1)."""
        if not len(exact):
            return
        error = np.abs(exact - exact.astype(np.float32))
        self.error = np.maximum(self.error, error.max(0))
        self.low = np.minimum(self.low, exact.min(0))
        self.high = np.maximum(self.high, exact.max(0))
        mean, rows = exact.mean(0), self.rows + len(exact)
        apart = mean - self.mean
        self.squares += np.square(exact - mean).sum(0) + apart**2 * self.rows * len(exact) / rows
        self.mean += apart * len(exact) / rows
        self.rows = rows

    def refuse(self, source: str, named: Callable[[int], str]) -> None:
        """DataError where a column's values differ by less than float32 tells apart.

        `named` says which column that is, and what else can be done about it.
        """
        deviation = np.sqrt(self.squares / max(self.rows, 1))
        lost = (self.high > self.low) & (self.error > LARGEST_PART * deviation)
        for column in np.flatnonzero(lost):
            low, high = self.low[column], self.high[column]
            step = np.spacing(np.float32(max(abs(low), abs(high))))
            raise DataError(
                f"{source}: {named(int(column))} runs from {low:.10g} to {high:.10g}, where "
                f"float32, in which models compute, counts in steps of {step:g}: take a constant "
                f"off it first, for example {np.floor(low):.10g}, or leave it out"
            )
