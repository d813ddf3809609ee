"""HTTP as it lies on the wire: a plain socket, and responses taken apart."""

import re
import socket
from typing import NamedTuple

import httpx


class Response(NamedTuple):
    """One response, taken apart."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection, and what has come over it so far."""

    def __init__(self, client: httpx.Client) -> None:
        host, port = client.base_url.host, client.base_url.port or 80
        self.socket = socket.create_connection((host, port), timeout=10)
        self._received = b""

    def send(self, *lines: str, body: bytes = b"") -> None:
        """A head of these lines, and a body."""
        head = "\r\n".join([lines[0], "Host: test", *lines[1:], "", ""])
        self.socket.sendall(head.encode("latin-1") + body)

    def response(self, *, to_head: bool = False) -> Response:
        """The next response; without a body where it answers a HEAD."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = head[0].split(" ", 2)
        pairs = [line.partition(": ") for line in head[1:-2]]
        headers = {name: value for name, _, value in pairs}
        assert len(headers) == len(pairs), head
        assert all(re.fullmatch("[a-z-]+", name) for name in headers), head
        if to_head or int(status) in (100, 204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        elif "content-length" in headers:
            body = self._take(int(headers["content-length"]))
        else:
            body = self.rest()
        return Response(version, int(status), headers, body)

    def rest(self) -> bytes:
        """All that comes until the service closes."""
        while more := self.socket.recv(65536):
            self._received += more
        return self._take(len(self._received))

    def closed(self) -> bool:
        """Whether the service closes at once and sends nothing more."""
        self.socket.settimeout(2)
        return not self._received and not self.socket.recv(1)

    def _chunk(self) -> bytes:
        chunk = self._take(int(self._until(b"\r\n"), 16))
        assert self._take(2) == b"\r\n"
        return chunk

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._more()
        return self._take(self._received.index(end) + len(end))

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._more()
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _more(self) -> None:
        more = self.socket.recv(65536)
        assert more, f"closed after {self._received!r}"
        self._received += more
