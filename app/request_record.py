"""Gives every request an id, and counts, times and logs its answer, whichever way it takes.

A plain ASGI layer, because a BaseHTTPMiddleware costs more than a small answer does; the lane, for
which even a plain one is much, writes its requests down itself.
"""

import re
import secrets
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.answer_headers import AnswerHeaders
from app.logs import log_request, logs_requests
from app.metrics import Metrics

# A new id is this process's prefix and a count: as unlikely to meet another as a random one, and
# read in the order of the requests.
PREFIX = secrets.token_hex(4).encode() + b"-%x"
COUNT = count(1)
# What an id from outside may be: it is written into logs and answers.
LEGAL = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of the request that `scope` belongs to."""
    identity: bytes = scope["state"]["request_id"]
    return identity.decode()


class RequestRecords:
    """Where requests are written down: their ids, their counts, their times, their lines."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # To look labels up costs more than to count: what was looked up is kept.
        self._of = lru_cache(1024)(self._look_up)

    def begin(self, scope: Scope) -> tuple[bytes, bytes]:
        """Give the request an id, which `request_id` reads; the header that tells its client."""
        identity = scope.setdefault("state", {})["request_id"] = _identity(scope)
        return b"x-request-id", identity

    def end(self, scope: Scope, status: int, seconds: float) -> None:
        """Note the answer."""
        method = scope["method"]
        path = scope["route"].path if "route" in scope else None
        named = "model" in scope.get("path_params", ())
        route, add, observe = self._of(method, path, named, status)
        add()
        observe(seconds)
        if logs_requests():
            model = scope["state"].get("model")
            log_request(method, route, status, seconds, request_id(scope), model)

    def _look_up(
        self,
        method: str,
        path: str | None,
        named: bool,  # noqa: FBT001 - names cost a cached call as much again
        status: int,
    ) -> "_Counters":
        route = _template(path, named=named)
        requests = self._metrics.requests.labels(method, route, status)
        return _Counters(route, requests.inc, self._metrics.request_seconds.labels(route).observe)


class _Counters(NamedTuple):
    route: str
    add: Callable[[], None]
    observe: Callable[[float], None]


class RequestRecord:
    """An ASGI layer that writes down every request that passes it.

    It adds the headers of every answer, too.
    """

    def __init__(self, app: ASGIApp, records: RequestRecords, headers: AnswerHeaders) -> None:
        self._app = app
        self._records = records
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, with an id in the scope's state and in the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = self._records.begin(scope)
        began = time.perf_counter()
        status, ended = 500, False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._records.end(scope, status, time.perf_counter() - began)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), header]
                self._headers.add_to_any(scope, headers)
                message["headers"] = headers
            elif not message.get("more_body", False):
                # Before it is sent: who reads it and then asks for the counts finds itself there.
                end()
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            end()


def _identity(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and LEGAL.fullmatch(value):
            return bytes(value)
    return PREFIX % next(COUNT)


def _template(path: str | None, *, named: bool) -> str:
    """The route's template, not the path: a label is to have few values."""
    if path is None:
        return "unknown"
    # An included router's routes do not know the prefix that they were included under.
    return f"/models/{{model}}{path}" if named else path
