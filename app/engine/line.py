"""What waits for the operations of one thread, and how that thread serves it, batch by batch.

Rows are the unit: a batch is what waits, up to the operation's largest size; a large request goes
in shares, in turn with the others, and each round of the queue gives it one, so that it ages as
everybody does. What is no longer wanted is dropped before a batch is formed.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from app.arrays import Rows
from app.engine.backlog import Backlog
from app.engine.entry import Entry, Outcome, Share
from app.engine.loaded_model import Operation
from app.engine.recovery import is_lost, run_shares
from app.errors import DeviceFailed, LatentdError
from app.metrics import Metrics

# A request takes at most this part of a batch while others wait behind it.
SHARES = 4


class Line:
    """Served by one thread; `tell` hands outcomes to their owners, `lose` gives up the device."""

    def __init__(
        self,
        metrics: Metrics,
        backlog: Backlog,
        lock: threading.Lock,
        tell: Callable[[list[Outcome]], None],
        lose: Callable[[str, BaseException | None], None],
    ) -> None:
        self._metrics = metrics
        self._backlog = backlog
        self._lock = lock
        self._tell = tell
        self._lose = lose
        # Operations with something waiting, in the order in which they get their turn.
        self._turns: deque[Operation] = deque()
        self._waiting: dict[Operation, deque[Entry]] = {}
        self._running: list[Share] = []
        self._idle_until = 0.0  # when the last wait for work ended
        self.busy_since: float | None = None

    # To be called with the lock held.

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, operation: Operation, entry: Entry) -> None:
        """Let `entry` wait for its turn."""
        if not self._turns and self.busy_since is None:
            self._idle_until = entry.arrived
        queue = self._waiting.get(operation)
        if queue is None:
            queue = self._waiting[operation] = deque()
            self._turns.append(operation)
        queue.append(entry)

    def clear(self) -> set[Entry]:
        """Forget everything; whoever waited or was being served."""
        entries = {entry for queue in self._waiting.values() for entry in queue}
        entries |= {share.entry for share in self._running}
        self._turns.clear()
        self._waiting.clear()
        for entry in entries:
            self._backlog.grow(-entry.give_up())
        return entries

    # To be called on the line's thread, without the lock.

    def serve(self) -> None:
        """Run one batch of the next operation, if there still is one."""
        with self._lock:
            if not self._turns:
                return
            operation, shares, outcomes = self._form()
        if shares:
            began = time.monotonic()
            answers = run_shares(operation, shares)
            seconds = time.monotonic() - began
            for share, answer in zip(shares, answers, strict=True):
                outcomes += self._outcome(share, answer, seconds)
            self._count(operation, shares, seconds)
            if all(isinstance(answer, DeviceFailed) for answer in answers) and is_lost(operation):
                cause = next(answer for answer in answers if isinstance(answer, DeviceFailed))
                self._lose("it fails at rows that it could run before", cause.__cause__)
        self._running = []
        self.busy_since = None
        if outcomes:
            self._tell(outcomes)

    def _form(self) -> tuple[Operation, list[Share], list[Outcome]]:
        """The next operation's batch, and what to tell those dropped from it; the lock is held."""
        operation = self._turns.popleft()
        queue = self._waiting[operation]
        space = operation.buckets.sizes[-1]
        most = max(1, space // SHARES)
        shares: dict[Entry, Share] = {}
        outcomes: list[Outcome] = []
        now = time.monotonic()
        taken = 0
        while queue and taken < space:
            entry = queue.popleft()
            if entry.failed or entry.future.done() or now > entry.ticket.expires:
                outcomes += self._drop(entry)
                continue
            if not entry.taken:
                entry.started = now
            left = entry.left
            num_rows = min(left, most, space - taken)
            # Whoever comes round again, because nobody else waits, gets a larger share.
            shares[entry] = entry.take(num_rows, shares.get(entry))
            taken += num_rows
            if num_rows < left:
                queue.append(entry)
        if queue:
            self._turns.append(operation)
        else:
            # An operation that waits for nothing keeps nothing: its model may be gone tomorrow.
            del self._waiting[operation]
        self._backlog.grow(-taken)
        self._backlog.show()
        self._running = list(shares.values())
        self.busy_since = now
        return operation, self._running, outcomes

    def _drop(self, entry: Entry) -> list[Outcome]:
        """Take an entry out: one of its shares failed, or it is too late, or its client has left
        (then it has been taken off the backlog already).
        """
        self._backlog.grow(-entry.give_up())
        if entry.failed or entry.future.done():
            return []
        self._metrics.dropped.labels("deadline").inc()
        return [Outcome(entry, entry.ticket.passed())]

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
        return [Outcome(entry, answer)]

    def _count(self, operation: Operation, shares: list[Share], seconds: float) -> None:
        num_rows = sum(share.num_rows for share in shares)
        for share in shares:
            if not share.first:
                self._metrics.queue_seconds.observe(share.entry.started - share.entry.arrived)
        rows_of_batches, seconds_of_batches = self._metrics.batches(operation.model, operation.name)
        rows_of_batches.observe(num_rows)
        seconds_of_batches.observe(seconds)
        now = time.monotonic()
        with self._lock:
            # While something always waits, what lies between batches is part of the service too.
            self._backlog.served(num_rows, now - self._idle_until)
            self._idle_until = now
