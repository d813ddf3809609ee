"""What the service makes of connections that do not behave, over plain sockets."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.app.processes import Service, process, service
from tests.factories import publish_kind
from tests.serving import environment

MAX_BYTES = 2048
SECONDS = 0.6

# A bare application, to see what the protocol tells it: it answers at once, or to /slow never.
# Those who ask for /lost and /kept are answered in one turn, in which /lost loses its connection.
LISTENS_FOR_DISCONNECT = """
import asyncio, sys, uvicorn
from app.server_contract import CANCEL_ON_LEAVING, CLIENT_LEFT, WHOLE_RESPONSE
from app.http_limits import ConnectionLimits
from app.http_protocol import bounded

pair = asyncio.Barrier(2)

async def app(scope, receive, send):
    path = scope["path"]
    scope["state"][CANCEL_ON_LEAVING] = True
    if path == "/slow":
        print("asked", path, file=sys.stderr, flush=True)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            assert scope["state"][CLIENT_LEFT]
            print("left", path, file=sys.stderr, flush=True)
            return
    if path in ("/lost", "/kept"):
        await pair.wait()
        headers = [(b"content-length", b"4")]
        if path == "/lost":
            send.__self__.transport.abort()
        await send({"type": WHOLE_RESPONSE, "status": 200, "headers": headers, "body": b"here"})
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

config = uvicorn.Config(app, port=0, http=bounded(ConnectionLimits(2048, 60.0)), lifespan="off")
uvicorn.Server(config).run()
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("bounded") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    with service(store, max_header_bytes=MAX_BYTES, header_timeout_s=SECONDS) as running:
        yield running


def connection(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def until_closed(client: socket.socket) -> bytes:
    """All that the service sends before it closes the connection."""
    received = b""
    try:
        while more := client.recv(65536):
            received += more
    except ConnectionResetError:  # closed while more of ours was on its way
        pass
    return received


def ask(running: Service, sent: bytes) -> bytes:
    with connection(running.url) as client:
        client.sendall(sent)
        return until_closed(client)


def head(*headers: str) -> bytes:
    return "\r\n".join(["GET /health/live HTTP/1.1", "Host: test", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    "sent",
    [
        head("X-Long: " + "x" * MAX_BYTES),
        head(*(f"X-{number}: 1" for number in range(101))),
        head().replace(b"live", b"live?" + b"x" * MAX_BYTES),
    ],
    ids=["one long header", "many headers", "a long target"],
)
def test_a_head_that_is_too_large_gets_431(running: Service, sent: bytes) -> None:
    answer = ask(running, sent)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"application/problem+json" in answer
    assert b"LATENTD_MAX_HEADER_BYTES" in answer


def test_a_header_without_an_end_is_cut_off(running: Service) -> None:
    sent = 0
    with connection(running.url) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Endless: ")
        try:
            while sent < 1_000_000:
                sent += client.send(b"x" * 1024)
                time.sleep(0.001)
        except (BrokenPipeError, ConnectionResetError):
            return
    raise AssertionError(f"{sent} bytes of one header were taken")


def test_the_largest_head_and_any_body_are_taken(running: Service) -> None:
    assert b" 200 " in ask(running, head("X-Long: " + "x" * (MAX_BYTES - 200), "Connection: close"))
    body = b'{"latents": [[0.10000000, 0, 0, 0, 0]' + b", [1, 1, 1, 1, 1]" * 400 + b"]}"
    assert len(body) > 2 * MAX_BYTES
    request = (
        b"POST /decode?format=npy HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    assert b" 200 " in ask(running, request)


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /sam", head()[:-2]])
def test_a_head_that_does_not_arrive_in_time_is_given_up(running: Service, sent: bytes) -> None:
    began = time.monotonic()
    answer = ask(running, sent)
    assert SECONDS - 0.05 < time.monotonic() - began < SECONDS + 2
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n") if len(sent) > 2 else not answer


def test_dripping_bytes_do_not_extend_the_time(running: Service) -> None:
    began = time.monotonic()
    with connection(running.url) as client:
        client.sendall(head("Connection: keep-alive"))
        assert b" 200 " in client.recv(65536)  # the second head of a connection, too
        client.settimeout(0.1)
        closed = False
        while not closed:
            try:
                client.sendall(b"G" if time.monotonic() < began + 0.1 else b"")
                closed = not client.recv(65536)
            except TimeoutError:
                assert time.monotonic() < began + SECONDS + 3
            except ConnectionResetError:  # closed while one more byte was on its way
                closed = True
    assert time.monotonic() - began < SECONDS + 2


def test_a_body_may_take_longer_than_a_head(running: Service) -> None:
    with connection(running.url) as client:
        client.sendall(
            b"POST /sample HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: 8\r\n\r\n"
        )
        time.sleep(SECONDS + 0.3)
        client.sendall(b'{"n": 1}')
        assert b" 200 " in until_closed(client)


@pytest.fixture(scope="module")
def listening() -> Iterator[Service]:
    with process(["-c", LISTENS_FOR_DISCONNECT], environment()) as running:
        yield running


def test_the_application_is_told_of_a_client_that_leaves(listening: Service) -> None:
    url = listening.said(r"running on (http://\S+)")[1]
    with connection(url) as client:
        client.sendall(b"GET /fast HTTP/1.1\r\nHost: test\r\n\r\n")
        assert b" 204 " in client.recv(65536)
    with connection(url) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        listening.said("asked /slow")
        assert "left" not in listening.log
    listening.said("left /slow")
    assert "left /fast" not in listening.log


@pytest.mark.parametrize("first", ["/lost", "/kept"])
def test_a_client_that_leaves_keeps_nobody_from_an_answer(listening: Service, first: str) -> None:
    url = listening.said(r"running on (http://\S+)")[1]
    paths = ["/lost", "/kept"] if first == "/lost" else ["/kept", "/lost"]
    with connection(url) as one, connection(url) as other:
        clients = dict(zip(paths, (one, other), strict=True))
        for path, client in clients.items():
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        assert clients["/kept"].recv(65536).endswith(b"here")
        assert not until_closed(clients["/lost"])
    assert "Exception" not in listening.log
