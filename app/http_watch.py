"""All connections of a process: how many there may be, and a look at each now and then.

One timer for all: a timer for each wait of each request would cost more than a small answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, Protocol

from app.http_limits import ConnectionLimits
from app.in_flight import InFlight

LONGEST_INTERVAL = 1.0
# Of the shortest wait: who waits is found out by so much too late at most.
PART_OF_A_WAIT = 5


class Connection(Protocol):
    """What is looked at."""

    idle_since: float | None

    def check(self, now: float) -> None:
        """End what has waited too long; `now` is the event loop's time."""

    def close_idle(self) -> None:
        """Close between two requests."""


class Reports(NamedTuple):
    """Who is told what happens outside of the application, which counts the rest."""

    look: Callable[[int, int], None]  # connections and bytes in flight, at each look
    refusal: Callable[[int], None]  # the status of an answer that the server gives by itself


class Watch:
    """The connections, counted by address."""

    def __init__(
        self, limits: ConnectionLimits, in_flight: InFlight, reports: Reports | None
    ) -> None:
        self._limits = limits
        self._in_flight = in_flight
        self._reports = reports
        waits = (limits.head_seconds, limits.keep_alive_seconds, limits.pace.seconds)
        self._interval = min(LONGEST_INTERVAL, *(wait / PART_OF_A_WAIT for wait in waits))
        self._connections: dict[Connection, str] = {}
        self._of_address: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, connection: Connection, address: str) -> bool:
        """Take a connection in, unless there are too many.

        Where all places are taken, the connection that has been idle for longest gives its up.
        """
        exempt, most = self._limits.exempt, self._limits.connections_of_an_address
        if self._of_address[address] >= most and not (exempt and exempt(address)):
            return False
        if len(self._connections) >= self._limits.connections and not self._make_room():
            return False
        self._connections[connection] = address
        self._of_address[address] += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._look)
        return True

    def forget(self, connection: Connection) -> None:
        """Count a connection no more that is lost or given up."""
        address = self._connections.pop(connection, None)
        if address is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def note_refusal(self, status: int) -> None:
        """Have an answer counted that the application knows nothing of."""
        if self._reports is not None:
            self._reports.refusal(status)

    def _make_room(self) -> bool:
        idle = [
            (connection.idle_since, connection)
            for connection in self._connections
            if connection.idle_since is not None
        ]
        if not idle:
            return False
        longest = min(idle, key=lambda pair: pair[0])[1]
        self.forget(longest)
        longest.close_idle()
        return True

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [*self._connections]:
            connection.check(now)
        if self._reports is not None:
            self._reports.look(len(self._connections), self._in_flight.held)
        # Without connections there is nothing to look at, and an idle process sleeps.
        self._timer = loop.call_later(self._interval, self._look) if self._connections else None
