"""uvicorn's HTTP protocol with bounds on what a client sends, and an end to every wait for it.

A head (request line and headers) that is too large or has too many headers is answered 431, one
that does not arrive in time 408, and the connection is closed; a connection that never sends
anything is closed alike. Of a body only its pace is looked at here, and what comes beside it in
chunks and trailers: its size is the application's to bound. An answer that its client does not take
is given up. Requests that are sent ahead are parsed a few at a time, while they are answered.

An upgrade of the protocol is not taken, so a request that offers one is a request like any other
(RFC 9110, section 7.8). llhttp stops behind the head of such a request and would take its body for
the next one: that head is parsed anew without the offer.

An application that sets CANCEL_ON_LEAVING has the task that runs it cancelled if the client leaves
before the answer is complete, which is cheaper than a task beside it that awaits `http.disconnect`.
While nothing more is read from the client (a body or a request sent ahead waits for the
application), its leaving shows only in writing to it.
"""

import asyncio
import sys
from typing import ClassVar
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app import http_refusals
from app.http_connection import LAST_BYTES_SECONDS, PatientConnection
from app.http_cycle import Outbox, WholeResponseCycle
from app.http_heads import MAX_HEADERS, asked_for, check_head, without_upgrade
from app.http_limits import ConnectionLimits
from app.http_refusals import Refused
from app.http_watch import Reports, Watch
from app.in_flight import InFlight
from app.server_contract import BROKEN

# So much is parsed at a time: it bounds how many requests sent ahead there are, not their bytes.
PIECE = 4096
# What may come in chunks beside a body, for each of its bytes: chunks of one byte are in order.
BESIDE_A_BYTE = 8


