"""Reads the body and answers as many bytes as the path says; /304 is a 304 without a body."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

Message = Mapping[str, Any]


@cache
def _answer(path: str) -> tuple[Message, Message]:
    if path == "/304":
        start = {"type": "http.response.start", "status": 304, "headers": []}
        return start, {"type": "http.response.body", "body": b""}
    body = bytes(int(path[1:]))
    headers = [(b"content-type", b"image/png"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """An ASGI application."""
    if scope["type"] == "http":
        while (await receive()).get("more_body", False):
            continue
        for message in _answer(scope["path"]):
            await send(message)
    elif scope["type"] == "lifespan":
        stage = ""
        while stage != "lifespan.shutdown":
            stage = (await receive())["type"]
            await send({"type": f"{stage}.complete"})
