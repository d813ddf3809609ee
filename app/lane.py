"""The short way through the service for the endpoints that are asked most: an ASGI layer.

FastAPI's routing and its layers cost more than a small answer does. What the lane knows goes
straight to its route; everything else goes on to FastAPI.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable
from typing import NamedTuple

from fastapi.exceptions import RequestValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.answer_headers import AnswerHeaders
from app.error_responses import log_name, tell, with_cause
from app.errors import ClientGone, LatentdError
from app.hosts import Hosts
from app.in_flight import InFlight
from app.methods import HEAD, Forms
from app.request_record import RequestRecords
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import RowAnswers
from app.server_contract import CANCEL_ON_LEAVING, CLIENT_LEFT

log = logging.getLogger("latentd")

FORESEEN = (LatentdError, RequestValidationError)


class Manners(NamedTuple):
    """What holds for every request: answers' headers, the forms of requests, who may ask."""

    headers: AnswerHeaders
    forms: Forms
    hosts: Hosts
    in_flight: InFlight


class Lane:
    """Answers lean routes, at the root and under `/models/{model}`; passes the rest on."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[LeanRoute],
        records: RequestRecords,
        answers: RowAnswers,
        manners: Manners,
    ) -> None:
        self._app = app
        self._headers, self._forms, self._hosts, self._in_flight = manners
        self._checks_hosts = bool(manners.hosts)
        self._answers = answers
        self._records = records
        self._routes = {
            (method, route.path): route for route in routes for method in route.methods or ()
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer the request, if it is for the lane."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        route = self._find(scope)
        if route is None:
            scope = self._forms.plain(scope)
            route = self._find(scope)
        if route is None:
            return self._app(self._forms.below_prefix(scope), receive, send)
        return self._answer(route, scope, receive, send)

    async def _answer(self, route: LeanRoute, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        header = self._records.begin(scope)
        # To wait for `http.disconnect` instead takes two tasks a request.
        scope["state"][CANCEL_ON_LEAVING] = True
        reply = None
        try:
            try:
                reply = await self._reply(route, scope, receive)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all of it is told
                reply = _problem(scope, error)
            reply.headers.append(header)
            self._headers.add(scope, reply.headers)
            if reply.whole:
                # Before it is sent: who reads it and then asks for the counts finds itself there.
                self._records.end(scope, reply.status, time.perf_counter() - began)
            await reply.send(scope, send)
        except FORESEEN as error:
            # The server closes what was begun and not completed, which tells the client.
            log.warning("%s: broken off: %s", log_name(scope), with_cause(error))
        except asyncio.CancelledError:
            if not scope["state"].get(CLIENT_LEFT):
                raise
        finally:
            if reply is None or not reply.whole:
                status = reply.status if reply else 500
                self._records.end(scope, status, time.perf_counter() - began)

    async def _reply(self, route: LeanRoute, scope: Scope, receive: Receive) -> Reply:
        if self._checks_hosts:
            self._hosts.check(scope)
        reply = self._answers.again(scope) if scope["method"] == "GET" else None
        if reply is None:
            self._in_flight.check()
            reply = await route.answer(scope, receive)
        return await reply.without_parts() if HEAD in scope else reply

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


def _problem(scope: Scope, error: BaseException) -> Reply:
    """What kept a route from answering, as an answer; raises it again if the server ends it all."""
    if isinstance(error, asyncio.CancelledError):
        if not scope["state"].get(CLIENT_LEFT):
            raise error
        # Nobody reads it; it is for the record.
        error = ClientGone("the client has left")
    elif not isinstance(error, FORESEEN):
        log.error("%s", log_name(scope), exc_info=error)
    assert isinstance(error, Exception)
    status, headers, body = tell(scope, error)
    return Reply(status, headers, (body,))
