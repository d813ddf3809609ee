"""Whole responses in one write each, and many of them one after the other.

A short answer costs less to make than to write, and a write that wakes a sleeping client costs
twice as much as one to a client that is awake. So head and body are one write, where uvicorn's are
two, and the answers of a batch go out together, of which the first one wakes whoever reads. What is
offered is an ASGI extension, a message of its own for a response that is all there:

    {"type": "latentd.response", "status": 200, "headers": […], "body": b"…"}
"""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

WHOLE = "latentd.response"
OFFER: dict[str, dict[object, object]] = {WHOLE: {}}
HeaderList: TypeAlias = list[tuple[bytes, bytes]]
# Beyond, to copy the body behind the head takes longer than a second system call.
LARGEST = 65_536
# Headers that uvicorn reads more out of than their bytes.
WITH_A_MEANING = (b"connection", b"transfer-encoding")


class Outbox:
    """The responses that wait to be written, which they are once all that is ready is done."""

    def __init__(self) -> None:
        self._waiting: list[tuple[WholeResponseCycle, bytes, Callable[[], None]]] = []

    def put(self, cycle: "WholeResponseCycle", whole: bytes) -> None:
        """Have `whole` written; `cycle` goes on then."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        # uvicorn forgets what to do next as soon as the application returns.
        self._waiting.append((cycle, whole, cycle.on_response))

    def flush(self) -> None:
        """Write all of them now."""
        waiting, self._waiting = self._waiting, []
        for cycle, whole, go_on in waiting:
            cycle.unwritten = False
            # A client may have left since; to write to it would keep the others from theirs.
            if not cycle.transport.is_closing():
                cycle.transport.write(whole)
                if not cycle.keep_alive:
                    cycle.transport.close()
            go_on()


class WholeResponseCycle(RequestResponseCycle):
    """One request and its response, which may be given all at once."""

    _outbox: Outbox
    unwritten = False  # given, and waiting in the outbox

    @classmethod
    def adopt(cls, cycle: RequestResponseCycle, outbox: Outbox) -> "WholeResponseCycle":
        """Make `cycle`, which has not begun, one of these; uvicorn has no hook for their class."""
        cycle.__class__ = cls
        assert isinstance(cycle, cls)
        cycle._outbox = outbox
        cycle.scope["extensions"] = OFFER
        return cycle

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Send what the application says."""
        if message["type"] != WHOLE:
            await super().send(cast(ASGISendEvent, message))
            return
        status, headers, body = message["status"], message["headers"], message["body"]
        if not (self.response_started or self.flow.write_paused or self.disconnected):
            whole = self._whole(status, headers, body)
            if whole:
                self._write(whole)
                return
        await super().send({"type": "http.response.start", "status": status, "headers": headers})
        await super().send({"type": "http.response.body", "body": body, "more_body": False})

    def _whole(self, status: int, headers: HeaderList, body: bytes) -> bytes | None:
        """The response as bytes, or None where it is not of the plain kind."""
        if self.scope["method"] == "HEAD" or len(body) > LARGEST:
            return None
        parts = [STATUS_LINE[status]]
        length = None
        for name, value in (*self.default_headers, *headers):
            if name == b"content-length":
                length = value
            elif name in WITH_A_MEANING:
                return None
            parts += (name, b": ", value, b"\r\n")
        if length != b"%d" % len(body) and status != 304:
            return None
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        num_lines = len(parts) // 4 + 1 + (not self.keep_alive)
        parts.append(b"\r\n")
        head = b"".join(parts)
        # A header that ends a line would begin another: uvicorn says what is wrong with it.
        if head.count(b"\n") != num_lines + 1 or head.count(b"\r") != num_lines + 1:
            return None
        return head + body

    def _write(self, whole: bytes) -> None:
        self.response_started = True
        self.response_complete = True
        self.waiting_for_100_continue = False
        self.unwritten = True
        self.message_event.set()
        self._outbox.put(self, whole)
