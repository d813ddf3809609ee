"""No request holds more memory than one may, however it asks, and nothing stays held."""

import io
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.formats import FORMATS, png
from tests.app.conftest import counted, problem
from tests.app.footprint import Watched, watched
from tests.app.odd_models import images, publish_odd

MIB = 2**20
BUDGET = 32 * MIB
# One request's part of it, and what the allocator, threads and the answer itself take beside.
MOST, SLACK = BUDGET * 7 // 8, 40 * MIB
SHAPE = (3, 64, 64)
NPY = {"Content-Type": "application/x-npy"}
PICTURE = b64encode(png.encode(np.zeros((64, 64, 3), np.uint8))).decode()

Ask = Callable[[httpx.Client, int], httpx.Response]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A service whose budget is the only limit that its largest requests meet."""
    store = tmp_path_factory.mktemp("large") / "store"
    store.mkdir()
    publish_odd(store, "large", images(*SHAPE))
    limits = {"max_pixels": 2**31, "max_body_bytes": 2**26, "cache_bytes": 0}
    limits |= {"max_queue_bytes": BUDGET, "max_json_values": 50_000}
    with watched(store, **limits) as running:
        yield running


def npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def sampled(name: str) -> Ask:
    return lambda client, n: client.get(f"/sample?n={n}&seed=1&format={name}")


ASKED: dict[str, Ask] = {
    **{f"samples as {name}": sampled(name) for name in FORMATS},
    "scaled": lambda client, n: client.get(f"/sample?n={n}&seed=1&scale=3"),
    "in columns": lambda client, n: client.get(f"/sample?n={n // 2 + 1}&seed=1&columns={n // 2}"),
    "there and back": lambda client, n: client.get(
        f"/sample?n={n}&seed=1&format=apng&pingpong=true"
    ),
    "a sheet": lambda client, n: client.get(
        f"/interpolate?seed=1&seed=2&seed=3&seed=4&rows={n // 16}&steps=16&format=npy"
    ),
    "an even walk": lambda client, n: client.get(
        f"/interpolate?seed=1&seed=2&steps={n // 4}&spacing=pixel&format=npy"
    ),
    "a map": lambda client, n: client.get(f"/map?x=0&y=1&steps={int(n**0.5)}&format=npy"),
    "dimensions": lambda client, n: client.post(
        "/traverse?format=npy",
        json={"point": {"seed": 1}, "dimensions": [0, 1], "steps": n // 2},
    ),
    "reconstructions": lambda client, n: client.post(
        "/reconstruct?format=npy&rounds=3", json={"points": [{"seed": 1}] * n}
    ),
    "restoration": lambda client, n: client.post(
        "/restore", json={"point": {"seed": 1}, "noise": 0.5, "chains": n // 16, "steps": 2}
    ),
    "latents": lambda client, n: client.post(
        "/decode?format=npy", content=npy(np.zeros((n, 2), np.float32)), headers=NPY
    ),
    "levels": lambda client, n: client.post(
        "/encode", content=npy(np.zeros((n, *SHAPE), np.uint8)), headers=NPY
    ),
    "files that unpack": lambda client, n: client.post("/encode", json={"images": [PICTURE] * n}),
    "points that unpack": lambda client, n: client.post(
        "/locate", json={"points": [{"image": PICTURE}] * n}
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_largest_request_that_is_taken_holds_what_one_may(service: Watched, name: str) -> None:
    refused = 0
    for number in (4096, 2048, 1024, 512, 256, 128, 64, 32):
        cost = service.cost_of(lambda client, n=number: ASKED[name](client, n))  # type: ignore[misc]
        if cost.response.status_code == 200:
            break
        detail = problem(cost.response, 422)
        if "LATENTD_MAX_QUEUE_BYTES" in detail:
            refused += 1
            claimed, most = map(int, re.findall(r"\d{7,}", detail))
            assert claimed > most == MOST
            # It is refused before it allocates, whatever it would have held.
            assert cost.peak_bytes < MOST + SLACK
    assert cost.response.status_code == 200, cost.response.text
    assert cost.peak_bytes < MOST + SLACK + 2 * len(cost.response.content)
    # Where 4,096 are not too many for the format, they take little.
    assert refused or number == 4096
    settled(service.client)


def settled(client: httpx.Client) -> None:
    """Nothing is held, drawn or waiting any more."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        text = client.get("/metrics").text
        gauges = ("latentd_held_bytes", "latentd_queued_renderings", "latentd_queued_rows")
        if not any(counted(text, name)[""] for name in gauges):
            return
        time.sleep(0.05)
    pytest.fail("something is held for ever")


def test_json_of_more_values_than_are_parsed_at_once_is_refused(service: Watched) -> None:
    body = b'{"latents":[' + b",".join([b"[0.5,0.5]"] * 20_000) + b"]}"
    headers = {"Content-Type": "application/json"}
    detail = problem(service.client.post("/decode", content=body, headers=headers), 422)
    assert "60001 values" in detail
    assert "at most 50000" in detail
    assert "LATENTD_MAX_JSON_VALUES" in detail
    assert ".npy" in detail


def test_a_time_that_a_request_names_holds_until_its_last_byte_is_made(service: Watched) -> None:
    hurry = {"X-Request-Timeout": "0.05"}
    for name in ("webp", "gif", "webp-animation"):
        answer = service.client.get(f"/sample?n=128&seed=1&format={name}", headers=hurry)
        assert answer.status_code in (503, 504), answer.text[:200]
    settled(service.client)


def test_a_stream_is_broken_off_at_the_time_that_the_request_named(service: Watched) -> None:
    headers = {"X-Request-Timeout": "0.3"}

    def read_all() -> None:
        url = "/sample?n=1000000&seed=1&format=zip"
        with service.client.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200
            for _ in answer.iter_raw():
                pass

    with pytest.raises(httpx.RemoteProtocolError):
        read_all()
    settled(service.client)


def test_who_leaves_a_stream_leaves_nothing_behind(service: Watched) -> None:
    with service.client.stream("GET", "/sample?n=1000000&seed=1&format=zip") as answer:
        next(answer.iter_raw())
    settled(service.client)
    assert Path(f"/proc/{service.pid}").exists()
    assert service.client.get("/sample?seed=1").status_code == 200
