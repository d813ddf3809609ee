"""A response's head and body in one write: half the system calls of uvicorn's two.

A short answer costs less to make than to write, so this is a quarter of it. Only responses that are
all there take the short way; every other is uvicorn's own to send.
"""

from uvicorn._types import ASGISendEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# Beyond, to copy the body behind the head takes longer than a second system call.
LARGEST = 65_536
# Headers that uvicorn reads more out of than their bytes.
WITH_A_MEANING = (b"connection", b"transfer-encoding")


class WholeResponseCycle(RequestResponseCycle):
    """One request and its response, which waits with its head until there is a body."""

    _head: HTTPResponseStartEvent | None = None

    @classmethod
    def adopt(cls, cycle: RequestResponseCycle) -> None:
        """Make `cycle`, which has not begun, one of these; uvicorn has no hook for their class."""
        cycle.__class__ = cls

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application says."""
        if message["type"] == "http.response.start" and not self.response_started:
            # ASGI: nothing is to be sent before the first part of the body is there.
            self._head = message
            return
        head, self._head = self._head, None
        if head is not None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                whole = self._whole(head, message.get("body", b""))
                if whole and not self.flow.write_paused and not self.disconnected:
                    self._write(whole)
                    return
            await super().send(head)
        await super().send(message)

    def _whole(self, head: HTTPResponseStartEvent, body: bytes) -> bytes | None:
        """The response as bytes, or None where it is not of the plain kind."""
        status = head["status"]
        bodiless = not body and status not in (204, 304)
        if self.scope["method"] == "HEAD" or bodiless or len(body) > LARGEST:
            return None
        parts = [STATUS_LINE[status]]
        length = b""
        for name, value in (*self.default_headers, *head["headers"]):
            if name == b"content-length":
                length = value
            elif name in WITH_A_MEANING:
                return None
            parts += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        num_lines = len(parts) // 4 + 1 + (not self.keep_alive)
        parts.append(b"\r\n")
        lines = b"".join(parts)
        # A header that ends a line would begin another: uvicorn says what is wrong with it.
        if lines.count(b"\n") != num_lines + 1 or lines.count(b"\r") != num_lines + 1:
            return None
        if body and length != b"%d" % len(body):
            return None
        return lines + body

    def _write(self, whole: bytes) -> None:
        self.response_started = True
        self.response_complete = True
        self.waiting_for_100_continue = False
        self.message_event.set()
        self.transport.write(whole)
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
