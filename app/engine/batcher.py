"""Gives the device whatever waits, as batches: the one door to it.

The laws it keeps. A batch is what waits when the device becomes free: no timer. What waits is
bounded, and who cannot be served in time is told at the door. Each operation is run by one thread
alone, in shapes that were warmed on it: by the device's thread, or, where a whole batch takes less
time than to hand it over and back, by the event loop's own. A device that is lost, or hangs in
either thread, is reported, once. Knows arrays and futures; knows nothing of HTTP.
"""

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from app.arrays import Floats, Rows
from app.engine.backlog import Backlog
from app.engine.entry import Entry, Outcome, Ticket, settle
from app.engine.line import Line
from app.engine.loaded_model import Operation
from app.errors import DeviceLost
from app.metrics import Metrics
from app.running_clock import LOOK_SECONDS, RunningClock

T = TypeVar("T")


class QueueLimits(NamedTuple):
    """What may wait for the device, and for how long the device may be silent."""

    max_rows: int
    device_timeout: float  # seconds


class Batcher:
    """Runs rows through operations, many requests to a batch."""

    def __init__(
        self, metrics: Metrics, limits: QueueLimits, on_lost: Callable[[str], None]
    ) -> None:
        """Belongs to the running event loop, to which every answer is handed.

        `on_lost` is called with the reason if the device fails for good: once, from any thread,
        for the loop itself may hang.
        """
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._work_is_there = threading.Condition(self._lock)
        self._backlog = Backlog(metrics, max_rows=limits.max_rows)
        line = partial(Line, metrics, self._backlog, self._lock)
        self._on_loop = line(tell=settle, lose=self._lose)
        self._on_thread = line(tell=self._tell_loop, lose=self._lose)
        self._dropped = metrics.dropped
        self._jobs: deque[Callable[[], None]] = deque()
        self._lost: str | None = None
        self._closing = False
        self._turn_is_due = False
        self._thread = threading.Thread(target=self._work, name="latentd-device", daemon=True)
        self._thread.start()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="latentd-device-watch", daemon=True).start()

    async def run(
        self, operation: Operation, rows: Floats, ticket: Ticket, *, levels: bool = False
    ) -> Rows:
        """The operation's answer to `rows` [n, *row_shape], n ≥ 1, in their order.

        float32 [n, …], or with `levels`, which an operation that gives images has, uint8
        [n, H, W, C]. Cancelling the call drops the rows that the device has not yet been given.
        Raises Overloaded at the door, DeadlinePassed where the ticket expires before its turn,
        DeviceFailed if this request's own rows cannot be run, NotFinite if they give no numbers,
        DeviceLost if nothing can be run any more.
        """
        future: asyncio.Future[Rows] = self._loop.create_future()
        entry = Entry(rows, ticket, future, levels=levels)
        if ticket.expires <= entry.arrived:
            self._dropped.labels("deadline").inc()
            raise ticket.passed()
        # Whoever asks reserves all that it will hold; what it forgot is reserved here.
        ticket.reserve(len(rows) * operation.row_bytes)
        with self._lock:
            if self._lost is not None:
                raise DeviceLost(self._lost)
            if self._closing:
                self._backlog.refuse("the service is shutting down")
            self._backlog.admit(len(rows), ticket.expires - entry.arrived)
            (self._on_loop if operation.on_loop else self._on_thread).add(operation, entry)
        self._ask_for_a_turn()
        try:
            return await future
        except asyncio.CancelledError:
            with self._lock:
                left = entry.give_up()
                self._backlog.grow(-left)
                self._backlog.show()
            if left:
                self._dropped.labels("client_gone").inc()
            raise

    def check_room(self, num_rows: int, ticket: Ticket) -> None:
        """Raise Overloaded if so many rows would be refused now: before any work on them."""
        with self._lock:
            self._backlog.check(num_rows, ticket.remaining)

    def _ask_for_a_turn(self) -> None:
        # Once the loop has come to the end of what is ready, and has looked once more: who was just
        # answered asks again meanwhile, and batches are twice as large for it. No thread fights
        # with the loop for the interpreter meanwhile, either.
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._loop.call_soon, self._take_turn)

    def _take_turn(self) -> None:
        """Wake the device's thread, and serve one batch of the loop's own."""
        self._turn_is_due = False
        with self._lock:
            self._backlog.show()
            if self._on_thread:
                self._work_is_there.notify()
            mine = bool(self._on_loop)
        if mine:
            self._on_loop.serve()
            # Another batch only after the loop has looked for requests again.
            if self._on_loop:
                self._ask_for_a_turn()

    async def call(self, job: Callable[[], T]) -> T:
        """Run `job` on the device's thread, before the batches that wait: loading, for one."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(job())
            except Exception as error:  # noqa: BLE001 - it is raised where the job was given
                done.set_exception(error)

        with self._lock:
            self._jobs.append(run)
            self._work_is_there.notify()
        return await asyncio.wrap_future(done)

    async def close(self) -> None:
        """Answer what waits, then end the thread; a lost device's thread is left behind."""
        with self._lock:
            self._closing = True
            self._work_is_there.notify()
        while self._on_loop:
            await asyncio.sleep(0)
        if self._lost is None:
            await asyncio.to_thread(self._thread.join)
        self._closed.set()

    def _tell_loop(self, outcomes: list[Outcome]) -> None:
        self._loop.call_soon_threadsafe(settle, outcomes)

    def _work(self) -> None:
        """The device's thread: jobs first, then batches, until all is done and closing."""
        while True:
            with self._lock:
                while not (self._jobs or self._on_thread or self._closing):
                    self._work_is_there.wait()
                job = self._jobs.popleft() if self._jobs else None
                if job is None and not self._on_thread:
                    return
            (job or self._on_thread.serve)()

    def _watch(self) -> None:
        """The watch's thread: give up the device where a batch of either line does not return."""
        limit = self._limits.device_timeout
        look_seconds = min(LOOK_SECONDS, limit / 4)
        # A process that was stopped for longer than the limit has no batch that hangs.
        clock = RunningClock(look_seconds)
        lines = (self._on_loop, self._on_thread)
        # Since when, by that clock, each line was seen in the batch that it is in.
        seen: dict[Line, tuple[float | None, float]] = {}
        while self._lost is None and not self._closed.wait(look_seconds):
            now = clock.look()
            for line in lines:
                began, since = seen.get(line, (None, now))
                if began is None or line.busy_since != began:
                    seen[line] = (line.busy_since, now)
                elif now - since > limit:
                    self._lose(
                        f"a batch has not returned for {limit:g} s (LATENTD_DEVICE_TIMEOUT_S)"
                    )

    def _lose(self, why: str, error: BaseException | None = None) -> None:
        """Give up the device: tell everybody who waits, and whoever runs this; from any thread.

        What `error` says is for the log alone.
        """
        with self._lock:
            if self._lost is not None:
                return
            self._lost = f"the device is lost: {why}; this process ends, another one can answer"
            entries = self._on_loop.clear() | self._on_thread.clear()
            self._backlog.show()
        outcomes = [Outcome(entry, DeviceLost(self._lost)) for entry in entries]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._tell_loop(outcomes)
        self._on_lost(f"{why}: {error}" if error else why)
