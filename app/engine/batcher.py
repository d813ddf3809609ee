"""One thread that owns the device and gives it whatever waits, as one batch.

The laws it keeps. A batch is what waits when the device becomes free: no timer. Rows are the unit:
a large request goes in shares, in turn with the others, so that nobody waits for all of it. What is
no longer wanted is dropped before a batch is formed. Only this thread runs the device, in shapes
that were warmed on it. A failed batch is run again request by request, so that only the request at
fault fails. Knows tensors and futures; knows nothing of HTTP.
"""

import asyncio
import concurrent.futures
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from app.engine.buckets import pad
from app.engine.loaded_model import Operation
from app.errors import DeadlinePassed, DeviceFailed, LatentdError, Overloaded
from app.metrics import Metrics

T = TypeVar("T")

# A request takes at most this part of a batch while others wait behind it.
SHARES = 4
# Weight of the newest batch in the running mean of rows per second.
RATE_WEIGHT = 0.1


class Entry:
    """A request's rows on their way through the device, share by share, in order."""

    __slots__ = ("answered", "arrived", "expires", "future", "parts", "rows", "taken")

    def __init__(self, rows: Tensor, expires: float, future: "asyncio.Future[Tensor]") -> None:
        self.rows = rows  # [n, *row_shape]
        self.taken = 0
        self.answered = 0
        self.parts: list[Tensor] = []
        self.arrived = time.monotonic()
        self.expires = expires
        self.future = future

    @property
    def left(self) -> int:
        return len(self.rows) - self.taken

    def take(self, num_rows: int) -> Tensor:
        share = self.rows[self.taken : self.taken + num_rows]
        self.taken += num_rows
        return share


class Share(NamedTuple):
    """Some rows of one entry within one batch."""

    entry: Entry
    rows: Tensor


Outcome = tuple["asyncio.Future[Tensor]", Tensor | LatentdError]


