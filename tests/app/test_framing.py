"""Where one request ends and the next begins: upgrades, chunks, trailers, versions, garbage."""

import httpx
import pytest

from app.formats import npy
from tests.app.conftest import counted
from tests.app.conversation import JSON, LATENT, LIVE, chunked, post, statuses, told

H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQC")
WEBSOCKET = (b"Connection: keep-alive, upgrade", b"Upgrade: websocket")
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n"


def array_in(answer: bytes) -> tuple[int, ...]:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return npy.read(body[:length]).shape


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET, (b"Connection: upgrade",)], ids=str)
@pytest.mark.parametrize("segments", ["one", "several"])
def test_an_upgrade_that_is_not_taken_is_ignored(
    client: httpx.Client, offer: tuple[bytes, ...], segments: str
) -> None:
    parts = [*post(LATENT, *offer), LIVE]
    answer = told(client, *(parts if segments == "several" else [b"".join(parts)]))
    assert statuses(answer) == [200, 200]
    assert array_in(answer) == (1, 1, 8, 8)
    assert answer.endswith(b'{"status":"live"}')


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET], ids=str)
@pytest.mark.parametrize("segments", ["one", "several"])
def test_nothing_is_read_out_of_the_body_of_such_a_request(
    client: httpx.Client, offer: tuple[bytes, ...], segments: str
) -> None:
    parts = post(SMUGGLED, *offer, b"X-Request-Id: outer")
    answer = told(client, *(parts if segments == "several" else [b"".join(parts)]), LIVE)
    assert statuses(answer) == [422, 200]
    assert b"latentd_" not in answer


def test_an_upgrade_may_come_with_chunks_or_without_a_body(client: httpx.Client) -> None:
    chunks = chunked(*H2C) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(LATENT), LATENT)
    assert statuses(told(client, chunks + LIVE)) == [200, 200]
    bare = LIVE.replace(b"Connection: close", b"\r\n".join(H2C))
    assert statuses(told(client, bare + bare, LIVE)) == [200, 200, 200]
    last = LIVE.replace(b"Connection: close", b"Upgrade: h2c\r\nConnection: upgrade, close")
    assert statuses(told(client, last)) == [200]


def test_an_upgrade_counts_as_one_request(client: httpx.Client) -> None:
    labels = 'method="POST",route="/decode",status="200"'
    before = counted(client.get("/metrics").text, "latentd_requests_total").get(labels, 0)
    assert statuses(told(client, *post(LATENT, *H2C), LIVE)) == [200, 200]
    after = counted(client.get("/metrics").text, "latentd_requests_total")[labels]
    assert after == before + 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"CONNECT test:443 HTTP/1.1\r\nHost: test\r\n\r\n" + SMUGGLED, 501),
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /health/live HTTP/0.9\r\nHost: test\r\n\r\n", 505),
        (b"GET /health/live HTTP/2.0\r\nHost: test\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"get /health/live HTTP/1.1\r\nHost: test\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: test\r\nA: b\r\n c\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\nHost: test\n\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: test\r\nA : b\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: test\r\n: b\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: test\r\nA: b\0c\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: test\r\n\r\n", 400),
        (post(LATENT, b"Content-Length: 5")[0] + LATENT, 400),
        (post(LATENT, b"Content-Length: 30")[0] + LATENT, 400),
        (post(LATENT, b"Transfer-Encoding: chunked")[0] + b"0\r\n\r\n" + SMUGGLED, 400),
        (chunked(b"Content-Length: 5") + b"0\r\n\r\n" + SMUGGLED, 400),
        (chunked(b"Transfer-Encoding: identity") + b"0\r\n\r\n" + SMUGGLED, 501),
        (chunked().replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n" + SMUGGLED, 501),
        (chunked().replace(b"chunked", b"xchunked") + b"0\r\n\r\n" + SMUGGLED, 501),
        (chunked().replace(b"chunked", b"\x0bchunked") + b"0\r\n\r\n" + SMUGGLED, 400),
        (chunked().replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n" + SMUGGLED, 400),
    ],
)
def test_what_two_readers_could_take_apart_differently_is_refused(
    client: httpx.Client, sent: bytes, status: int
) -> None:
    answer = told(client, sent)
    assert statuses(answer) == [status]
    assert b"application/problem+json" in answer
    assert b"connection: close\r\n" in answer
    assert b"x-content-type-options: nosniff\r\n" in answer
    assert b"latentd_" not in answer
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        *(b"0x1\r\n{\r\n", b"-1\r\n{\r\n", b"1_0\r\n{\r\n", b" 1\r\n{\r\n", b"1 \r\n{\r\n"),
        *(b"1\n{\r\n", b"1\r\n{}\r\n", b"f" * 17 + b"\r\n{", b"1;a\n{\r\n", b"\r\n\r\n"),
    ],
)
def test_a_body_in_bad_chunks_is_answered_once_and_nothing_behind_it(
    client: httpx.Client, bad: bytes
) -> None:
    answer = told(client, chunked(), bad, SMUGGLED)
    assert statuses(answer) == [400]
    assert b"unreadable-body" in answer
    assert b"latentd_" not in answer


