"""The short way through the service for the endpoints that are asked most: an ASGI layer.

FastAPI's routing and its layers cost more than a small answer does. What the lane knows goes
straight to its route; everything else goes on to FastAPI.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from app.error_responses import response_to
from app.errors import ClientGone, LatentdError
from app.request_record import RequestRecords
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import RowAnswers

log = logging.getLogger("latentd")

# Where the server puts what it calls when a client leaves (app/http_protocol.py).
ON_DISCONNECT = "on_disconnect"
FORESEEN = (LatentdError, RequestValidationError)


class Lane:
    """Answers lean routes, at the root and under `/models/{model}`; passes the rest on."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[LeanRoute],
        records: RequestRecords,
        answers: RowAnswers,
        *,
        cors_origins: Sequence[str],
    ) -> None:
        """Where `cors_origins` may call, what other origins' pages ask is passed on to CORS."""
        self._app = app
        self._same_origin = bool(cors_origins)
        # What one origin may read is not what a cache may give to all.
        self._vary_by_origin = self._same_origin and "*" not in cors_origins
        self._answers = answers
        self._records = records
        self._routes = {
            (method, route.path): route for route in routes for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, if it is for the lane."""
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
        else:
            await self._answer(route, scope, receive, send)

    async def _answer(self, route: LeanRoute, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        header = self._records.begin(scope)
        gone = _watch_for_leaving(scope)
        reply = None
        try:
            reply = self._answers.again(scope) if scope["method"] == "GET" else None
            if reply is None:
                reply = await _reply(route, scope, receive, gone)
            reply.headers.append(header)
            if self._vary_by_origin:
                MutableHeaders(raw=reply.headers).add_vary_header("Origin")
            if reply.whole:
                # Before it is sent: who reads it and then asks for the counts finds itself there.
                self._records.end(scope, reply.status, time.perf_counter() - began)
            await reply.send(send)
        except FORESEEN as error:
            # The server closes what was begun and not completed, which tells the client.
            log.warning("%s %s: broken off: %s", scope["method"], scope["path"], error)
        except asyncio.CancelledError:
            if not gone:
                raise
        finally:
            if reply is None or not reply.whole:
                status = reply.status if reply else 500
                self._records.end(scope, status, time.perf_counter() - began)

    def _find(self, scope: Scope) -> LeanRoute | None:
        """The route of the request, noted in its scope as FastAPI notes it."""
        path, parameters = scope["path"], {}
        if path.startswith("/models/"):
            _, _, model, *rest = path.split("/", 3)
            path, parameters = "/" + "".join(rest), {"model": model}
        route = self._routes.get((scope["method"], path))
        if self._same_origin and any(name == b"origin" for name, _ in scope["headers"]):
            return None
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
    task: asyncio.Task[None] | None = scope["state"].get("task") or asyncio.current_task()
    assert task is not None

    def leave() -> None:
        gone.append(True)
        task.cancel()

    scope["state"][ON_DISCONNECT] = leave
    return gone


async def _reply(route: LeanRoute, scope: Scope, receive: Receive, gone: list[bool]) -> Reply:
    """The route's answer, or the problem that kept it from answering."""
    try:
        return await route.answer(scope, receive)
    except FORESEEN as error:
        return await _problem(scope, error)
    except asyncio.CancelledError:
        if not gone:
            raise
        # Nobody reads it; it is for the record.
        return await _problem(scope, ClientGone("the client has left"))
    except Exception as error:
        log.exception("%s %s", scope["method"], scope["path"])
        return await _problem(scope, error)


async def _problem(scope: Scope, error: Exception) -> Reply:
    response = await response_to(Request(scope), error)
    return Reply(response.status_code, response.raw_headers, (bytes(response.body),))