class Batcher:
    """Runs rows through operations, many requests to a batch, on one thread of its own."""

    def __init__(self, metrics: Metrics, *, max_queue_rows: int) -> None:
        """Belongs to the running event loop, to which every answer is handed."""
        self._loop = asyncio.get_running_loop()
        self._metrics = metrics
        self._max_queue_rows = max_queue_rows
        self._changed = threading.Condition()
        # Operations with something waiting, in the order in which they get the device.
        self._turns: deque[Operation] = deque()
        self._waiting: dict[Operation, deque[Entry]] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._queued_rows = 0
        self._rows_per_second = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="latentd-device", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation, rows: Tensor, timeout: float) -> Tensor:
        """The operation's answer to `rows` [n, *row_shape], n ≥ 1, in their order.

        Cancelling the call drops the rows that the device has not yet been given. Raises Overloaded
        at the door, DeadlinePassed after `timeout` seconds in the queue, DeviceFailed if this
        request's own rows cannot be run.
        """
        future: asyncio.Future[Tensor] = self._loop.create_future()
        entry = Entry(rows, time.monotonic() + timeout, future)
        with self._changed:
            self._admit(len(rows))
            queue = self._waiting.setdefault(operation, deque())
            if not queue:
                self._turns.append(operation)
            queue.append(entry)
            self._changed.notify()
        return await future

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
        """Answer what waits, then end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _admit(self, num_rows: int) -> None:
        # An empty queue takes any legal request, so that none is refused for ever.
        full = self._queued_rows > 0 and self._queued_rows + num_rows > self._max_queue_rows
        if full or self._closing:
            rate = self._rows_per_second
            self._metrics.dropped.labels("overloaded").inc()
            raise Overloaded(
                f"{self._queued_rows} rows wait for the device and at most {self._max_queue_rows} "
                "may (LATENTD_MAX_QUEUE_ROWS); try again later",
                retry_after=self._queued_rows / rate if rate else 1.0,
            )
        self._queue_grew(num_rows)

    def _queue_grew(self, num_rows: int) -> None:
        self._queued_rows += num_rows
        self._metrics.queued_rows.set(self._queued_rows)

    # What follows runs on the device's thread.

    def _work(self) -> None:
        while work := self._next():
            work()

    def _next(self) -> Callable[[], None] | None:
        """What to do next, once there is something; None when all is done and closing."""
        with self._changed:
            while not (self._jobs or self._turns or self._closing):
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
        while queue and space:
            entry = queue.popleft()
            if entry.future.done() or now > entry.expires:
                outcomes += self._drop(entry, now)
                continue
            if not entry.taken:
                self._metrics.queue_seconds.observe(now - entry.arrived)
            share = Share(entry, entry.take(min(entry.left, most, space)))
            shares.append(share)
            space -= len(share.rows)
            self._queue_grew(-len(share.rows))
            if entry.left:
                queue.append(entry)
        if queue:
            self._turns.append(operation)
        return operation, shares, outcomes

    def _drop(self, entry: Entry, now: float) -> list[Outcome]:
        """Take an entry out: its client left, one of its shares failed, or it is too late."""
        self._queue_grew(-entry.left)
        if entry.future.cancelled():
            self._metrics.dropped.labels("client_gone").inc()
        if entry.future.done():
            return []
        self._metrics.dropped.labels("deadline").inc()
        late = DeadlinePassed(
            f"the request waited {now - entry.arrived:.1f} s for the device, longer than it may "
            "(LATENTD_REQUEST_TIMEOUT); try again later or ask for fewer rows"
        )
        return [(entry.future, late)]

    def _run_batch(
        self, operation: Operation, shares: list[Share], outcomes: list[Outcome]
    ) -> None:
        if shares:
            began = time.perf_counter()
            for share, answer in zip(shares, self._answers(operation, shares), strict=True):
                outcomes += _outcome(share.entry, answer)
            self._count(operation, sum(len(share.rows) for share in shares), began)
        if outcomes:
            self._loop.call_soon_threadsafe(_settle, outcomes)

    def _answers(self, operation: Operation, shares: list[Share]) -> list[Tensor | LatentdError]:
        rows = torch.cat([share.rows for share in shares])
        try:
            answer = operation.run(pad(rows, operation.buckets.fit(len(rows))))
        except Exception as error:  # noqa: BLE001 - whatever the device says, the thread lives on
            if len(shares) == 1:
                self._metrics.dropped.labels("device_failed").inc()
                return [DeviceFailed(f"{operation.model} could not {operation.name}: {error}")]
            return [self._answers(operation, [share])[0] for share in shares]
        return list(torch.split(answer[: len(rows)], [len(share.rows) for share in shares]))

    def _count(self, operation: Operation, num_rows: int, began: float) -> None:
        seconds = time.perf_counter() - began
        labels = (operation.model, operation.name)
        self._metrics.batch_rows.labels(*labels).observe(num_rows)
        self._metrics.batch_seconds.labels(*labels).observe(seconds)
        rate = num_rows / seconds
        weight = RATE_WEIGHT if self._rows_per_second else 1.0
        self._rows_per_second += weight * (rate - self._rows_per_second)


def _outcome(entry: Entry, answer: Tensor | LatentdError) -> list[Outcome]:
    """What there is to tell the entry's owner once `answer` to its next share is in."""
    if isinstance(answer, LatentdError):
        return [(entry.future, answer)]
    entry.parts.append(answer)
    entry.answered += len(answer)
    if entry.answered < len(entry.rows):
        return []
    return [(entry.future, entry.parts[0] if len(entry.parts) == 1 else torch.cat(entry.parts))]


def _settle(outcomes: list[Outcome]) -> None:
    """Hand every outcome to its owner, unless the owner has left; on the event loop."""
    for future, outcome in outcomes:
        if future.done():
            continue
        if isinstance(outcome, LatentdError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
