"""The short way through the service for the endpoints that are asked most: an ASGI layer.

FastAPI's routing and its middlewares' exception handling cost more than a small answer does. What
the lane knows goes straight to its route; everything else goes on to FastAPI.
"""

import asyncio
import logging
from collections.abc import Iterable

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.error_responses import response_to
from app.errors import ClientGone, LatentdError
from app.routes.lean_route import LeanRoute

log = logging.getLogger("latentd")

# Where the server puts what it calls when a client leaves (app/http_protocol.py).
ON_DISCONNECT = "on_disconnect"
FORESEEN = (LatentdError, RequestValidationError, HTTPException)


class Lane:
    """Answers lean routes, at the root and under `/models/{model}`; passes the rest on."""

    def __init__(self, app: ASGIApp, routes: Iterable[LeanRoute]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route for route in routes for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, if it is for the lane."""
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        reply = None
        gone = _watch_for_leaving(scope)
        try:
            reply = await route.answer(scope, receive)
            await reply.send(send)
        except Exception as error:
            if reply is not None:
                # It has begun: only to break it off tells the client that it is not whole.
                raise
            if not isinstance(error, FORESEEN):
                log.exception("%s %s", scope["method"], scope["path"])
            response = await response_to(Request(scope), error)
            await response(scope, receive, send)
        except asyncio.CancelledError:
            if not gone:
                raise
            if reply is None:
                # Nobody reads it; it is sent for the record.
                response = await response_to(Request(scope), ClientGone("the client has left"))
                await response(scope, receive, send)

    def _find(self, scope: Scope) -> LeanRoute | None:
        """The route of the request, noted in its scope as FastAPI notes it."""
        path, parameters = scope["path"], {}
        if path.startswith("/models/"):
            _, _, model, *rest = path.split("/", 3)
            path, parameters = "/" + "".join(rest), {"model": model}
        route = self._routes.get((scope["method"], path))
        if route is not None:
            scope["route"] = route
            scope["path_params"] = parameters
        return route


def _watch_for_leaving(scope: Scope) -> list[bool]:
    """Have the request cancelled when its client leaves; holds an item from then on.

    A closed connection cancels nothing by itself. To wait for `http.disconnect` beside the work
    takes two tasks a request; a server that calls back takes none.
    """
    gone: list[bool] = []
    task = asyncio.current_task()
    assert task is not None

    def leave() -> None:
        gone.append(True)
        task.cancel()

    scope["state"][ON_DISCONNECT] = leave
    return gone
