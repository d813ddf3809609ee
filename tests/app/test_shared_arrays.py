"""Arrays that outlive a request are read-only: several requests have them at once."""

import asyncio
import functools
import gc
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from app.arrays import read_only
from app.engine.execution import OnCpu
from app.main import create_app
from app.settings import Settings
from tests.app.compression import FILE
from tests.app.test_concurrency import REQUESTS, Asked, publish_all

# Where arrays are parts of other things of the process, or of the tests.
BEYOND = (types.ModuleType, types.FrameType, type, asyncio.AbstractEventLoop)


def reachable(root: object) -> Iterator[object]:
    """Everything that an object holds, however deep."""
    seen: set[int] = set()
    left = [root]
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, BEYOND):
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, types.FunctionType):
            # Not its module; the cells are what it keeps.
            left += [*(found.__closure__ or ()), found.__defaults__, found.__dict__]
            wrapped = vars(found).get("__wrapped__")
            left += [wrapped] if wrapped else []
        else:
            left += gc.get_referents(found)


def writeable(app: FastAPI) -> list[str]:
    """Arrays that the service or a module of it keeps, and that could be written to."""
    modules = [vars(module) for name, module in sys.modules.items() if name.startswith("app.")]
    kept = list(reachable([app.state.service, app.state.answers, app.state.queries, *modules]))
    stages = [found.stage for found in kept if isinstance(found, OnCpu)]
    assert stages
    return [
        f"{found.dtype} {found.shape}"
        for found in kept
        if isinstance(found, np.ndarray)
        and found.flags.writeable
        and not any(found is stage for stage in stages)
    ]


async def ask_everything(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", timeout=600
    ) as client:

        async def ask(asked: Asked) -> bytes:
            kind = {"Content-Type": asked.kind}
            answer = await client.request(
                asked.method, asked.path, content=asked.body, headers=kind
            )
            assert answer.status_code == 200, answer.text
            return answer.content

        for asked in REQUESTS:
            content = await ask(asked)
            if asked.path == "/compress":
                await ask(Asked("POST", "/decompress", content, FILE["Content-Type"]))


@pytest.mark.timeout(600)
def test_nothing_that_is_kept_for_the_next_request_can_be_written_to(tmp_path: Path) -> None:
    for name in ("faiss", "constriction"):
        pytest.importorskip(name)
    app = create_app(Settings.read(store=publish_all(tmp_path), request_timeout_s=600))

    async def scenario() -> None:
        async with app.router.lifespan_context(app):
            await ask_everything(app)
            service = app.state.service
            assert {kind.__name__ for kind in service._made} == {
                *("Codec", "Dimensions", "NeighbourIndex", "Projected")
            }
            assert writeable(app) == []
            # It would be seen, wherever it is.
            service.planted = functools.partial(print, [{"deep": np.zeros(7)}])
            assert writeable(app) == ["float64 (7,)"]

    asyncio.run(scenario())


def test_an_array_is_read_only_together_with_what_it_is_a_part_of() -> None:
    whole = np.zeros((4, 4), np.float32)
    part = read_only(whole[1:])
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        whole[1] = 1
