"""One kept-alive HTTP/1.1 connection that has at most one request under way.

As cheap as Python allows, because the generator shares the machine with what it measures: requests
are bytes made beforehand, an answer is read by its status line and its length alone. It knows
nothing of time.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

BODILESS = (204, 304)


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    head: bytes  # the status line and the headers
    body: bytes
    closes: bool  # the server hangs up after it

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; of a repeated one the last."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in pairs if name}


class Connection(asyncio.Protocol):
    """Calls `answered` with every answer and `lost` once, when it is closed by whomever."""

    def __init__(
        self,
        answered: Callable[["Connection", Answer], None],
        lost: Callable[["Connection", str], None],
    ) -> None:
        self._answered = answered
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []  # of the answer under way
        self._size = 0  # of all parts
        self._needed = 0  # bytes that the answer under way has at least
        self.index = -1  # of the request under way, or of the last one
        self.since = 0.0  # the moment from which its latency counts
        self.busy = False

    def ask(self, index: int, request: bytes, since: float) -> None:
        """Send the request; the answer's latency counts from `since`."""
        assert self._transport is not None
        assert not self.busy
        self.index, self.since, self.busy = index, since, True
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._needed:
            return
        received = b"".join(self._parts)
        answer = self._answer(received)
        if answer is None:
            self._parts = [received]
            return
        self._parts, self._size, self._needed = [], 0, 0
        self.busy = False
        self._answered(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost(self, type(exc).__name__ if exc else "ClosedByServer")

    def _answer(self, received: bytes) -> Answer | None:
        """The answer, or None while a part of it is missing."""
        head_end = received.find(b"\r\n\r\n") + 4
        if head_end < 4:
            return None
        status = int(received[9:12])
        head = received[:head_end]
        lower = head.lower()
        closes = b"\r\nconnection: close\r\n" in lower
        if status in BODILESS:
            return Answer(status, head, b"", closes)
        length = _content_length(lower)
        if length is None:
            body = _dechunked(received, head_end)
            return None if body is None else Answer(status, head, body, closes)
        self._needed = head_end + length
        if len(received) < self._needed:
            return None
        return Answer(status, head, received[head_end:], closes)


def _content_length(lower: bytes) -> int | None:
    """By a head in lower case; None where the body comes in chunks."""
    start = lower.find(b"\r\ncontent-length:")
    if start >= 0:
        return int(lower[start + 17 : lower.index(b"\r\n", start + 17)])
    if b"\r\ntransfer-encoding: chunked\r\n" in lower:
        return None
    raise ValueError(f"an answer has neither Content-Length nor chunks: {lower!r}")


def _dechunked(received: bytes, at: int) -> bytes | None:
    """The chunks from `at` on, joined, or None while the last one is missing."""
    parts: list[bytes] = []
    while (line_end := received.find(b"\r\n", at)) >= 0:
        size = int(received[at:line_end].partition(b";")[0], 16)
        at = line_end + 2 + size + 2
        if len(received) < at:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(received[at - 2 - size : at - 2])
    return None
