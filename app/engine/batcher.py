"""One thread that owns the device and gives it whatever waits, as one batch.

The laws it keeps. A batch is what waits when the device becomes free: no timer. Rows are the unit:
a large request goes in shares, in turn with the others, so that nobody waits for all of it. What is
no longer wanted is dropped before a batch is formed. Only this thread runs the device, in shapes
that were warmed on it. A device that is lost, or hangs, is reported, once. Knows arrays and
futures; knows nothing of HTTP.
"""

import asyncio
import concurrent.futures
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from app.arrays import Floats, Rows
from app.engine.backlog import Backlog
from app.engine.entry import Entry, Outcome, Share, Ticket, settle
from app.engine.loaded_model import Operation
from app.engine.recovery import is_lost, run_shares
from app.errors import DeadlinePassed, DeviceFailed, DeviceLost, LatentdError
from app.metrics import Metrics

T = TypeVar("T")

# A request takes at most this part of a batch while others wait behind it.
SHARES = 4
# How often the watch looks whether the device hangs.
WATCH_SECONDS = 0.5


class QueueLimits(NamedTuple):
    """What may wait for the device, and for how long the device may be silent."""

    max_rows: int
    max_bytes: int
    device_timeout: float  # seconds


class Batcher:
    """Runs rows through operations, many requests to a batch, on one thread of its own."""

    def __init__(
        self, metrics: Metrics, limits: QueueLimits, on_lost: Callable[[str], None]
    ) -> None:
        """Belongs to the running event loop, to which every answer is handed.

        `on_lost` is called there, with the reason, if the device fails for good.
        """
        self._loop = asyncio.get_running_loop()
        self._metrics = metrics
        self._limits = limits
        self._on_lost = on_lost
        self._changed = threading.Condition()
        # Operations with something waiting, in the order in which they get the device.
        self._turns: deque[Operation] = deque()
        self._waiting: dict[Operation, deque[Entry]] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._backlog = Backlog(metrics, max_rows=limits.max_rows, max_bytes=limits.max_bytes)
        self._running: list[Share] = []
        self._busy_since: float | None = None
        self._free_since = 0.0
        self._freed_bytes = 0
        self._lost: str | None = None
        self._closing = False
        self._waking = False
        self._thread = threading.Thread(target=self._work, name="latentd-device", daemon=True)
        self._thread.start()
        self._watch = self._loop.create_task(self._watch_device())

    async def run(
        self, operation: Operation, rows: Floats, ticket: Ticket, *, levels: bool = False
    ) -> Rows:
        """The operation's answer to `rows` [n, *row_shape], n ≥ 1, in their order.

        float32 [n, …], or with `levels`, which an operation that gives images has, uint8
        [n, H, W, C]. Cancelling the call drops the rows that the device has not yet been given.
        Raises Overloaded at the door, DeadlinePassed where the ticket expires in the queue,
        DeviceFailed if this request's own rows cannot be run, NotFinite if they give no numbers,
        DeviceLost if nothing can be run any more.
        """
        num_bytes = len(rows) * operation.row_bytes
        future: asyncio.Future[Rows] = self._loop.create_future()
        entry = Entry(rows, num_bytes, ticket, future, levels=levels)
        with self._changed:
            if self._lost is not None:
                raise DeviceLost(self._lost)
            if self._closing:
                self._backlog.refuse("the service is shutting down")
            self._backlog.admit(len(rows), num_bytes, ticket.expires - entry.arrived)
            queue = self._waiting.setdefault(operation, deque())
            if not queue:
                self._turns.append(operation)
            queue.append(entry)
        if not self._waking:
            # Once the loop has come to the end of what is ready: its requests are one batch then,
            # and the two threads do not fight for the interpreter meanwhile.
            self._waking = True
            self._loop.call_soon(self._wake)
        return await future

    def _wake(self) -> None:
        self._waking = False
        with self._changed:
            self._changed.notify()

    async def call(self, job: Callable[[], T]) -> T:
        """Run `job` on the device's thread, before the batches that wait: loading, for one."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(job())
            except Exception as error:  # noqa: BLE001 - it is raised where the job was given
                done.set_exception(error)

        with self._changed:
            self._jobs.append(run)
            self._changed.notify()
        return await asyncio.wrap_future(done)

    async def close(self) -> None:
        """Answer what waits, then end the thread; a lost device's thread is left behind."""
        self._watch.cancel()
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._lost is None:
            await asyncio.to_thread(self._thread.join)

    async def _watch_device(self) -> None:
        while self._lost is None:
            await asyncio.sleep(min(WATCH_SECONDS, self._limits.device_timeout / 4))
            began, limit = self._busy_since, self._limits.device_timeout
            if began is not None and time.monotonic() - began > limit:
                self._lose(f"a batch has not returned for {limit:g} s (LATENTD_DEVICE_TIMEOUT_S)")

    def _lose(self, why: str) -> None:
        """Give up the device: tell everybody who waits, and whoever runs this; from any thread."""
        with self._changed:
            if self._lost is not None:
                return
            self._lost = f"the device is lost: {why}; this process ends, another one can answer"
            entries = {entry for queue in self._waiting.values() for entry in queue}
            entries |= {share.entry for share in self._running}
            self._turns.clear()
            self._waiting.clear()
            for entry in entries:
                self._backlog.grow(-entry.left, -entry.free())
        outcomes = [Outcome(entry, DeviceLost(self._lost)) for entry in entries]
        self._loop.call_soon_threadsafe(settle, outcomes)
        self._loop.call_soon_threadsafe(self._on_lost, why)

    # What follows runs on the device's thread.

    def _work(self) -> None:
        while work := self._next():
            work()

    def _next(self) -> Callable[[], None] | None:
        """What to do next, once there is something; None when all is done and closing."""
        with self._changed:
            while not (self._jobs or self._turns or self._closing):
                self._free_since = 0.0
                self._changed.wait()
            if self._jobs:
                return self._jobs.popleft()
            return partial(self._run_batch, *self._form()) if self._turns else None

    def _form(self) -> tuple[Operation, list[Share], list[Outcome]]:
        """The next operation's batch, and what to tell those dropped from it; the lock is held."""
        operation = self._turns.popleft()
        queue = self._waiting[operation]
        space = operation.buckets.sizes[-1]
        most = max(1, space // SHARES)
        shares: list[Share] = []
        outcomes: list[Outcome] = []
        now = time.monotonic()
        taken = 0
        while queue and taken < space:
            entry = queue.popleft()
            if entry.failed or entry.future.done() or now > entry.ticket.expires:
                outcomes += self._drop(entry, now)
                continue
            if not entry.taken:
                entry.started = now
            shares.append(entry.take(min(entry.left, most, space - taken)))
            taken += shares[-1].num_rows
            if entry.left:
                queue.append(entry)
        if queue:
            self._turns.append(operation)
        else:
            # An operation that waits for nothing keeps nothing: its model may be gone tomorrow.
            del self._waiting[operation]
        self._backlog.grow(-taken, 0)
        self._running = shares
        self._busy_since = now
        return operation, shares, outcomes

    def _drop(self, entry: Entry, now: float) -> list[Outcome]:
        """Take an entry out: its client left, one of its shares failed, or it is too late."""
        self._backlog.grow(-entry.left, -entry.free())
        if entry.future.cancelled():
            self._metrics.dropped.labels("client_gone").inc()
        if entry.failed or entry.future.done():
            return []
        self._metrics.dropped.labels("deadline").inc()
        late = DeadlinePassed(
            f"the request has waited {now - entry.arrived:.2f} s and may take "
            f"{entry.ticket.timeout:g} s (X-Request-Timeout, LATENTD_REQUEST_TIMEOUT_S); try "
            "again later or ask for fewer rows"
        )
        return [Outcome(entry, late)]

    def _run_batch(
        self, operation: Operation, shares: list[Share], outcomes: list[Outcome]
    ) -> None:
        if shares:
            began = time.monotonic()
            answers = run_shares(operation, shares)
            seconds = time.monotonic() - began
            for share, answer in zip(shares, answers, strict=True):
                outcomes += self._outcome(share, answer, seconds)
            self._count(operation, shares, seconds)
            if all(isinstance(answer, DeviceFailed) for answer in answers) and is_lost(operation):
                self._lose(f"it fails at rows that it could run before ({answers[0]})")
        self._running = []
        self._busy_since = None
        if outcomes:
            self._loop.call_soon_threadsafe(settle, outcomes)

    def _outcome(self, share: Share, answer: Rows | LatentdError, seconds: float) -> list[Outcome]:
        """What there is to tell the share's owner, once the last of its answers is in."""
        entry = share.entry
        entry.device += seconds
        if isinstance(answer, LatentdError):
            # Its other rows are dropped when their turn comes.
            entry.failed = True
            reason = "device_failed" if isinstance(answer, DeviceFailed) else "not_finite"
            self._metrics.dropped.labels(reason).inc()
        elif entry.put(answer):
            assert entry.answer is not None
            answer = entry.answer
        else:
            return []
        self._freed_bytes += entry.free()
        return [Outcome(entry, answer)]

    def _count(self, operation: Operation, shares: list[Share], seconds: float) -> None:
        num_rows = sum(share.num_rows for share in shares)
        for share in shares:
            if not share.first:
                self._metrics.queue_seconds.observe(share.entry.started - share.entry.arrived)
        labels = (operation.model, operation.name)
        self._metrics.batch_rows.labels(*labels).observe(num_rows)
        self._metrics.batch_seconds.labels(*labels).observe(seconds)
        now = time.monotonic()
        with self._changed:
            # Where the device was never idle in between, what lies between batches counts too.
            self._backlog.served(num_rows, now - self._free_since if self._free_since else seconds)
            self._backlog.grow(0, -self._freed_bytes)
        self._free_since = now
        self._freed_bytes = 0