class BoundedHttpProtocol(PatientConnection):
    """One connection. Made through `bounded`, which gives it its limits."""

    outbox: ClassVar[Outbox]

    _method = b""
    _body_left = 0  # bytes that a Content-Length announces still
    _body_began = 0  # how many bytes of bodies had arrived before this one
    _beside = 0  # bytes that came with a body and are none of its
    _trailers = 0  # of this one
    _farewell: Refused | None = None  # what is answered behind the last answer
    _ahead = b""  # read, and not parsed yet
    _dropped = 0
    _goes_on = False  # whether the head that is being read began in an earlier read
    _read = 0  # bytes of the last read
    _unparsed = 0  # bytes of the reads that ended within the head, without its first read

    def data_received(self, data: bytes) -> None:
        """Parse, as far as what was parsed before has been answered."""
        if self._deaf:
            self._dropped += len(data)
            if self._dropped > self.limits.head_bytes:
                self.transport.close()
            return
        if self._running is not None and self._running.unwritten:
            # A request sent ahead: whatever comes of it comes behind the answer to the last one.
            self.outbox.flush()
        self._goes_on = self._in_head
        self._read = len(data)
        if self._ahead:
            self._ahead += data
            self.flow.pause_reading()
        elif len(data) <= PIECE:
            self._parse(data)
        else:
            self._parse_pieces(data)
        if self._goes_on and self._in_head and not self._deaf:
            self._unparsed += len(data)
            if self._unparsed > self.limits.head_bytes:
                self._refuse(http_refusals.head_too_large(self.limits.head_bytes, MAX_HEADERS))

    def _parse_pieces(self, data: bytes) -> None:
        place = 0
        while place < len(data) and not (self.pipeline or self._deaf):
            end = place + max(PIECE, self._body_left)
            self._parse(data[place:end])
            place = end
        self._ahead = data[place:]
        if self._ahead:
            self.flow.pause_reading()

    def _parse(self, data: bytes) -> None:
        """Have the parser call the methods below."""
        in_body, before = self._in_body, self._arriving.total
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            (place,) = upgrade.args
            head = without_upgrade(self._method, self.url, self.scope["http_version"], self.headers)
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self._parse(head)
            if not self._deaf:
                self._parse(data[place:])
        except httptools.HttpParserError as error:
            reason = error.__context__
            if self._trailers > MAX_HEADERS:
                self._break_off(http_refusals.unreadable())
            else:
                self._refuse(reason if isinstance(reason, Refused) else http_refusals.unreadable())
        else:
            if in_body and self._in_body:
                self._beside += len(data) - (self._arriving.total - before)
                body = self._arriving.total - self._body_began
                if self._beside > self.limits.head_bytes + BESIDE_A_BYTE * body:
                    self._break_off(http_refusals.unreadable())

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._since = self.loop.time()
        self.idle_since = None
        self._unparsed = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what stands behind a body, a trailer, nobody here reads."""
        if self._in_head:
            self.headers.append((name.lower(), value))
        else:
            self._trailers += 1
            if self._trailers > MAX_HEADERS:
                raise http_refusals.unreadable()

    def on_headers_complete(self) -> None:
        """The head is there; the application takes over."""
        method = self.parser.get_method()
        scope, version = self.scope, self.parser.get_http_version()
        scope["http_version"] = version
        if self.parser.should_upgrade():
            if method == b"CONNECT":
                raise http_refusals.no_tunnel()
            self._method = method
            return
        most = self.limits.head_bytes
        # The head can only be too large if it came in several reads or in a large one.
        few = not self._goes_on and self._read <= most
        found = check_head(self.url, self.headers, version, most, counted=few)
        self._in_head = False
        self._in_body = True
        self._body_left = int(found.get(b"content-length", 0))
        self._body_began = self._arriving.total
        if self._body_left or b"transfer-encoding" in found:
            self._arriving.restart(self._since, self._body_began)
        self._body_until = self._since + self.limits.body_seconds
        self._beside = self._trailers = 0
        url = httptools.parse_url(self.url)
        if url.host:
            self.headers[:] = asked_for(url.host, url.port, self.headers)
        path = url.path or b"/"
        scope["method"] = method.decode()
        scope["raw_path"] = path
        scope["path"] = unquote(path.decode()) if b"%" in path else path.decode()
        scope["query_string"] = url.query or b""
        self._begin(found.get(b"expect", b"").lower() == b"100-continue")

    def _begin(self, expect_100_continue: bool) -> None:  # noqa: FBT001
        """Hand the request to the application, or queue it behind those sent before it."""
        self.cycle = cycle = WholeResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expect_100_continue,
            keep_alive=self.scope["http_version"] != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.belong_to(self.outbox, self._leaving, self.part)
        if self._answering():
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # `self.cycle` is the last request that arrived; this is the one that is being answered.
        assert isinstance(cycle, WholeResponseCycle)
        self._running = cycle
        cycle.keep_alive = cycle.keep_alive and not (self._last_call and not self.pipeline)
        # As uvicorn does it, but the task is known.
        self._task = self.loop.create_task(cycle.run_asgi(app))
        self._task.add_done_callback(self.tasks.discard)
        self.tasks.add(self._task)

    def on_body(self, body: bytes) -> None:
        """A part of a body; what comes of it behind the answer is dropped."""
        num_bytes = len(body)
        self._arriving.total += num_bytes
        self._body_left -= num_bytes
        cycle = self.cycle
        if cycle.response_complete:
            return
        assert isinstance(cycle, WholeResponseCycle)
        cycle.body += body
        cycle.body_bytes += num_bytes
        self.in_flight.held += num_bytes
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is there, trailers and all."""
        if self._in_body:  # it is not where an upgrade was offered
            self._in_body = False
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request, be it here or not."""
        self.server_state.total_requests += 1
        running = self._running
        if running is not None and running.body_bytes:
            self.in_flight.held -= running.body_bytes
            running.body_bytes = 0
        if self.transport.is_closing() or self._parting is not None:
            return
        self._since = self.loop.time()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._ahead:
            self._parse_pieces(self._ahead)
        if not self._answering():
            self._rest()
        if not (self.pipeline or self._ahead):
            self.flow.resume_reading()

    def _rest(self) -> None:
        """Everything that came is answered."""
        if self._farewell is not None:
            self._refuse(self._farewell)
        elif self._in_body:
            self._body_until = min(self._body_until, self._since + LAST_BYTES_SECONDS)
        elif not self._in_head:
            self.idle_since = self._since

    def _break_off(self, refused: Refused) -> None:
        """Close at once under a client that floods, whatever is made for it."""
        self._deaf = True
        self._ahead = b""
        if self.cycle is self._running and not self.cycle.response_started:
            self.answer(refused)
        self.cycle.disconnected = True
        self.transport.close()

    def _refuse(self, refused: Refused) -> None:
        """Answer by itself and close, behind what the application answers still.

        Where it is a body that is at fault, its request is the application's to answer.
        """
        self._deaf = True
        self._ahead = b""
        self.flow.pause_reading()
        if self._in_body and not self.cycle.response_complete:
            assert isinstance(self.cycle, WholeResponseCycle)
            self.cycle.fail_body(BROKEN)
        elif self._answering():
            self._farewell = refused
        else:
            if not self._in_body:  # else it has been answered
                self.answer(refused)
            self.part()


def bounded(
    connection_limits: ConnectionLimits,
    account: InFlight | None = None,
    reports: Reports | None = None,
) -> type[BoundedHttpProtocol]:
    """The protocol within these limits, for all connections of a process.

    What is held for them is written into the `account`.
    """

    class Bounded(BoundedHttpProtocol):
        limits = connection_limits
        outbox = Outbox()
        in_flight = account or InFlight(sys.maxsize)
        watch = Watch(connection_limits, in_flight, reports)

    return Bounded
