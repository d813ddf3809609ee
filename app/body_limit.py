"""Refuses bodies over the limit while they arrive, whatever length they claim: an ASGI layer.

FastAPI's own limit answers in plain text and cannot be told otherwise; everything else here answers
as a problem.
"""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Wraps the application; whoever reads a body that is too large gets HTTPException(413)."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        lengths = (value for name, value in scope["headers"] if name == b"content-length")
        claimed = next(lengths, b"")
        # What is claimed is refused before it is read.
        received = int(claimed) if claimed.isdigit() and int(claimed) > self._max_bytes else 0

        async def counted() -> Message:
            nonlocal received
            if received <= self._max_bytes:
                message = await receive()
                received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, counted, send)
