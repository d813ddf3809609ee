"""Two ways to put load on a server over HTTP/1.1.

`closed_loop` keeps a number of callers busy: each asks again when it was answered, so the server
sets the pace and its highest rate shows. `open_loop` asks on a schedule, as a crowd does that does
not know how the server feels, and counts latency from the scheduled moment: everyone who came
during a stall pays for it (no coordinated omission).

Both run on the loop that awaits them; uvloop's is meant. Requests are whole HTTP requests in bytes
and are used in turn. `check` sees every answer with the index of its request, and asserts.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from benchmarks.alarm import Alarm
from benchmarks.connection import Answer, Connection
from benchmarks.pool import Address, Pool
from benchmarks.tally import Check, Record, Tally

__all__ = ["Answer", "Tally", "closed_loop", "open_loop"]

RETRY = 0.1  # seconds until a caller whose connection was refused tries again


async def closed_loop(
    address: Address,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    warm_up: float = 0.5,
    check: Check | None = None,
) -> Tally:
    """Keep `connections` callers busy; count the answers of `seconds`, which follow on `warm_up`.

    What is under way at the end is waited for, so that the server is idle afterwards; not counted.
    """
    callers = _Callers(address, requests, Record(check))
    _put_old_objects_aside()
    await callers.open(connections)
    callers.start(warm_up, seconds)
    await asyncio.sleep(warm_up + seconds)
    callers.running = False
    await callers.close()
    return callers.record.tally(callers.opens, seconds)


async def open_loop(  # noqa: PLR0913 - a load has many sides, all named where they are given
    address: Address,
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    seed: int | None = 0,
    connections: int = 16,
    limit: int = 1024,
    check: Check | None = None,
) -> Tally:
    """Ask `rate` times a second for `seconds`, whatever the answers do; count all answers.

    Arrivals are a Poisson process drawn from `seed`, or evenly spaced where it is None. The pool
    begins with `connections` and grows to `limit`; beyond that requests wait here, which counts.
    """
    crowd = _Crowd(address, requests, Record(check), limit)
    _put_old_objects_aside()
    await crowd.open(connections)
    crowd.start(_arrivals(rate, seconds, seed))
    await asyncio.sleep(seconds)
    await crowd.close()
    return crowd.record.tally(crowd.opens, seconds)


def _put_old_objects_aside() -> None:
    """A full collection in the midst of a load would show in its tail."""
    gc.collect()
    gc.freeze()


def _arrivals(rate: float, seconds: float, seed: int | None) -> list[float]:
    """Moments in [0, seconds), ascending."""
    if seed is None:
        return [i / rate for i in range(round(rate * seconds))]
    random = np.random.default_rng(seed)
    moments = random.uniform(0, seconds, random.poisson(rate * seconds))
    return [float(moment) for moment in np.sort(moments)]


class _Callers(Pool):
    """A closed loop's."""

    running = False
    opens = closes = 0.0  # the window

    def start(self, warm_up: float, seconds: float) -> None:
        self.running = True
        self.opens = time.perf_counter() + warm_up
        self.closes = self.opens + seconds
        for connection in self._connections:
            if not connection.busy:
                self._ask(connection, time.perf_counter())

    def _on_answer(self, connection: Connection, answer: Answer) -> None:
        now = time.perf_counter()
        if self.opens <= now < self.closes:
            self.record.count(now - connection.since, now, answer.status)
        self.record.check(connection.index, answer)
        if self.running and not answer.closes:
            self._ask(connection, time.perf_counter())

    def _on_loss(self) -> None:
        if self.running:
            self._start(self._call_again())

    async def _call_again(self) -> None:
        while self.running:
            try:
                self._ask(await self._connect(), time.perf_counter())
            except OSError as refused:
                self.record.errors[type(refused).__name__] += 1
                await asyncio.sleep(RETRY)
            else:
                return


class _Crowd(Pool):
    """An open loop's."""

    def __init__(
        self, address: Address, requests: Sequence[bytes], record: Record, limit: int
    ) -> None:
        super().__init__(address, requests, record)
        self.opens = 0.0  # the schedule
        self._limit = limit
        self._opening = 0
        self._idle: deque[Connection] = deque()  # used in turn, so that all stay in use
        self._waiting: deque[float] = deque()  # scheduled moments that found no connection
        self._to_come: deque[float] = deque()
        self._alarm = Alarm(self._send_due)

    def start(self, arrivals: Sequence[float]) -> None:
        self.opens = time.perf_counter()
        self._to_come.extend(self.opens + arrival for arrival in arrivals)
        self._idle.extend(c for c in self._connections if not c.busy)
        self._send_due()

    async def close(self) -> None:
        await super().close()
        self._alarm.close()

    def _under_way(self) -> int:
        return super()._under_way() + len(self._waiting) + len(self._to_come)

    def _send_due(self) -> None:
        now = time.perf_counter()
        while self._to_come and self._to_come[0] <= now:
            self._send(self._to_come.popleft())
        if self._to_come:
            self._alarm.set(self._to_come[0])

    def _send(self, moment: float) -> None:
        if self._idle:
            self._ask(self._idle.popleft(), moment)
            return
        self._waiting.append(moment)
        self._grow()

    def _grow(self) -> None:
        room = len(self._connections) + self._opening < self._limit
        if room and self._opening < len(self._waiting):
            self._opening += 1
            self._start(self._add_one())

    async def _add_one(self) -> None:
        """One more connection for what waits; who waits longest pays for one that is refused."""
        try:
            self._release(await self._connect())
        except OSError as refused:
            self.record.errors[type(refused).__name__] += 1
            if self._waiting:
                self._waiting.popleft()
        finally:
            self._opening -= 1

    def _release(self, connection: Connection) -> None:
        if self._waiting:
            self._ask(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _on_answer(self, connection: Connection, answer: Answer) -> None:
        now = time.perf_counter()
        if connection.since >= self.opens > 0:  # else it opened the connection
            self.record.count(now - connection.since, now, answer.status)
        self.record.check(connection.index, answer)
        if self.opens and not answer.closes:
            self._release(connection)

    def _on_loss(self) -> None:
        self._idle = deque(c for c in self._idle if c in self._connections)
        self._grow()
