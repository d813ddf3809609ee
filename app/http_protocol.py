"""uvicorn's HTTP protocol, with bounds on a request's head, and word of clients that leave.

A head (request line and headers) that is too large or has too many headers is answered 431, one
that does not arrive in time 408, and the connection is closed; a connection that never sends
anything is closed alike. Bodies are the application's to bound.

An application that sets `scope["state"]["cancel_on_leaving"]` has the task that runs it cancelled
if the client leaves before the answer is complete; `scope["state"]["client_left"]` tells that from
other cancellations. This is cheaper than a task that awaits `http.disconnect` beside each request.
While nothing more is read from the client (a body or a request sent ahead waits for the
application), its leaving shows only in writing to it.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar

import orjson
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.http_cycle import Outbox, WholeResponseCycle

MAX_HEADERS = 100
# How long a connection without a request stays open when the service ends: one may be on its way.
LAST_CALL_SECONDS = 0.5


class HeadTooLarge(Exception):
    """Raised into the parser, to stop it."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. Made through `bounded`, which gives it its limits."""

    max_head_bytes: ClassVar[int]
    head_seconds: ClassVar[float]
    outbox: ClassVar[Outbox]

    _running: WholeResponseCycle | None = None
    _task: asyncio.Task[None]  # the one that runs it
    _in_head = False
    _too_large = False
    _last_call = False
    _goes_on = False  # whether the head that is being read began in an earlier read
    _read = 0  # bytes of the last read
    _unparsed = 0  # bytes of the reads that ended within the head, without its first read
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application that nobody waits any more."""
        self._head_arrived()
        super().connection_lost(exc)
        if (cycle := self._running) is not None and not cycle.response_complete:
            state = cycle.scope["state"]
            if state.get("cancel_on_leaving"):
                state["client_left"] = True
                self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse, and see to it that an unfinished head is neither too large nor too late."""
        if self._running is not None and self._running.unwritten:
            # A request sent ahead: whatever comes of it comes behind the answer to the last one.
            self.outbox.flush()
        self._goes_on = self._in_head
        self._read = len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._goes_on and self._in_head:
            self._unparsed += len(data)
            if self._unparsed > self.max_head_bytes:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._deadline is None and not self._answering():
            self._expect_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._unparsed = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there; the application takes over."""
        self._check_head()
        self._in_head = False
        self._head_arrived()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The answer to what the parser refused, for reasons of its own or of `HeadTooLarge`."""
        if self._too_large:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def shutdown(self) -> None:
        """Close once the request that is here, or on its way, is answered."""
        self._last_call = True
        if self._running is not None and self._running.unwritten:
            self._running.keep_alive = False
        elif self._answering() or self.transport.is_closing():
            super().shutdown()
        elif not self._in_head:
            self._head_arrived()
            self._expect_head(LAST_CALL_SECONDS)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # `self.cycle` is the last request that arrived; this is the one that is being answered.
        self._running = WholeResponseCycle.adopt(cycle, self.outbox)
        cycle.keep_alive = cycle.keep_alive and not self._last_call
        # As uvicorn does it, but the task is known.
        self._task = self.loop.create_task(cycle.run_asgi(app))
        self._task.add_done_callback(self.tasks.discard)
        self.tasks.add(self._task)

    def _check_head(self) -> None:
        """Stop the parser where the head, which is all there, is too large.

        It can only be if it came in several reads or in a large one: few are counted.
        """
        size = 0
        if self._goes_on or self._read > self.max_head_bytes:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self._too_large = size > self.max_head_bytes or len(self.headers) > MAX_HEADERS
        if self._too_large:
            raise HeadTooLarge

    def _answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _expect_head(self, seconds: float | None = None) -> None:
        self._deadline = self.loop.call_later(seconds or self.head_seconds, self._head_is_late)

    def _head_arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with a problem (RFC 9457) and close; the application never knew of the request."""
        detail = {
            HTTPStatus.REQUEST_TIMEOUT: f"the request's head took longer than {self.head_seconds:g}"
            " s (LATENTD_HEADER_TIMEOUT_S); send it at once",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"the request's head has more than "
            f"{self.max_head_bytes} bytes (LATENTD_MAX_HEADER_BYTES) or {MAX_HEADERS} headers; "
            "send data in the body",
        }[status]
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        body = orjson.dumps(problem | {"detail": detail})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded(max_bytes: int, seconds: float) -> type[BoundedHttpProtocol]:
    """The protocol for heads of at most `max_bytes` that arrive within `seconds`."""

    class Bounded(BoundedHttpProtocol):
        max_head_bytes = max_bytes
        head_seconds = seconds
        outbox = Outbox()

    return Bounded
