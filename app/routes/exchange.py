"""One request's way to its model and back: what every endpoint that answers rows shares."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response
from torch import Tensor

from app import __version__
from app.errors import ClientGone
from app.formats import FORMATS, Answer, choose_format
from app.layout import LayoutName, Sheet, check_drawable, columns_for
from app.routes.wire_types import Form
from app.service import LatentService, ServedModel
from app.settings import Settings
from app.worker_threads import offload

T = TypeVar("T")

A_YEAR = 31_536_000


@dataclass(frozen=True)
class Exchange:
    """A request, the model it is for, and what answers it."""

    request: Request
    service: LatentService
    settings: Settings
    model: ServedModel

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says of itself."""
        return {"X-Latentd-Model": str(self.model.model)}

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """`work`'s result; if the client leaves first, `work` is cancelled and ClientGone raised.

        A closed connection cancels nothing by itself: only this waiting for it does.
        """
        task = asyncio.ensure_future(work)
        left = asyncio.ensure_future(_disconnected(self.request))
        try:
            await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone("the client closed the connection")
            return task.result()
        finally:
            task.cancel()
            left.cancel()


class Question(NamedTuple):
    """What an endpoint that answers rows was asked."""

    num_rows: int  # that the answer will have
    layout: LayoutName  # where the form names none
    seeds: tuple[int, ...] = ()
    # The request in full, defaults included, where its answer may be kept; else None.
    cache_key: BaseModel | None = None


async def answer_rows(
    exchange: Exchange,
    form: Form,
    question: Question,
    compute: Callable[[], Coroutine[Any, Any, Tensor]],
) -> Response:
    """Answer `question` in `form`; `compute` runs only where the client's copy is not current.

    What cannot be answered in this form is refused before the device is asked for anything.
    """
    model = exchange.model
    name, sheet = _choose_form(exchange, form, question)
    headers = exchange.headers | {"Vary": "Accept"}
    if question.seeds:
        headers["X-Latentd-Seed"] = ", ".join(map(str, question.seeds))
    if exchange.request.method == "GET":
        headers |= _caching(exchange, question.cache_key, name)
        if headers.get("ETag") in _known_tags(exchange.request):
            return Response(status_code=304, headers=headers)
    rows = await exchange.unless_gone(compute())
    answer = Answer(str(model.model), question.seeds, rows, sheet)
    scale = sheet.scale if sheet else 1
    written = FORMATS[name]
    body = await offload(lambda: written.write(answer), rows.numel() * scale**2)
    return Response(body, headers=headers, media_type=written.media_type)


def _choose_form(exchange: Exchange, form: Form, question: Question) -> tuple[str, Sheet | None]:
    data = exchange.model.manifest.data
    images = data.kind == "image"
    name = choose_format(form.format, exchange.request.headers.get("Accept"), images=images)
    if not images:
        return name, None
    columns = columns_for(question.num_rows, form.layout or question.layout, form.columns)
    sheet = Sheet(columns, form.scale)
    # The service refuses too many rows in its own words, so their drawing is not counted here.
    if name != "npy" and question.num_rows <= exchange.settings.max_rows:
        check_drawable(question.num_rows, data.shape, sheet, exchange.settings.max_pixels)
    return name, sheet


def _caching(exchange: Exchange, key: BaseModel | None, format_name: str) -> dict[str, str]:
    """The headers that say how long an answer keeps; without a seed it does not."""
    if key is None:
        return {"Cache-Control": "no-store"}
    # A version is never changed, so neither is what it answers; a bare name may mean a newer one.
    pinned = "@" in exchange.request.path_params.get("model", "")
    seconds = A_YEAR if pinned else exchange.settings.cache_seconds
    parts = {
        "checkpoint": exchange.model.manifest.file.sha256,
        "renderer": __version__,
        "format": format_name,
        type(key).__name__: key.model_dump(exclude={"format"}),
    }
    tag = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return {
        "ETag": f'"{tag}"',
        "Cache-Control": f"public, max-age={seconds}" + (", immutable" if pinned else ""),
    }


def _known_tags(request: Request) -> set[str]:
    """The entity tags that the client already has the answers of."""
    header = request.headers.get("If-None-Match", "")
    return {tag.strip().removeprefix("W/") for tag in header.split(",") if tag.strip()}


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def exchange_for(request: Request) -> Exchange:
    """The dependency of every latent endpoint; the path names the model, or the default one serves.

    Async, because FastAPI runs a plain function in a thread, which costs more than all of this.
    """
    state = request.app.state
    service: LatentService = state.service
    model = service.find(request.path_params.get("model"))
    return Exchange(request, service, state.settings, model)


Asked = Annotated[Exchange, Depends(exchange_for)]
