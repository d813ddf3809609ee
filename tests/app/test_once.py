"""What is made of a model once, whoever asks, waits or leaves."""

import asyncio
from typing import cast

import pytest

from app.engine.entry import Ticket
from app.engine.loaded_model import LoadedModel
from app.errors import DeadlinePassed
from app.once import OncePerModel


class Model:
    """All that is asked of one: that it is itself."""


class Making:
    """Counts how often something is made, and holds it back until it is let go."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.count = 0
        self.gate = asyncio.Event()

    async def __call__(self, _: Ticket) -> int:
        self.count += 1
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        return self.count


def test_it_is_made_once_for_all_who_ask_and_anew_for_another_model() -> None:
    async def scenario() -> None:
        once, making = OncePerModel[int](), Making()
        one, other = cast(LoadedModel, Model()), cast(LoadedModel, Model())
        waiting = [asyncio.create_task(once.of(one, making, Ticket(9))) for _ in range(3)]
        await asyncio.sleep(0)
        making.gate.set()
        assert await asyncio.gather(*waiting) == [1, 1, 1]
        assert await once.of(one, making, Ticket(0)) == 1  # is there already
        assert await once.of(other, making, Ticket(9)) == 2

    asyncio.run(scenario())


def test_nobodys_leaving_stops_it() -> None:
    async def scenario() -> None:
        once, making, model = OncePerModel[int](), Making(), cast(LoadedModel, Model())
        with pytest.raises(DeadlinePassed, match=r"may take 0\.01 s"):
            await once.of(model, making, Ticket(0.01))
        leaver = asyncio.create_task(once.of(model, making, Ticket(9)))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        making.gate.set()
        assert await once.of(model, making, Ticket(9)) == 1

    asyncio.run(scenario())


def test_what_failed_is_tried_again() -> None:
    async def scenario() -> None:
        once, making = OncePerModel[int](), Making(ValueError("no memory"))
        model = cast(LoadedModel, Model())
        making.gate.set()
        with pytest.raises(ValueError, match="no memory"):
            await once.of(model, making, Ticket(9))
        assert await once.of(model, making, Ticket(9)) == 2

    asyncio.run(scenario())
