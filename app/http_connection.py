"""A connection's waits, each of which ends: for a head, a body, a reader, the end of the service.

What is read and answered over it is another class's (app/http_protocol.py).
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app import http_refusals
from app.http_cycle import WholeResponseCycle
from app.http_limits import ConnectionLimits, Flow, Pace
from app.http_refusals import Refused
from app.http_watch import Watch
from app.in_flight import InFlight
from app.server_contract import CANCEL_ON_LEAVING, CLIENT_LEFT, LATE

# How long a connection without a request stays open when the service ends: one may be on its way.
LAST_CALL_SECONDS = 0.5
# A client that sends nothing, or takes nothing, for so long is not waited for then.
LAST_PACE = Pace(2.0, 1)
# For the rest of what was answered before its end; to close at once would lose the answer.
LAST_BYTES_SECONDS = 5.0


class PatientConnection(HttpToolsProtocol):
    """One connection, which is looked at now and then by the `watch`."""

    limits: ClassVar[ConnectionLimits]
    in_flight: ClassVar[InFlight]
    watch: ClassVar[Watch]

    idle_since: float | None = None
    _running: WholeResponseCycle | None = None
    _task: asyncio.Task[None]  # the one that runs it
    _since = 0.0  # when the wait for a head began, or the head
    _in_head = False
    _in_body = False
    _body_until = 0.0
    _last_call = False
    _deaf = False  # nothing more is taken from this client
    _parting: float | None = None  # until when a client may go on sending that has been answered
    _unwritten = 0  # bytes of an answer that the client does not take

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first head."""
        super().connection_made(transport)
        now = self._since = self.loop.time()
        self._arriving, self._leaving = Flow(now), Flow(now)
        if not self.watch.admit(self, self.client[0] if self.client else ""):
            self._deaf = True
            self.answer(http_refusals.too_many_connections(), b"retry-after: 1")
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application that nobody waits any more."""
        self.watch.forget(self)
        self._taken()
        cycles = {self._running, self.cycle, *(cycle for cycle, _ in self.pipeline)}
        self.in_flight.held -= sum(
            cycle.body_bytes
            for cycle in cycles
            if isinstance(cycle, WholeResponseCycle) and not cycle.response_complete
        )
        super().connection_lost(exc)
        if (running := self._running) is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
            state = running.scope["state"]
            if state.get(CANCEL_ON_LEAVING):
                state[CLIENT_LEFT] = True
                self._task.cancel()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._unwritten = self.transport.get_write_buffer_size()
        self.in_flight.held += self._unwritten

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._taken()

    def _taken(self) -> None:
        self.in_flight.held -= self._unwritten
        self._unwritten = 0

    def check(self, now: float) -> None:
        """End what has waited too long for the client; `now` is the event loop's time."""
        pace = LAST_PACE if self._last_call else self.limits.pace
        unsent = self.transport.get_write_buffer_size()
        sent = self._leaving.total - unsent
        if not unsent:
            self._leaving.restart(now, sent)
        elif self._leaving.stalled(now, pace, sent):
            self.transport.abort()
        if self.transport.is_closing():
            return
        if self._parting is not None:
            if now > self._parting:
                self.transport.close()
        elif self._in_body:
            self._check_body(now, pace)
        elif not self._answering():
            self._check_wait(now)

    def _check_body(self, now: float, pace: Pace) -> None:
        if self.flow.read_paused:
            # It is the application that is waited for.
            self._arriving.restart(now, self._arriving.total)
        elif now > self._body_until or self._arriving.stalled(now, pace, self._arriving.total):
            if self.cycle.response_complete:
                self.transport.close()
            else:
                assert isinstance(self.cycle, WholeResponseCycle)
                self.cycle.fail_body(LATE)

    def _check_wait(self, now: float) -> None:
        """Of a head, begun or not."""
        first = self._in_head or self._running is None
        patience = self.limits.head_seconds if first else self.limits.keep_alive_seconds
        if now - self._since <= (min(patience, LAST_PACE.seconds) if self._last_call else patience):
            return
        if self._in_head:
            self._refuse(http_refusals.head_too_late(self.limits.head_seconds))
        else:
            self.close_idle()

    def close_idle(self) -> None:
        """Close between two requests, whether or not the last answer was taken."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close once the request that is here, or on its way, is answered."""
        self._last_call = True
        if self._running is not None and self._running.unwritten:
            self._running.keep_alive = False
        elif self._answering():
            self.cycle.keep_alive = False
        elif not (self._in_head or self.transport.is_closing()):
            self.loop.call_later(LAST_CALL_SECONDS, self._last_look)

    def _last_look(self) -> None:
        if not (self._in_head or self._answering() or self.transport.is_closing()):
            self.close_idle()

    def _answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def part(self) -> None:
        """Close the connection, whose last answer is written.

        A client that still sends may do so for a while: to close at once would take the answer from
        it.
        """
        self._deaf = True
        if not (self._in_head or self._in_body):
            self.transport.close()
        elif not self.transport.is_closing():
            self._parting = self.loop.time() + LAST_BYTES_SECONDS
            self.transport.write_eof()
            self.flow.resume_reading()

    def answer(self, refused: Refused, *more: bytes) -> None:
        """Write a refusal, with `more` lines in its head."""
        self.transport.write(refused.answer(*more))
        self.watch.note_refusal(refused.status)

    def _refuse(self, refused: Refused) -> None:
        raise NotImplementedError
