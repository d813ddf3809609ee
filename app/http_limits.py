"""What one connection may do and how long it may take, as the server's protocol is told it."""

from collections.abc import Callable
from typing import NamedTuple


class Pace(NamedTuple):
    """Slower than `least` bytes in `seconds` is too slow, for what is sent and what is read."""

    seconds: float
    least: int


class ConnectionLimits(NamedTuple):
    """Bounds of a connection; the settings say what each means."""

    head_bytes: int = 65_536
    head_seconds: float = 10.0
    keep_alive_seconds: float = 5.0
    body_seconds: float = 300.0
    pace: Pace = Pace(15.0, 7_680)
    connections: int = 1_000
    connections_of_an_address: int = 900
    exempt: Callable[[str], bool] | None = None  # addresses that may have any number of all


class Flow:
    """Bytes that go one way over a connection, and since when too few did."""

    __slots__ = ("_mark", "_since", "total")

    def __init__(self, now: float) -> None:
        self.total = 0
        self._mark = 0
        self._since = now

    def restart(self, now: float, done: int) -> None:
        """Nothing is waited for, or enough has gone: look anew from here, `done` bytes being."""
        self._mark, self._since = done, now

    def stalled(self, now: float, pace: Pace, done: int) -> bool:
        """Whether fewer bytes than the pace wants have gone since it was last kept."""
        if done - self._mark >= pace.least:
            self.restart(now, done)
        return now - self._since > pace.seconds
