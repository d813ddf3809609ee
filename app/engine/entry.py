"""A request's rows on their way through the device, and the account of where its time went."""

import asyncio
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from app.arrays import Floats, Rows
from app.engine.execution import Answers
from app.engine.loaded_model import Operation
from app.engine.memory_budget import MemoryBudget
from app.errors import DeadlinePassed, LatentdError, NotFinite

# A request counts as so many bytes at least: it takes some beside its arrays, and most small ones
# are then counted once.
LEAST_BYTES = 2**14


class Ticket:
    """One request's deadline, what it holds of the budget, and how its seconds were spent so far.

    Without a budget, as of work that belongs to no request, nothing is counted.
    """

    __slots__ = (
        "_budget",
        "_held",
        "_renewable",
        "batch",
        "device",
        "expires",
        "queue",
        "timeout",
    )

    def __init__(
        self, timeout: float, budget: MemoryBudget | None = None, *, renewable: bool = True
    ) -> None:
        self._budget = budget
        self._held = 0
        self._renewable = renewable
        self.timeout = timeout
        self.expires = time.monotonic() + timeout
        self.queue = 0.0  # waiting for the first batch
        self.batch = 0.0  # between batches, and being put together and taken apart
        self.device = 0.0  # in batches on the device

    def reserve(self, num_bytes: int) -> None:
        """Hold at least `num_bytes` until `release`; raises LimitExceeded or Overloaded."""
        if num_bytes > self._held and self._budget is not None:
            num_bytes = max(num_bytes, LEAST_BYTES)
            self._budget.take(num_bytes - self._held, self._held)
            self._held = num_bytes

    def release(self) -> None:
        """Hold nothing any more."""
        if self._held and self._budget is not None:
            self._budget.give(self._held, time.monotonic() - self.expires + self.timeout)
            self._held = 0

    def release_after(self, work: "Future[Any]") -> None:
        """Hold what is held until a thread's `work`, which nobody waits for, is over."""
        held, budget, self._held = self._held, self._budget, 0
        loop = asyncio.get_running_loop()

        def give(_: object) -> None:
            # The loop may be closed by then, and nothing is counted.
            if held and budget is not None:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(budget.give, held, self.timeout)

        work.add_done_callback(give)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative behind it."""
        return self.expires - time.monotonic()

    def check(self) -> None:
        """Raise DeadlinePassed behind the deadline."""
        if time.monotonic() > self.expires:
            raise self.passed()

    def passed(self) -> DeadlinePassed:
        """The error of a request whose time is over."""
        waited = time.monotonic() - self.expires + self.timeout
        return DeadlinePassed(
            f"the request has waited {waited:.2f} s and may take {self.timeout:g} s "
            "(X-Request-Timeout, LATENTD_REQUEST_TIMEOUT_S); try again later or ask for fewer rows"
        )

    def renew(self) -> None:
        """Start the time anew, for the next part of a stream; not where the client set a time."""
        if self._renewable:
            self.expires = time.monotonic() + self.timeout


class Entry:
    """Rows of one request for one operation; they are taken share by share, in order."""

    __slots__ = (
        "answer",
        "answered",
        "arrived",
        "device",
        "failed",
        "future",
        "levels",
        "rows",
        "started",
        "taken",
        "ticket",
    )

    def __init__(
        self,
        rows: Floats,
        ticket: Ticket,
        future: "asyncio.Future[Rows]",
        *,
        levels: bool,
    ) -> None:
        self.rows = rows  # [n, *row_shape]
        self.ticket = ticket
        self.future = future
        self.levels = levels  # wants images as levels, not as numbers
        self.arrived = time.monotonic()
        self.started = 0.0
        self.device = 0.0
        self.taken = 0
        self.answered = 0
        self.answer: Rows | None = None
        self.failed = False

    @property
    def left(self) -> int:
        """Rows that no batch has taken yet."""
        return len(self.rows) - self.taken

    def take(self, num_rows: int, already: "Share | None" = None) -> "Share":
        """The next `num_rows` for a batch, added to those that it has `already`."""
        first, before = (already.first, already.num_rows) if already else (self.taken, 0)
        self.taken += num_rows
        return Share(self, first, before + num_rows)

    def give_up(self) -> int:
        """Want no more rows; how many no batch had taken yet."""
        left, self.taken = self.left, len(self.rows)
        return left

    def put(self, part: Rows) -> bool:
        """Note the answer to the next rows; whether that was the last of them."""
        if len(part) == len(self.rows):
            self.answer = part
        else:
            if self.answer is None:
                self.answer = np.empty((len(self.rows), *part.shape[1:]), part.dtype)
            self.answer[self.answered : self.answered + len(part)] = part
        self.answered += len(part)
        return self.answered == len(self.rows)

    def account(self, now: float) -> None:
        """Charge the ticket with the time that this entry took, once it is answered."""
        ticket = self.ticket
        ticket.queue += self.started - self.arrived
        ticket.device += self.device
        ticket.batch += now - self.started - self.device


class Share(NamedTuple):
    """Some rows of one entry within one batch."""

    entry: Entry
    first: int
    num_rows: int

    @property
    def rows(self) -> Floats:
        """The rows themselves, [num_rows, *row_shape]."""
        return self.entry.rows[self.first : self.first + self.num_rows]

    def of(self, answers: Answers, start: int, operation: Operation) -> Rows | LatentdError:
        """This share's part of a batch's answers, in which it begins at `start`."""
        end = start + self.num_rows
        if answers.finite is not None and not answers.finite[start:end].all():
            return NotFinite(
                f"{operation.model} answered NaN or infinity to {operation.name}: "
                "the values given lie too far outside what it was trained on"
            )
        wanted = answers.levels if self.entry.levels else answers.values
        assert wanted is not None
        return wanted[start:end]


class Outcome(NamedTuple):
    """What an entry's owner is told."""

    entry: Entry
    answer: Rows | LatentdError


def settle(outcomes: list[Outcome]) -> None:
    """Hand every outcome to its owner, unless the owner has left; on the event loop."""
    now = time.monotonic()
    for entry, answer in outcomes:
        if entry.future.done():
            continue
        if isinstance(answer, LatentdError):
            entry.future.set_exception(answer)
        else:
            entry.account(now)
            entry.future.set_result(answer)
