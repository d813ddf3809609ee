"""The bytes that requests hold, from their body's numbers to their response's pixels.

One count for all of it: rows in, noise, what the device answers, rounds, what is drawn. Each step
says how much the request holds at most while it lasts, before it allocates anything. Used on the
event loop's thread alone.
"""

from typing import NoReturn

from app.errors import LimitExceeded, Overloaded
from app.metrics import Metrics

# Requests that hold no more are small; an eighth of all bytes is theirs alone, so that a few large
# ones keep nobody out.
SMALL_BYTES = 2**20
SMALL_PART = 8
# Weight of the newest large request in the running mean of how long such a one holds its bytes.
SECONDS_WEIGHT = 0.2


class MemoryBudget:
    """Admission control for bytes; `max_bytes` is the setting LATENTD_MAX_QUEUE_BYTES."""

    def __init__(self, metrics: Metrics, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._max_large = max_bytes - max_bytes // SMALL_PART
        self._bytes = 0
        self._large_bytes = 0
        self._seconds = 1.0
        self._gauge = metrics.held_bytes
        self._refused = metrics.dropped.labels("overloaded")

    def take(self, num_bytes: int, already: int) -> None:
        """Count `num_bytes` more of a request that holds `already` so many.

        Raises LimitExceeded where one request may not hold so much, and Overloaded where others
        hold too much now. While nothing is held, whatever one request may hold is taken.
        """
        whole = already + num_bytes
        large = whole > SMALL_BYTES
        if self._bytes + num_bytes > (self._max_large if large else self._max_bytes):
            self._refuse(whole, already)
        self._bytes += num_bytes
        if large:
            self._large_bytes += whole if already <= SMALL_BYTES else num_bytes
            self._gauge.set(self._large_bytes)

    def give(self, num_bytes: int, seconds: float) -> None:
        """Count no longer what a request held for so many seconds."""
        self._bytes -= num_bytes
        if num_bytes > SMALL_BYTES:
            self._large_bytes -= num_bytes
            self._gauge.set(self._large_bytes)
            self._seconds += SECONDS_WEIGHT * (seconds - self._seconds)

    def _refuse(self, whole: int, already: int) -> NoReturn:
        if whole > self._max_large:
            raise LimitExceeded(
                f"this request would hold {whole} bytes of memory and one may hold "
                f"{self._max_large}: ask for fewer rows, steps, chains or draws, or for a smaller "
                "scale, or have the operator raise LATENTD_MAX_QUEUE_BYTES, of which that is seven "
                "eighths"
            )
        self._refused.inc()
        raise Overloaded(
            f"requests hold {self._bytes - already} bytes of memory, this one would hold {whole}, "
            f"and at most {self._max_bytes} may be held, an eighth of them by small ones alone "
            "(LATENTD_MAX_QUEUE_BYTES); try again later",
            retry_after=self._seconds,
        )
