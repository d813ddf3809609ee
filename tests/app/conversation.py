"""Plain sockets to a service, for what no library sends."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

JSON = b"Content-Type: application/json\r\n"
LATENT = b'{"latents": [[1, 2, 3, 4, 5]]}'
LIVE = b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    """A connection to the service of `client`."""
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the service closes."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except ConnectionResetError:  # closed while more of ours was on its way
        pass
    return received


def told(client: httpx.Client, *parts: bytes, pause: float = 0.05) -> bytes:
    """What comes back to `parts`, each in a segment of its own, until the service closes."""
    with connected(client) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return rest(connection)


def statuses(received: bytes) -> list[int]:
    """The statuses of the responses in what came back."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def post(body: bytes, *headers: bytes, path: bytes = b"/decode?format=npy") -> tuple[bytes, bytes]:
    """The head and the body of a request with JSON."""
    lines = [b"POST %s HTTP/1.1" % path, b"Host: test", b"Content-Type: application/json"]
    lines += [*headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", b""]), body


def chunked(*headers: bytes) -> bytes:
    """The head of a request whose JSON comes in chunks."""
    lines = [b"POST /decode?format=npy HTTP/1.1", b"Host: test", b"Content-Type: application/json"]
    return b"\r\n".join([*lines, *headers, b"Transfer-Encoding: chunked", b"", b""])
