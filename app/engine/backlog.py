"""How much waits for the device, how fast it goes, and who is let in.

Counts only; the batcher holds its lock around every call.
"""

from app.errors import Overloaded
from app.metrics import Metrics

# Weight of the newest batch in the running mean of rows per second.
RATE_WEIGHT = 0.1


class Backlog:
    """Rows that wait, against their limit and the time that they may wait."""

    def __init__(self, metrics: Metrics, *, max_rows: int) -> None:
        self._queued_rows = metrics.queued_rows
        self._refused = metrics.dropped.labels("overloaded")
        self._max_rows = max_rows
        self._rows = 0
        self._rows_per_second = 0.0

    def admit(self, num_rows: int, seconds: float) -> None:
        """Let rows in that can wait `seconds`, or raise Overloaded with an honest `retry_after`."""
        self.check(num_rows, seconds)
        self.grow(num_rows)

    def check(self, num_rows: int, seconds: float) -> None:
        """Raise Overloaded where `admit` would.

        An empty queue takes any legal request, so that none is refused for ever.
        """
        if self._rows:
            if self._rows + num_rows > self._max_rows:
                self.refuse(
                    f"{self._rows} rows wait for the device and at most {self._max_rows} may "
                    "(LATENTD_MAX_QUEUE_ROWS)"
                )
            if self._seconds() > seconds:
                self.refuse(
                    f"the rows that wait need {self._seconds():.2f} s and this request may wait "
                    f"{seconds:.2f} s (X-Request-Timeout, LATENTD_REQUEST_TIMEOUT_S)"
                )

    def refuse(self, why: str) -> None:
        """Raise Overloaded; `retry_after` is what the rows now waiting need."""
        self._refused.inc()
        raise Overloaded(f"{why}; try again later", retry_after=self._seconds() or 1.0)

    def grow(self, num_rows: int) -> None:
        """Count rows that came, or with a negative number went."""
        self._rows += num_rows

    def show(self) -> None:
        """Let the gauge say how much waits: once a turn of the loop and once a batch."""
        self._queued_rows.set(self._rows)

    def served(self, num_rows: int, seconds: float) -> None:
        """Note that the device had `num_rows` served `seconds` after it could begin them."""
        weight = RATE_WEIGHT if self._rows_per_second else 1.0
        self._rows_per_second += weight * (num_rows / seconds - self._rows_per_second)

    def _seconds(self) -> float:
        """What the rows that wait will need, at the rate of late."""
        return self._rows / self._rows_per_second if self._rows_per_second else 0.0
