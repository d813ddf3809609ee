"""Operations that few ask for: made ready for a model when the first does, and kept."""

import asyncio

from app.engine.batcher import Batcher
from app.engine.loaded_model import LoadedModel, Operation, Rare


class RareOperations:
    """Of all models; on the event loop's thread."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._made: dict[tuple[LoadedModel, Rare], asyncio.Future[Operation]] = {}

    async def ready(self, model: LoadedModel, name: Rare) -> Operation:
        """The model's operation of that name, which it must have."""
        key = (model, name)
        if key not in self._made:
            # One makes it ready, whoever else asks meanwhile; nobody's leaving stops that.
            made = self._batcher.call(model.rare[name])
            self._made[key] = asyncio.ensure_future(made)
        try:
            return await asyncio.shield(self._made[key])
        except Exception:
            self._made.pop(key, None)  # the next one may find memory for it
            raise
