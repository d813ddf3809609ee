"""What an endpoint answers, as the bytes that go out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from starlette.types import Send

from app.formats import Buffer
from app.service import ServedModel, Ticket

TIMING = b"queue;dur=%.2f, batch;dur=%.2f, device;dur=%.2f, render;dur=%.2f"

HeaderList = list[tuple[bytes, bytes]]


def headers_of(media_type: str, model: ServedModel) -> HeaderList:
    """What every answer of a model says of itself."""
    return [(b"content-type", media_type.encode()), (b"x-latentd-model", model.id.encode())]


def server_timing(ticket: Ticket, render_seconds: float) -> tuple[bytes, bytes]:
    """The header that says where the request's milliseconds went."""
    spent = (ticket.queue, ticket.batch, ticket.device, render_seconds)
    return b"server-timing", TIMING % tuple(1000 * seconds for seconds in spent)


def content_length(body: Sequence[Buffer]) -> tuple[bytes, bytes]:
    """The header of a body that is all there."""
    return b"content-length", b"%d" % sum(map(len, body))


class Reply(NamedTuple):
    """Status, headers and a body that is all there, or that comes in parts."""

    status: int
    headers: HeaderList
    body: Sequence[Buffer] | AsyncGenerator[Buffer, None]

    @property
    def whole(self) -> bool:
        """Whether the body is all there."""
        return not isinstance(self.body, AsyncGenerator)

    async def send(self, send: Send) -> None:
        """Write it out. A body in parts is asked for the next one once the last one is taken."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if isinstance(self.body, AsyncGenerator):
            async with aclosing(self.body) as parts:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        last = len(self.body) - 1
        for place, part in enumerate(self.body):
            await send({"type": "http.response.body", "body": part, "more_body": place < last})
        if last < 0:
            await send({"type": "http.response.body", "body": b""})