def test_garbage_behind_a_request_does_not_overtake_its_answer(client: httpx.Client) -> None:
    asked = b"GET /sample?n=300&seed=9&format=npy HTTP/1.1\r\nHost: test\r\n\r\n"
    answer = told(client, asked * 3 + b"GARBAGE\r\n\r\n")
    assert statuses(answer) == [200, 200, 200, 400]
    assert array_in(answer) == (300, 1, 8, 8)


def test_trailers_are_dropped(client: httpx.Client) -> None:
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(LATENT), LATENT)
    answer = told(client, chunked() + chunk + b"X-Request-Id: late\r\nAccept: x\r\n\r\n" + LIVE)
    assert statuses(answer) == [200, 200]
    assert b"x-request-id: late" not in answer


@pytest.mark.parametrize(
    ("begin", "line"),
    [
        (b"1\r\n{\r\n0\r\n", b"a: b\r\n"),
        (b"1\r\n{\r\n0\r\n", b"a: " + b"b" * 40_000 + b"\r\n"),
        (b"1\r\n{\r\n0\r\na: ", b"b" * 4096),
        (b"1;", b"a=b;" * 1000),
        (b"", b"1;" + b"a" * 4000 + b"\r\n{\r\n"),
    ],
    ids=["trailers", "long trailers", "an endless trailer", "an extension", "extensions"],
)
def test_what_comes_beside_a_body_ends(client: httpx.Client, begin: bytes, line: bytes) -> None:
    answer = told(client, chunked() + begin, *[line * (65536 // len(line) + 1)] * 40, pause=0.005)
    assert statuses(answer) in ([400], [])  # what was sent behind the answer may take it away
    assert client.get("/health/live").status_code == 200


def test_chunks_of_one_byte_are_a_body(client: httpx.Client) -> None:
    body = LATENT[:-1] + b" " * 30_000 + b"}"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    assert statuses(told(client, chunked(), chunks, b"0\r\n\r\n" + LIVE)) == [200, 200]


@pytest.mark.parametrize("format_name", ["png", "npy", "zip"])
def test_http_1_0_gets_no_chunks(client: httpx.Client, format_name: str) -> None:
    path = (
        f"/sample?n=5000&seed=1&format={format_name}"
        if format_name == "zip"
        else (f"/sample?seed=1&format={format_name}")
    )
    answer = told(client, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == client.get(path).content


def test_an_absolute_target_is_its_path(client: httpx.Client) -> None:
    for target in (b"http://other/health/live", b"http://test/health/live?x"):
        assert statuses(told(client, LIVE.replace(b"/health/live", target))) == [200]
    assert statuses(told(client, LIVE.replace(b"/health/live", b"http://other"))) == [200]
    assert statuses(told(client, b"GET //a/health/live HTTP/1.1\r\nHost: a\r\n\r\n" + LIVE)) == [
        404,
        200,
    ]
    assert JSON in post(b"")[0]
