"""Refuses bodies over the limit while they arrive, whatever length they claim.

FastAPI's own limit answers in plain text and cannot be told otherwise; everything else here answers
as a problem.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge


def limited(receive: Receive, headers: list[tuple[bytes, bytes]], max_bytes: int) -> Receive:
    """`receive`, which raises BodyTooLarge where a body is, or claims to be, over `max_bytes`."""
    claimed = next((value for name, value in headers if name == b"content-length"), b"")
    received = 0

    async def counted() -> Message:
        nonlocal received
        _check_claim(claimed, max_bytes)
        message = await receive()
        received += len(message.get("body", b""))
        check_length(received, max_bytes)
        return message

    return counted


async def read_body(receive: Receive, claimed: bytes, max_bytes: int) -> bytes:
    """The whole body, whose Content-Length header is `claimed`; raises BodyTooLarge."""
    _check_claim(claimed, max_bytes)
    parts: list[bytes] = []
    received = 0
    more = True
    while more:
        message = await receive()
        part = message.get("body", b"")
        received += len(part)
        check_length(received, max_bytes)
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_claim(claimed: bytes, max_bytes: int) -> None:
    """Refuse by its Content-Length what need not be read for that."""
    check_length(int(claimed) if claimed.isdigit() else 0, max_bytes)


def check_length(num_bytes: int, max_bytes: int) -> None:
    """Raise BodyTooLarge for a body of `num_bytes` where at most `max_bytes` are taken."""
    if num_bytes > max_bytes:
        raise BodyTooLarge(
            f"the body is larger than {max_bytes} bytes (LATENTD_MAX_BODY_BYTES): send less at "
            "a time"
        )


class BodyLimit:
    """An ASGI layer that limits every body below it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with a `receive` that counts."""
        if scope["type"] == "http":
            receive = limited(receive, scope["headers"], self._max_bytes)
        await self._app(scope, receive, send)
