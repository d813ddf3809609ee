"""Threads that turn rows into a response's bytes, and admission control for them.

Effort is bytes of pixels times what a byte costs in the format. Long work has threads of its own,
so that no short one waits behind it; the operating system shares the processors between them.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from app.engine.entry import Ticket
from app.errors import DeadlinePassed, Overloaded
from app.metrics import Metrics
from app.worker_threads import INLINE_BYTES, in_thread

T = TypeVar("T")

Check = Callable[[], None]
"""Raises where the work that calls it is wanted no more."""

# Work of no more effort is short: some 60 milliseconds.
SHORT_EFFORT = 64 * INLINE_BYTES
# Effort a second before any was measured, and the weight of the newest work in the running mean.
FIRST_RATE = 1000.0 * INLINE_BYTES
RATE_WEIGHT = 0.2


class _Unwanted(Exception):
    """Ends work in a thread that nobody waits for."""


class RenderQueue:
    """Renderings that wait or run, admitted by their effort."""

    def __init__(self, metrics: Metrics, num_threads: int) -> None:
        self._metrics = metrics
        self._short = _Pool("latentd-render-short", num_threads)
        self._long = _Pool("latentd-render-long", num_threads)

    def admit(self, effort: int, ticket: Ticket) -> "Rendering | None":
        """A rendering to be run and closed; None where it is so short that no thread is needed.

        Raises Overloaded where those before it need more time than the request has.
        """
        if effort <= INLINE_BYTES:
            return None
        pool = self._pool(effort)
        seconds = pool.effort / pool.rate
        if seconds > ticket.remaining:
            self._metrics.dropped.labels("overloaded").inc()
            raise Overloaded(
                f"what is to be drawn before needs {seconds:.2f} s and this request may wait "
                f"{ticket.remaining:.2f} s (X-Request-Timeout, LATENTD_REQUEST_TIMEOUT_S); try "
                "again later",
                retry_after=seconds,
            )
        return Rendering(self._metrics, pool, effort, ticket)

    async def run_part(self, write: Callable[[], T], effort: int, ticket: Ticket) -> T:
        """Part of a response that has begun, which waits its turn and is not refused."""
        if effort <= INLINE_BYTES:
            ticket.check()
            return write()
        rendering = Rendering(self._metrics, self._pool(effort), effort, ticket)
        try:
            return await rendering.run(lambda _: write())
        finally:
            rendering.close()

    def close(self) -> None:
        """End the threads; work that has not begun is dropped."""
        for pool in (self._short, self._long):
            pool.threads.shutdown(wait=False, cancel_futures=True)

    def _pool(self, effort: int) -> "_Pool":
        return self._short if effort <= SHORT_EFFORT else self._long


class _Pool:
    """Some threads, the effort that waits for them or is under way, and how fast they are."""

    def __init__(self, name: str, num_threads: int) -> None:
        self.threads = ThreadPoolExecutor(num_threads, name)
        self.effort = 0
        self.rate = FIRST_RATE * num_threads  # of all threads together
        self._num_threads = num_threads

    def ran(self, effort: int, seconds: float) -> None:
        """Note how long one rendering took in its thread."""
        rate = self._num_threads * effort / max(seconds, 1e-6)
        self.rate += RATE_WEIGHT * (rate - self.rate)


class Rendering:
    """One response's place in the queue, from its admission until its thread is done with it."""

    def __init__(self, metrics: Metrics, pool: _Pool, effort: int, ticket: Ticket) -> None:
        self._metrics = metrics
        self._pool = pool
        self._effort = effort
        self._ticket = ticket
        self._unwanted = False
        self._seconds = 0.0
        pool.effort += effort
        metrics.queued_renderings.inc()

    async def run(self, write: Callable[[Check], T]) -> T:
        """What `write` gives, which calls its argument now and then.

        Raises DeadlinePassed at the deadline. Work that is wanted no more is dropped before it
        begins, or ends at its next call; its place in the queue is taken until then.
        """
        try:
            result = await in_thread(
                self._pool.threads, partial(self._work, write), self._ticket, self._abandon
            )
        except DeadlinePassed:
            self._metrics.dropped.labels("deadline").inc()
            raise
        except asyncio.CancelledError:
            self._metrics.dropped.labels("client_gone").inc()
            raise
        self._pool.ran(self._effort, self._seconds)
        return result

    def close(self) -> None:
        """Leave the queue, unless a thread is still at it."""
        if not self._unwanted:
            self._leave()

    def _work(self, write: Callable[[Check], T]) -> T:
        began = time.monotonic()
        try:
            return write(self._check)
        finally:
            self._seconds = time.monotonic() - began

    def _check(self) -> None:
        if self._unwanted:
            raise _Unwanted

    def _abandon(self, future: "Future[Any]") -> None:
        self._unwanted = True
        loop = asyncio.get_running_loop()

        def over(_: object) -> None:
            # The loop may be closed by then, and nothing is counted.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._leave)

        future.add_done_callback(over)

    def _leave(self) -> None:
        self._pool.effort -= self._effort
        self._metrics.queued_renderings.dec()
