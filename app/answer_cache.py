"""Answers that were given before, kept by their whole question, and those that are being made.

An answer is a pure function of the checkpoint, the form and the question, so it never goes stale.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from app.engine.entry import Ticket
from app.metrics import Metrics

# The model's id and digest, the form's name, and the question in full. Compared, not hashed away.
Key: TypeAlias = tuple[str, str, str]
Body: TypeAlias = Sequence[bytes | memoryview]

# What an entry takes beside its body: the key, the tuple, its place in the table.
OVERHEAD_BYTES = 512
# An answer takes at most this part of the cache, so that one does not drive out all others.
LARGEST_PART = 8


class AnswerCache:
    """At most `max_bytes` of answers; the one unused for longest goes first. 0 keeps none."""

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self._max_bytes = max_bytes
        self._results = metrics.cache_results
        self._bytes_gauge = metrics.cache_bytes
        self._bytes = 0
        self._kept: OrderedDict[Key, Body] = OrderedDict()
        self._making: dict[Key, asyncio.Future[Body | None]] = {}

    def find(self, key: Key) -> Body | None:
        """The answer to `key`, if it is kept."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            self._results.hit.inc()
        return kept

    async def get(
        self, key: Key, make: Callable[[], Coroutine[Any, Any, Body]], ticket: Ticket
    ) -> Body:
        """The answer to `key`: kept, or being made for somebody else, or made now.

        Raises DeadlinePassed where another's making outlasts the ticket, and what `make` raises. If
        another's making fails or is given up, this one makes it.
        """
        while True:
            kept = self.find(key)
            if kept is not None:
                return kept
            making = self._making.get(key)
            if making is None:
                return await self._make(key, make)
            # Shielded: whoever waits may leave without spoiling it for the others.
            try:
                seconds = ticket.expires - time.monotonic()
                made = await asyncio.wait_for(asyncio.shield(making), seconds)
            except TimeoutError:
                raise ticket.passed() from None
            if made is not None:
                self._results.shared.inc()
                return made

    async def _make(self, key: Key, make: Callable[[], Coroutine[Any, Any, Body]]) -> Body:
        self._results.miss.inc()
        making = self._making[key] = asyncio.get_running_loop().create_future()
        made = None
        try:
            made = await make()
            self._keep(key, made)
            return made
        finally:
            del self._making[key]
            making.set_result(made)

    def _keep(self, key: Key, body: Body) -> None:
        size = _size(body)
        if size > self._max_bytes // LARGEST_PART:
            return
        # A part may be a view of the batch that it was computed in, all of which it would keep.
        self._kept[key] = tuple(bytes(part) for part in body)
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        self._bytes_gauge.set(self._bytes)


def _size(body: Body) -> int:
    return OVERHEAD_BYTES + sum(map(len, body))
