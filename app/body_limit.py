"""Reads bodies: whole or not at all, within a limit, and unpacked where they come compressed.

FastAPI's own limit answers in plain text and cannot be told otherwise; everything else here answers
as a problem.
"""

from collections.abc import Callable
from typing import NoReturn

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.content_coding import Unpacker, coding_of
from app.errors import BadBody, BodyTooLarge, BodyTooSlow, ClientGone
from app.in_flight import InFlight
from app.server_contract import BODY_FAILED, LATE
from app.worker_threads import offload

# What a compressed byte is reckoned to come to, which decides where it is unpacked.
UNPACKED_BYTES = 64


class Bodies:
    """How bodies are read here: of at most `max_bytes`, while not too much else is in flight."""

    def __init__(self, max_bytes: int, in_flight: InFlight) -> None:
        self._max_bytes = max_bytes
        self._in_flight = in_flight

    async def read(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        """The whole body, unpacked; raises what `parts` raises."""
        if b"content-encoding" not in headers:
            self._check_claim(headers)
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                # All of it at once, as most come: nothing has to be kept from part to part.
                whole: bytes = message.get("body", b"")
                check_length(len(whole), self._max_bytes)
                self._in_flight.check()
                return whole
            receive = _beginning_with(message, receive)
        take = self.parts(scope, receive, headers)
        parts = []
        more = True
        while more:
            message = await take()
            parts.append(message["body"])
            more = message["more_body"]
        return b"".join(parts)

    def parts(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> Receive:
        """`receive` for the body as it is meant, within the limit.

        Raises BodyTooLarge, also by the length that is claimed alone; BodyTooSlow, BadBody or
        ClientGone where it does not come to its end, so that a part is never taken for the whole;
        Overloaded; UnsupportedCoding.
        """
        most = self._max_bytes
        unpacker: Unpacker | None = None
        received, begun, ended = 0, False, False

        async def take() -> Message:
            nonlocal received, begun, ended, unpacker
            if not begun:  # not before: of a body that nobody reads nothing is said
                self._check_claim(headers)
                if coding := coding_of(headers.get(b"content-encoding", b"")):
                    unpacker = Unpacker(coding, most)
                begun = True
            message = await receive()
            if message["type"] == "http.disconnect":
                if ended:  # who has read all of it may wait for this
                    return message
                _cut_off(scope)
            part, more = message.get("body", b""), message.get("more_body", False)
            received += len(part)
            check_length(received, most)
            self._in_flight.check()
            if unpacker is not None:
                part = await offload(_unpacking(unpacker, part, more), UNPACKED_BYTES * len(part))
            ended = not more
            return {"type": "http.request", "body": part, "more_body": more}

        return take

    def _check_claim(self, headers: dict[bytes, bytes]) -> None:
        """Refuse by its Content-Length what need not be read for that."""
        claimed = headers.get(b"content-length", b"")
        check_length(int(claimed) if claimed.isdigit() else 0, self._max_bytes)


def _beginning_with(first: Message, receive: Receive) -> Receive:
    """`receive` that gives a message again which was taken already."""
    given = [first]

    async def again() -> Message:
        return given.pop() if given else await receive()

    return again


def _unpacking(unpacker: Unpacker, part: bytes, more: bool) -> Callable[[], bytes]:  # noqa: FBT001
    return lambda: unpacker.unpack(part, last=not more)


def _cut_off(scope: Scope) -> NoReturn:
    """Say why a body has no end."""
    reason = scope.get("state", {}).get(BODY_FAILED)
    if reason is None:
        raise ClientGone("the client has left before its request was whole")
    if reason == LATE:
        raise BodyTooSlow(
            "the body came too slowly: all of it is to be here within LATENTD_BODY_TIMEOUT_S, and "
            "LATENTD_LEAST_BYTES_PER_S at any time; send it at once"
        )
    raise BadBody(
        "the body is no HTTP/1.1 body: its chunks are malformed, or hold less data than what "
        "stands beside it"
    )


def check_length(num_bytes: int, max_bytes: int) -> None:
    """Raise BodyTooLarge for a body of `num_bytes` where at most `max_bytes` are taken."""
    if num_bytes > max_bytes:
        raise BodyTooLarge(
            f"the body is larger than {max_bytes} bytes (LATENTD_MAX_BODY_BYTES): send less at "
            "a time"
        )


class BodyLimit:
    """An ASGI layer that reads every body below it so."""

    def __init__(self, app: ASGIApp, bodies: Bodies) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with a `receive` that counts and unpacks."""
        if scope["type"] == "http":
            receive = self._bodies.parts(scope, receive, dict(scope["headers"]))
        await self._app(scope, receive, send)
