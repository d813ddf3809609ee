"""Every wait for a client ends, whatever it does not send or does not read."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.app.conversation import LATENT, LIVE, chunked, post, rest, statuses
from tests.app.processes import Service, service, until
from tests.factories import publish_kind

SECONDS = 0.8
ADDRESSES = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("slow") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


@pytest.fixture(scope="module")
def hasty(store: Path) -> Iterator[Service]:
    """A service that waits for nobody for long."""
    limits = {
        "keep_alive_s": SECONDS,
        "body_timeout_s": 4 * SECONDS,
        "stall_timeout_s": SECONDS,
        "least_bytes_per_s": 100,
        "max_bytes_in_flight": 1_000_000,
        "max_body_bytes": 700_000,
        "max_connections": 16,
        "max_connections_per_address": ADDRESSES,
    }
    with service(store, **limits) as running:
        yield running


def connect(running: Service) -> socket.socket:
    host, _, port = running.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def works(running: Service) -> None:
    """It answers right, over a new connection."""
    answer = httpx.post(running.url + "/decode?format=npy", content=LATENT, headers=JSON)
    assert answer.status_code == 200, answer.text


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "sent",
    [
        (post(LATENT)[0],),
        (post(LATENT)[0], b"{"),
        (chunked(), b"1\r\n{\r\n"),
        (chunked(), b"1\r\n{\r\n0\r\na: b"),
    ],
    ids=["nothing", "a byte", "a chunk", "a trailer"],
)
def test_a_body_that_stops_gets_408(hasty: Service, sent: tuple[bytes, ...]) -> None:
    with connect(hasty) as connection:
        for part in sent:
            connection.sendall(part)
        answer = rest(connection)
    assert statuses(answer) == [408]
    assert b"body-too-slow" in answer
    assert b"LATENTD_BODY_TIMEOUT_S" in answer
    works(hasty)


def dripped(connection: socket.socket, piece: bytes, pause: float) -> bytes:
    """The answer to a body that comes in pieces without end."""
    connection.settimeout(pause)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            connection.sendall(piece)
            received = connection.recv(65536)
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return b""
        connection.settimeout(20)
        return received + rest(connection)
    raise AssertionError("it was waited for without end")


def test_a_body_that_drips_gets_408(hasty: Service) -> None:
    with connect(hasty) as connection:
        connection.sendall(post(b" " * 100_000)[0])
        assert statuses(dripped(connection, b" ", 0.05)) == [408]


def test_a_body_that_keeps_its_pace_has_an_end_too(hasty: Service) -> None:
    with connect(hasty) as connection:
        connection.sendall(post(b" " * 600_000)[0])
        assert statuses(dripped(connection, b" " * 200, 0.05)) == [408]
    works(hasty)


def test_the_rest_of_a_body_that_was_answered_is_not_waited_for(hasty: Service) -> None:
    with connect(hasty) as connection:
        connection.sendall(post(b" " * 600_000, path=b"/models/none/decode")[0] + b" ")
        assert statuses(rest(connection)) == [404]


def test_an_answer_that_is_not_read_is_given_up(hasty: Service) -> None:
    asked = b"GET /sample?n=4096&seed=3&format=npy HTTP/1.1\r\nHost: test\r\n\r\n"
    with ExitStack() as stack:
        readers = []
        for _ in range(3):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stack.enter_context(connection)
            host, _, port = hasty.url.removeprefix("http://").rpartition(":")
            connection.connect((host, int(port)))
            connection.sendall(asked * 8)
            readers.append(connection)
        # What they do not take is held for them, and others are refused meanwhile, or not any more.
        body = httpx.get(hasty.url + "/sample?seed=1&format=npy")
        assert body.status_code in (200, 503)
        until(lambda: all(map(ended, readers)), lambda: "they are still served")
    works(hasty)


def ended(connection: socket.socket) -> bool:
    """Whether the service has ended a connection that is not read from."""
    try:
        connection.send(b"\r\n")
    except OSError:
        return True
    return False


def test_idle_connections_are_closed(hasty: Service) -> None:
    with connect(hasty) as connection:
        connection.sendall(LIVE.replace(b"Connection: close\r\n", b""))
        assert statuses(rest(connection)) == [200]


def test_bodies_beyond_what_may_be_in_flight_are_refused(hasty: Service) -> None:
    half = b" " * 400_000
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect(hasty)) for _ in range(3)]
        for connection in waiting:
            connection.sendall(post(half + b" ")[0] + half)
        answers = [rest(connection) for connection in waiting]
    assert sorted(statuses(answer)[0] for answer in answers) in ([408, 408, 503], [408, 503, 503])
    refused = next(answer for answer in answers if statuses(answer) == [503])
    assert b"LATENTD_MAX_BYTES_IN_FLIGHT" in refused
    assert b"retry-after: 1\r\n" in refused
    works(hasty)


def test_an_address_has_so_many_connections_and_no_more(hasty: Service) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(connect(hasty)) for _ in range(ADDRESSES)]
        for connection in held:
            connection.sendall(b"GET")
        time.sleep(0.1)
        with connect(hasty) as refused:
            answer = rest(refused)
    assert statuses(answer) == [503]
    assert b"LATENTD_MAX_CONNECTIONS_PER_ADDRESS" in answer
    works(hasty)


def test_idle_connections_make_room(store: Path) -> None:
    with service(store, max_connections=4, keep_alive_s=60) as running, ExitStack() as stack:
        idle = [stack.enter_context(connect(running)) for _ in range(4)]
        for connection in idle:
            connection.sendall(LIVE.replace(b"Connection: close\r\n", b""))
            assert b" 200 " in connection.recv(65536)
        works(running)
        idle[0].settimeout(20)
        assert rest(idle[0]) in (b"", b'{"status":"live"}')  # closed, long before a minute is over


STALLED = {
    "half a head": b"GET /sam",
    "half a body": post(LATENT)[0] + b"{",
    "half a trailer": chunked() + b"1\r\n{\r\n0\r\na: b",
    "an answer that is not read": b"GET /sample?n=4096&seed=3&format=npy HTTP/1.1\r\n"
    b"Host: test\r\n\r\n" * 20,
}


def test_clients_that_do_nothing_do_not_keep_the_service_from_its_end(store: Path) -> None:
    with service(store) as running, ExitStack() as stack:
        for sent in STALLED.values():
            stack.enter_context(connect(running)).sendall(sent)
        works(running)
        running.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert running.end() == 0, running.log
        # LATENTD_REQUEST_TIMEOUT_S and more is what an answer in progress would have.
        assert time.monotonic() - began < 15
        assert "Traceback" not in running.log
