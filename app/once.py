"""What is made of a model when the first asks for it, and kept as long as the model."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from app.engine.entry import Ticket
from app.engine.loaded_model import LoadedModel

T = TypeVar("T")

PATIENCE = 300.0  # seconds that the making may wait for the device


class OncePerModel(Generic[T]):
    """Of each model one, on the event loop's thread."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[LoadedModel, asyncio.Future[T]] = WeakKeyDictionary()

    async def of(
        self, model: LoadedModel, make: Callable[[Ticket], Coroutine[Any, Any, T]], ticket: Ticket
    ) -> T:
        """What `make` gives, given time of its own; DeadlinePassed where the ticket's is over.

        Whoever asks meanwhile waits for the same, and nobody's leaving stops it.
        """
        found = self._made.get(model)
        if found is None:
            found = self._made[model] = asyncio.ensure_future(make(Ticket(PATIENCE)))
            found.add_done_callback(partial(self._settle, model))
        if found.done():
            return found.result()
        try:
            remaining = ticket.expires - time.monotonic()
            return await asyncio.wait_for(asyncio.shield(found), remaining)
        except TimeoutError:
            raise ticket.passed() from None

    def _settle(self, model: LoadedModel, made: "asyncio.Future[T]") -> None:
        """The next one may find what this one did not: memory for it, for instance."""
        if made.cancelled() or made.exception():
            del self._made[model]
