"""What pages of other origins may read, and that it costs them nothing that others have."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.answer_headers import EXPOSED
from app.operations.neighbours import MOST
from app.routes.reply import LONGEST_LISTS, dimensions_header
from tests.app.conftest import cache_results, counted
from tests.app.conversation import LATENT, connected, rest
from tests.app.wire import Wire
from tests.serving import running

LISTED = {"Origin": "https://front.example"}
OTHER = {"Origin": "https://else.example"}
ASKED: list[tuple[str, str, int]] = [
    ("GET", "/sample?seed=1", 200),
    ("GET", "/sample?seed=1", 200),  # kept
    ("GET", "/sample?n=5000&seed=1&format=npy", 200),  # streamed
    ("HEAD", "/sample?seed=1", 200),
    ("OPTIONS", "/sample", 204),
    ("GET", "/sample?n=0", 422),
    ("GET", "/nothing", 404),
    ("PUT", "/sample", 405),
    ("GET", "/models", 200),
    ("GET", "/health/live", 200),
    ("GET", "/metrics", 200),
    ("GET", "/", 200),
    ("GET", "/docs", 200),
    ("POST", "/decode", 415),
]


@pytest.fixture(scope="module")
def to_all(small_store: Path) -> Iterator[httpx.Client]:
    with running(small_store, models="grey@1", cors_origins="*") as client:
        yield client


@pytest.mark.parametrize(("method", "path", "status"), ASKED)
@pytest.mark.parametrize("headers", [{}, OTHER], ids=["no origin", "an origin"])
def test_with_a_star_every_answer_is_for_all(
    to_all: httpx.Client, method: str, path: str, status: int, headers: dict[str, str]
) -> None:
    answer = to_all.request(method, path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "ETag", *EXPOSED} == set(exposed)
    assert "Origin" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize(("method", "path", "status"), ASKED)
@pytest.mark.parametrize("headers", [{}, LISTED, OTHER], ids=["none", "listed", "other"])
def test_with_a_list_every_answer_varies_and_the_listed_may_read_it(
    client: httpx.Client, method: str, path: str, status: int, headers: dict[str, str]
) -> None:
    answer = client.request(method, path, headers=headers)
    assert answer.status_code == status
    assert "Origin" in answer.headers["Vary"]
    assert len(answer.headers.get_list("Vary")) == 1
    expected = "https://front.example" if headers == LISTED else None
    assert answer.headers.get("Access-Control-Allow-Origin") == expected
    assert ("Access-Control-Expose-Headers" in answer.headers) == (headers == LISTED)


def test_what_is_not_modified_may_be_read_too(to_all: httpx.Client, client: httpx.Client) -> None:
    for service, headers in ((to_all, OTHER), (client, LISTED)):
        tag = service.get("/sample?seed=1", headers=headers).headers["ETag"]
        answer = service.get("/sample?seed=1", headers=headers | {"If-None-Match": tag})
        assert answer.status_code == 304
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", LISTED["Origin"])


def test_a_browser_is_given_leave_and_remembers_it(
    to_all: httpx.Client, client: httpx.Client
) -> None:
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-request-timeout," + "x" * 5000,
    }
    for service, origin in ((to_all, OTHER), (client, LISTED)):
        answer = service.options("/decode", headers=origin | asks)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", LISTED["Origin"])
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Headers"] == "*, Authorization"
        assert answer.headers["Access-Control-Max-Age"] == "3600"
        assert sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) < 1024
    refused = client.options("/decode", headers=OTHER | asks)
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_an_origin_keeps_the_cache(client: httpx.Client) -> None:
    target = "/sample?seed=8713"
    first = client.get(target, headers=LISTED)
    before = cache_results(client.get("/metrics").text)["hit"]
    for headers in (LISTED, OTHER, {}):
        assert client.get(target, headers=headers).content == first.content
    assert cache_results(client.get("/metrics").text)["hit"] == before + 3


def test_an_origin_keeps_the_cancellation(client: httpx.Client) -> None:
    """Who leaves is not computed to the end, origin or not."""

    def gone() -> float:
        found = counted(client.get("/metrics").text, "latentd_requests_total")
        return sum(count for labels, count in found.items() if 'status="499"' in labels)

    before = gone()
    deadline = time.monotonic() + 20
    while gone() == before:
        assert time.monotonic() < deadline
        with connected(client) as connection:
            connection.sendall(
                b"GET /sample?n=4096&format=png HTTP/1.1\r\nHost: a\r\n"
                b"Origin: https://front.example\r\n\r\n"
            )


def head_length(client: httpx.Client, method: str, path: str, body: bytes = b"") -> int:
    """The bytes of an answer's head, all of it."""
    with connected(client) as connection:
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            f"Origin: https://front.example\r\nX-Request-Id: {'x' * 64}\r\n"
            "Access-Control-Request-Method: POST\r\nContent-Type: application/json\r\n"
            f"Access-Control-Request-Headers: {'x' * 9000}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head, _, _ = rest(connection).partition(b"\r\n\r\n")
    assert b" 200 " in head or b" 204 " in head, head
    return len(head) + 4


def test_a_head_stays_below_4096_bytes(to_all: httpx.Client) -> None:
    most = 9007199254740991
    points = ",".join(f'{{"seed":{most - place}}}' for place in range(64))
    walk = '{"point":{"seed":1},"steps":2,"dimensions":[0,1,2,3,4]}'
    for method, path, body in (
        ("GET", "/sample?seed=1", ""),
        ("OPTIONS", "/sample", ""),
        ("GET", "/docs", ""),
        ("POST", "/interpolate?format=npy", f'{{"points":[{points}],"steps":64}}'),
        ("POST", "/reconstruct?format=npy", f'{{"points":[{points}]}}'),
        ("POST", "/locate", f'{{"points":[{points}]}}'),
        ("POST", "/traverse?format=npy", walk),
    ):
        assert head_length(to_all, method, path, body.encode()) < 4096, path
    assert head_length(to_all, "GET", "/sample?seed=1") < 4096 - LONGEST_LISTS
    # What is listed is bounded, beside all else; a place and a distance take 20 bytes at most.
    assert not dimensions_header(range(4096))
    assert dimensions_header(range(64))
    assert 20 * MOST <= LONGEST_LISTS


def test_requests_sent_ahead_are_read_no_faster_than_answered(client: httpx.Client) -> None:
    """A connection that asks and does not read is not read from any further."""
    asked = b"GET /sample?n=64&seed=1&format=npy HTTP/1.1\r\nHost: a\r\n\r\n" * 1000
    with connected(client) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.settimeout(1)
        sent = 0
        try:
            while sent < 100_000_000:
                sent += connection.send(asked)
        except TimeoutError:
            pass
    assert sent < 30_000_000
    wire = Wire(client)
    with wire.socket:
        for _ in range(200):
            wire.send("GET /sample?seed=2&format=npy HTTP/1.1")
        for _ in range(200):
            assert wire.response().status == 200
    assert LATENT
