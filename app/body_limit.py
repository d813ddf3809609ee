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
        # What is claimed is refused before it is read.
        check(int(claimed) if claimed.isdigit() else 0)
        message = await receive()
        received += len(message.get("body", b""))
        check(received)
        return message

    def check(num_bytes: int) -> None:
        if num_bytes > max_bytes:
            raise BodyTooLarge(
                f"the body is larger than {max_bytes} bytes (LATENTD_MAX_BODY_BYTES): send less at "
                "a time"
            )

    return counted


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
