"""What an endpoint answers, as the bytes that go out."""

import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

import numpy as np
from starlette.types import Scope, Send

from app.formats import Buffer
from app.formats.json import dump
from app.server_contract import WHOLE_RESPONSE
from app.service import ServedModel, Ticket
from app.worker_threads import offload

# A number of four bytes is some twelve as text, and that is put together from parts.
TEXT_COPIES = 8
TIMING = b"queue;dur=%.2f, batch;dur=%.2f, device;dur=%.2f, render;dur=%.2f"

# Bytes of what one answer's headers list. Clients and proxies read some kilobytes of a head, and
# 4,096 is the least that is usual.
LONGEST_LISTS = 2560

HeaderList = list[tuple[bytes, bytes]]


def headers_of(media_type: str, model: ServedModel) -> HeaderList:
    """What every answer of a model says of itself."""
    return [(b"content-type", media_type.encode()), (b"x-latentd-model", model.id.encode())]


def server_timing(ticket: Ticket, render_seconds: float) -> tuple[bytes, bytes]:
    """The header that says where the request's milliseconds went."""
    return b"server-timing", TIMING % (
        1000 * ticket.queue,
        1000 * ticket.batch,
        1000 * ticket.device,
        1000 * render_seconds,
    )


def content_length(body: Sequence[Buffer]) -> tuple[bytes, bytes]:
    """The header of a body that is all there."""
    return b"content-length", b"%d" % sum(map(len, body))


def dimensions_header(chosen: Iterable[int]) -> tuple[tuple[bytes, bytes], ...]:
    """The header that says which dimensions of the latent an answer goes along, if it can."""
    listed = ", ".join(map(str, chosen)).encode()
    return ((b"x-latentd-dimensions", listed),) if len(listed) <= LONGEST_LISTS else ()


async def json_reply(
    model: ServedModel,
    ticket: Ticket,
    facts: Mapping[str, object],
    more: Iterable[tuple[bytes, bytes]] = (),
) -> "Reply":
    """`facts` as JSON, in which arrays are nested lists, with `more` headers.

    What has many numbers is written in a thread.
    """
    began = time.perf_counter()
    num_bytes = sum(fact.nbytes for fact in facts.values() if isinstance(fact, np.ndarray))
    ticket.reserve(num_bytes * TEXT_COPIES)
    body = (await offload(partial(dump, facts), 2 * num_bytes, ticket),)
    headers = [*headers_of("application/json", model), *more]
    headers += (server_timing(ticket, time.perf_counter() - began), content_length(body))
    return Reply(200, headers, body)


class Reply(NamedTuple):
    """Status, headers and a body that is all there, or that comes in parts."""

    status: int
    headers: HeaderList
    body: Sequence[Buffer] | AsyncGenerator[Buffer, None]

    @property
    def whole(self) -> bool:
        """Whether the body is all there."""
        return not isinstance(self.body, AsyncGenerator)

    async def without_parts(self) -> "Reply":
        """The same without a body that comes in parts, for whom its headers are enough."""
        if not isinstance(self.body, AsyncGenerator):
            return self
        await self.body.aclose()
        return self._replace(body=())

    async def send(self, scope: Scope, send: Send) -> None:
        """Write it out. A body in parts is asked for the next one once the last one is taken."""
        status, headers = self.status, self.headers
        if isinstance(self.body, AsyncGenerator):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            async with aclosing(self.body) as parts:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        *parts_before, last = self.body or (b"",)
        if not parts_before and WHOLE_RESPONSE in scope.get("extensions", ()):
            await send({"type": WHOLE_RESPONSE, "status": status, "headers": headers, "body": last})
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts_before:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": last})
