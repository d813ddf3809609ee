"""Answers as they lie on the wire: plain sockets, a real process, every way to end or go on."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import numpy as np
import pytest

from app.formats import npy
from tests.app.wire import Response, Wire

GET = "GET /sample?seed=11&format={} HTTP/1.1"
# One that comes in a single part, and one whose head and rows are parts of their own.
FORMS = ["png", "npy", "json"]


@pytest.fixture
def wire(client: httpx.Client) -> Iterator[Wire]:
    wire = Wire(client)
    with wire.socket:
        yield wire


@pytest.fixture(scope="module")
def expected(client: httpx.Client) -> dict[str, bytes]:
    """The right bytes, by form."""
    return {form: client.get(f"/sample?seed=11&format={form}").content for form in FORMS}


def test_a_small_answer_arrives_in_one_piece(wire: Wire, expected: dict[str, bytes]) -> None:
    for _ in range(20):
        wire.send(GET.format("png"))
        received = wire.socket.recv(65536)
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert received.endswith(b"\r\n\r\n" + expected["png"])


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_answers_one_request_after_the_other(
    wire: Wire, expected: dict[str, bytes], form: str
) -> None:
    for _ in range(3):
        wire.send(GET.format(form))
        answer = wire.response()
        assert answer.status == 200
        assert answer.body == expected[form]
        assert "connection" not in answer.headers
        wire.send("GET /sample?n=0 HTTP/1.1")
        assert wire.response().status == 422
        wire.send("GET /health/live HTTP/1.1")
        assert wire.response().body == b'{"status":"live"}'


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_is_closed_where_the_client_wants_it(
    wire: Wire, expected: dict[str, bytes], form: str
) -> None:
    wire.send(GET.format(form), "Connection: close")
    answer = wire.response()
    assert answer.body == expected[form]
    assert answer.headers["connection"] == "close"
    assert wire.closed()


@pytest.mark.parametrize("target", ["/sample?n=0", "/sample?seed=11", "/nothing", "/health/live"])
def test_every_kind_of_answer_closes_alike(wire: Wire, target: str) -> None:
    wire.send(f"GET {target} HTTP/1.1", "Connection: close")
    answer = wire.response()
    assert answer.headers["connection"] == "close"
    assert len(answer.body) == int(answer.headers["content-length"])
    assert wire.closed()


@pytest.mark.parametrize("form", FORMS)
def test_a_client_of_http_1_0_gets_the_same_and_the_end(
    wire: Wire, expected: dict[str, bytes], form: str
) -> None:
    wire.send(GET.format(form).replace("1.1", "1.0"))
    answer = wire.response()
    assert answer.body == expected[form]
    assert "transfer-encoding" not in answer.headers
    assert wire.closed()


def test_requests_sent_ahead_are_answered_in_their_order(
    wire: Wire, expected: dict[str, bytes]
) -> None:
    decode = b'{"latents": [[1, 2, 3, 4, 5]]}'
    heads = [GET.format(form) for form in FORMS] * 3
    for head in heads:
        wire.send(head)
        wire.send("GET /sample?scale=0 HTTP/1.1")
        wire.send(
            "POST /decode?format=npy HTTP/1.1",
            "Content-Type: application/json",
            f"Content-Length: {len(decode)}",
            body=decode,
        )
    for form in FORMS * 3:
        assert wire.response().body == expected[form]
        assert wire.response().status == 422
        assert npy.read(wire.response().body).shape == (1, 1, 8, 8)
    wire.send(GET.format("png"), "Connection: close")
    assert wire.response().body == expected["png"]
    assert wire.closed()


def test_nothing_follows_an_answer_that_closes(wire: Wire, expected: dict[str, bytes]) -> None:
    wire.send(GET.format("png"), "Connection: close")
    wire.send(GET.format("json"))
    assert wire.response().body == expected["png"]
    with suppress(ConnectionResetError):  # the second request lay unread
        assert wire.closed()


@pytest.mark.parametrize("target", ["/sample?seed=11", "/health/live", "/nothing"])
def test_an_answer_to_head_has_no_body(wire: Wire, target: str) -> None:
    for _ in range(3):
        wire.send(f"HEAD {target} HTTP/1.1")
        answer = wire.response(to_head=True)
        assert answer.status in (200, 404, 405)
    wire.send(GET.format("png"))
    assert wire.response().status == 200


@pytest.mark.parametrize("method", ["If-None-Match: {}", 'If-None-Match: W/{}, "x"'])
def test_what_is_not_modified_has_no_body(wire: Wire, method: str) -> None:
    wire.send(GET.format("npy"))
    tag = wire.response().headers["etag"]
    for _ in range(3):
        wire.send(GET.format("npy"), method.format(tag))
        answer = wire.response()
        assert answer.status == 304
        assert answer.headers["etag"] == tag
        assert "transfer-encoding" not in answer.headers
    wire.send(GET.format("npy"), method.format(tag), "Connection: close")
    assert wire.response().status == 304
    assert wire.closed()


POST = ("POST /decode?format=npy HTTP/1.1", "Content-Type: application/json")
LATENT = b'{"latents": [[1, 2, 3, 4, 5]]}'


def test_who_asks_before_sending_a_body_is_told_to_go_on(wire: Wire) -> None:
    wire.send(*POST, f"Content-Length: {len(LATENT)}", "Expect: 100-continue")
    assert wire.response() == Response("HTTP/1.1", 100, {}, b"")
    wire.socket.sendall(LATENT)
    assert npy.read(wire.response().body).shape == (1, 1, 8, 8)
    # Whoever does not wait for it gets both, in this order.
    wire.send(*POST, f"Content-Length: {len(LATENT)}", "Expect: 100-continue", body=LATENT)
    answers = [wire.response()]
    if answers[0].status == 100:
        answers.append(wire.response())
    assert npy.read(answers[-1].body).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("target", ["/decode?scale=0", "/models/none/decode", "/decode?format=x"])
def test_a_refusal_needs_no_body(wire: Wire, target: str) -> None:
    wire.send(f"POST {target} HTTP/1.1", "Content-Length: 9", "Expect: 100-continue")
    answer = wire.response()
    if answer.status == 100:
        wire.socket.sendall(b"123456789")
        answer = wire.response()
    assert 400 <= answer.status < 500
    assert b"urn:latentd:problem" in answer.body


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_may_come_in_chunks(wire: Wire, size: int) -> None:
    for _ in range(2):
        wire.send(*POST, "Transfer-Encoding: chunked")
        for start in range(0, len(LATENT), size):
            part = LATENT[start : start + size]
            wire.socket.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        wire.socket.sendall(b"0\r\n\r\n")
        assert npy.read(wire.response().body).shape == (1, 1, 8, 8)


def test_bytes_that_drip_in_are_one_request(wire: Wire, expected: dict[str, bytes]) -> None:
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in (GET.format("png") + "\r\nHost: test\r\n\r\n").encode():
        wire.socket.sendall(bytes([byte]))
        time.sleep(0.001)
    assert wire.response().body == expected["png"]


def test_large_answers_come_whole_to_a_slow_reader(wire: Wire, client: httpx.Client) -> None:
    target = "/sample?n=4096&seed=3&format=npy"
    whole = client.get(target).content
    for _ in range(3):
        wire.send(f"GET {target} HTTP/1.1")
    time.sleep(0.3)
    for _ in range(3):
        answer = wire.response()
        assert int(answer.headers["content-length"]) == len(whole)
        assert np.array_equal(npy.read(answer.body), npy.read(whole))


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /sample?seed=1%0d%0aX-Evil:%201 HTTP/1.1",
        "GET /sample?format=png%0d%0aX-Evil:%201 HTTP/1.1",
        "GET /interpolate?seed=1&seed=2%0aX-Evil:%201 HTTP/1.1",
        "GET /interpolate?seed=1&seed=2&method=%0d%0aX-Evil:%201 HTTP/1.1",
        "GET /models/grey%0d%0aX-Evil:%201/sample HTTP/1.1",
        "GET /models/grey@1%0d%0aX-Evil:%201/sample?seed=1 HTTP/1.1",
        "GET /sample/%0d%0aX-Evil:%201/ HTTP/1.1",
        "GET /health/live%0d%0aX-Evil:%201/ HTTP/1.1",
    ],
)
def test_a_target_puts_no_header_into_the_answer(wire: Wire, request_line: str) -> None:
    wire.send(request_line)
    answer = wire.response()
    assert 300 < answer.status < 500
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("name", ["X-Request-Id", "Origin", "If-None-Match", "Accept", "X-Other"])
@pytest.mark.parametrize(
    "value",
    ["a%0d%0aX-Evil: 1", "a\\r\\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0b", "\xff"],
)
def test_a_header_puts_no_header_into_the_answer(wire: Wire, name: str, value: str) -> None:
    wire.send(GET.format("png"), f"{name}: {value}", "Connection: close")
    answer = wire.response()
    assert answer.status in (200, 400, 406)
    assert "x-evil" not in answer.headers
    assert "evil" not in str(answer.headers).lower()
