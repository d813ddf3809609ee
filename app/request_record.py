"""Gives every request an id, and counts, times and logs its answer: one plain ASGI layer.

Plain, because a BaseHTTPMiddleware costs more than a small answer does.
"""

import re
import secrets
import time
from functools import lru_cache
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import log_request
from app.metrics import Metrics

HEADER = "X-Request-Id"
# A new id is this process's prefix and a count: as unlikely to meet another as a random one, and
# read in the order of the requests.
PREFIX = secrets.token_hex(4)
COUNT = count(1)
# What an id from outside may be: it is written into logs and answers.
LEGAL = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of the request that `scope` belongs to."""
    return str(scope["state"]["request_id"])


class RequestRecord:
    """Wraps the application. An id that a proxy gave is kept, else a new one is drawn."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        # To look labels up costs as much as to count: what was looked up is kept.
        self._requests = lru_cache(1024)(metrics.requests.labels)
        self._seconds = lru_cache(1024)(metrics.request_seconds.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, with an id in the scope's state and in the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = _identity(scope)
        scope.setdefault("state", {})["request_id"] = identity.decode()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", identity)]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            route = _template(scope)
            self._requests(scope["method"], route, status).inc()
            self._seconds(route).observe(seconds)
            log_request(
                scope["method"], route, status, seconds, identity.decode(), scope.get("model")
            )


def _identity(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and LEGAL.fullmatch(value):
            return bytes(value)
    return b"%s-%x" % (PREFIX.encode(), next(COUNT))


def _template(scope: Scope) -> str:
    """The route's template, not the path: a label is to have few values."""
    if "route" not in scope:
        return "unknown"
    # An included router's routes do not know the prefix that they were included under.
    prefix = "/models/{model}" if "model" in scope.get("path_params", {}) else ""
    return prefix + str(scope["route"].path)
