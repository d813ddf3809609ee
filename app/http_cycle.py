"""Whole responses in one write each, and many of them one after the other.

A short answer costs less to make than to write, and a write that wakes a sleeping client costs
twice as much as one to a client that is awake. So head and body are one write, where uvicorn's are
two, and the answers of a batch go out together, of which the first one wakes whoever reads. What is
offered is an ASGI extension, a message of its own for a response that is all there
(app/server_contract.py).

A body that does not come to its end is told like a client that leaves (`http.disconnect`), with the
reason in the scope's state. It can still be answered.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.http_limits import Flow
from app.server_contract import BODY_FAILED, OFFER, WHOLE_RESPONSE

HeaderList: TypeAlias = list[tuple[bytes, bytes]]
# Beyond, to copy the body behind the head takes longer than a second system call.
LARGEST = 65_536
NO_BODY = (204, 304)
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
                cycle.outgoing.total += len(whole)
                if not cycle.keep_alive:
                    cycle.part()
            go_on()


class WholeResponseCycle(RequestResponseCycle):
    """One request and its response, which may be given all at once."""

    unwritten = False  # given, and waiting in the outbox
    body_bytes = 0  # of the body, as far as it has come
    _until_close = False  # the body ends with the connection, as HTTP/1.0 has it

    def belong_to(self, outbox: Outbox, outgoing: Flow, part: Callable[[], None]) -> None:
        """Note whose it is; `part` closes the connection behind the last answer."""
        self.part = part
        self.outgoing = outgoing
        self._outbox = outbox
        self.scope["extensions"] = OFFER  # type: ignore[typeddict-item] # nobody writes to it

    def fail_body(self, reason: str) -> None:
        """Let the application know that the rest of the body does not come; close then."""
        self.scope["state"].setdefault(BODY_FAILED, reason)
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """The next part of the body, or that there is none to come."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self._over():
            # What lies behind a whole request is not read for that one's sake, as uvicorn would.
            if self.more_body:
                self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self._over():
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def _over(self) -> bool:
        """Whether nothing more comes from the client to this request."""
        return self.disconnected or self.response_complete or BODY_FAILED in self.scope["state"]

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Send what the application says."""
        kind = message["type"]
        if kind == WHOLE_RESPONSE:
            await self._send_whole(message["status"], message["headers"], message["body"])
            return
        if kind == "http.response.start" and self._lacks_length(message):
            # uvicorn would send chunks, which HTTP/1.0 does not know.
            self._until_close, self.chunked_encoding, self.keep_alive = True, False, False
        elif kind == "http.response.body" and self._until_close:
            await self._send_until_close(message)
            return
        await super().send(cast(ASGISendEvent, message))
        self.outgoing.total += len(message.get("body", b""))

    async def _send_whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        if not (self.response_started or self.flow.write_paused or self.disconnected):
            whole = self._whole(status, headers, body)
            if whole:
                self._write(whole)
                return
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def _lacks_length(self, start: MutableMapping[str, Any]) -> bool:
        if self.scope["http_version"] != "1.0" or self.scope["method"] == "HEAD":
            return False
        if start["status"] in NO_BODY:
            return False
        return all(name.lower() != b"content-length" for name, _ in start["headers"])

    async def _send_until_close(self, message: MutableMapping[str, Any]) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        body = message.get("body", b"")
        self.transport.write(body)
        self.outgoing.total += len(body)
        if not message.get("more_body", False):
            self.response_complete = True
            self.message_event.set()
            self.transport.close()
            self.on_response()

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
