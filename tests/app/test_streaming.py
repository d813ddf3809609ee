"""Bulk samples, sent while they are drawn: the same bytes, at the reader's pace, in no memory."""

import io
import re
import socket
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load

from app.formats import npy
from app.latent_math import row_noise
from tests.app.conftest import array, problem
from tests.app.odd_models import EDGE, Cliff, images, publish_odd
from tests.app.processes import Service, service, until
from tests.factories import publish_kind

MAX_ROWS = 64
MAX_STREAMED_ROWS = 250_000
MANY = 20_000
STREAMED = ["npy", "safetensors", "zip"]
MEGABYTE = 2**20
ROW_BYTES = 8 * 8 * 4


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("streaming") / "store"
    store.mkdir()
    for kind in ("grey", "bent", "rows"):
        publish_kind(store, kind)
    publish_odd(store, "cliff", images(1, 8, 8), Cliff)
    publish_odd(store, "two", images(2, 8, 8))
    limits = {"max_rows": MAX_ROWS, "max_streamed_rows": MAX_STREAMED_ROWS}
    with service(store, models="grey,bent,rows,cliff,two", **limits) as running:
        running.said("ready")
        yield running


@pytest.fixture
def bulk(streaming: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=streaming.url, timeout=30) as client:
        yield client


def pixels(file: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(Image.open(io.BytesIO(file)))


@pytest.mark.parametrize("model", ["grey@1", "bent@1", "rows@1"])
@pytest.mark.parametrize("n", [65, 128, 129, 300])
def test_a_stream_is_the_rows_of_small_requests(
    bulk: httpx.Client, client: httpx.Client, model: str, n: int
) -> None:
    """Of those of this service, and of one that answers as many at once."""
    path = f"/models/{model}/sample?seed=7&temperature=0.8"
    rows = array(bulk.get(f"{path}&n={n}&format=npy"))
    small = array(bulk.get(f"{path}&n=64&format=npy"))
    assert np.array_equal(rows[:64], small)
    for form in STREAMED:
        if (model, form) != ("rows@1", "zip"):
            at_once = client.get(f"{path}&n={n}&format={form}")
            streamed = bulk.get(f"{path}&n={n}&format={form}")
            assert streamed.content == at_once.content
            assert streamed.headers["X-Latentd-Seed"] == "7"
            assert streamed.headers["ETag"] == at_once.headers["ETag"]
            known = {"If-None-Match": streamed.headers["ETag"]}
            assert bulk.get(f"{path}&n={n}&format={form}", headers=known).status_code == 304


def test_many_rows_begin_as_few_do(bulk: httpx.Client) -> None:
    rows = array(bulk.get(f"/sample?n={MANY}&seed=1&format=npy"))
    assert rows.shape == (MANY, 1, 8, 8)
    assert np.array_equal(rows[:MAX_ROWS], array(bulk.get("/sample?n=64&seed=1&format=npy")))
    assert len(np.unique(rows.reshape(MANY, -1), axis=0)) == MANY
    posted = bulk.post("/sample?format=npy", json={"n": MANY, "seed": 1})
    assert np.array_equal(array(posted), rows)


def test_safetensors_are_read_by_their_library(bulk: httpx.Client) -> None:
    answer = bulk.get(f"/sample?n={MANY}&seed=1&format=safetensors")
    tensors = load(answer.content)
    assert [*tensors] == ["rows"]
    assert np.array_equal(tensors["rows"], array(bulk.get(f"/sample?n={MANY}&seed=1&format=npy")))
    assert b'"model": "grey@1"' in answer.content[:300]
    small = bulk.get("/sample?n=3&seed=1&format=safetensors").content
    assert np.array_equal(load(small)["rows"], tensors["rows"][:3])


def test_a_zip_holds_one_image_a_row(bulk: httpx.Client) -> None:
    answer = bulk.get(f"/sample?n={MANY}&seed=1&format=zip")
    rows = array(bulk.get(f"/sample?n={MANY}&seed=1&format=npy"))
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{row:06}.png" for row in range(MANY)]
        assert {entry.compress_type for entry in archive.infolist()} == {ZIP_STORED}
        assert archive.read("000000.png") == bulk.get("/sample?seed=1").content
        for row in range(0, MANY, 1009):
            expected = np.rint(rows[row, 0] * 255).astype(np.uint8)
            assert np.array_equal(pixels(archive.read(f"{row:06}.png")), expected)


def test_a_zip_of_scaled_images_is_scaled(bulk: httpx.Client) -> None:
    for n in (2, 70):
        answer = bulk.get(f"/sample?n={n}&seed=1&format=zip&scale=3")
        with ZipFile(io.BytesIO(answer.content)) as archive:
            assert len(archive.namelist()) == n
            assert archive.read("000000.png") == bulk.get("/sample?seed=1&scale=3").content


@pytest.mark.parametrize("form", ["json", "png"])
def test_what_is_not_streamed_keeps_its_limit(bulk: httpx.Client, form: str) -> None:
    detail = problem(bulk.get(f"/sample?n=65&seed=1&format={form}"), 422)
    assert "65 samples" in detail
    assert "at most 64" in detail
    assert "LATENTD_MAX_ROWS" in detail
    assert bulk.get(f"/sample?n=64&seed=1&format={form}").status_code == 200


@pytest.mark.parametrize("form", STREAMED)
def test_a_stream_has_a_limit_of_its_own(bulk: httpx.Client, form: str) -> None:
    for path in ("/sample", "/models/grey@1/sample"):
        detail = problem(bulk.get(f"{path}?n={MAX_STREAMED_ROWS + 1}&format={form}"), 422)
        assert str(MAX_STREAMED_ROWS) in detail
        assert "LATENTD_MAX_STREAMED_ROWS" in detail
    body = {"latents": [[0.0] * 5] * 65}
    assert "LATENTD_MAX_ROWS" in problem(bulk.post(f"/decode?format={form}", json=body), 422)


@pytest.mark.parametrize("n", [2, 70])
def test_images_without_a_picture_have_no_zip(bulk: httpx.Client, n: int) -> None:
    detail = problem(bulk.get(f"/models/two/sample?n={n}&seed=1&format=zip"), 406)
    assert "2 channels" in detail
    rows = array(bulk.get(f"/models/two/sample?n={n}&seed=1&format=npy"))
    assert rows.shape == (n, 2, 8, 8)


@pytest.mark.parametrize("form", STREAMED)
def test_what_fails_before_the_first_part_is_a_problem(bulk: httpx.Client, form: str) -> None:
    path = f"/sample?n={MANY}&format={form}"
    late = bulk.get(path, headers={"X-Request-Timeout": "0.000001"})
    assert "X-Request-Timeout" in problem(late, late.status_code)
    assert late.status_code in (503, 504)
    assert problem(bulk.get(path + "&temperature=-1"), 422)
    assert problem(bulk.get("/models/none" + path), 404)
    refused = 406 if form == "zip" else 200
    assert bulk.get(f"/models/rows/sample?n=65&format={form}").status_code == refused


def first_beyond(seed: int, num_rows: int) -> int | None:
    """The first row of a seed that Cliff cannot decode."""
    beyond = np.flatnonzero(np.abs(row_noise(seed, num_rows, (2,))[:, 1]) > EDGE)
    return int(beyond[0]) if len(beyond) else None


@pytest.mark.parametrize("form", STREAMED)
def test_rows_that_fail_are_a_problem_or_break_the_stream_off(
    bulk: httpx.Client, form: str
) -> None:
    """Never an answer that looks whole."""
    at_once = next(seed for seed in count() if (first_beyond(seed, MAX_ROWS) or 999) < MAX_ROWS)
    answer = bulk.get(f"/models/cliff/sample?n={MANY}&seed={at_once}&format={form}")
    assert "NaN or infinity" in problem(answer, 500)
    later = next(seed for seed in count() if (first_beyond(seed, MANY) or 0) > 1000)
    with pytest.raises(httpx.RemoteProtocolError):
        bulk.get(f"/models/cliff/sample?n={MANY}&seed={later}&format={form}")
    assert bulk.get(f"/models/cliff/sample?n=65&seed={later}&format={form}").status_code == 200


def test_a_client_of_http_1_0_gets_the_rows_and_nothing_else(streaming: Service) -> None:
    with reader(streaming, "/sample?n=300&seed=1&format=npy", version="1.0") as connection:
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert npy.read(body).shape == (300, 1, 8, 8)


def reader(streaming: Service, target: str, version: str = "1.1") -> socket.socket:
    """A connection that has asked and read nothing yet, with little room for what comes."""
    host, _, port = streaming.url.removeprefix("http://").rpartition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(20)
    connection.connect((host, int(port)))
    connection.sendall(f"GET {target} HTTP/{version}\r\nHost: test\r\n\r\n".encode())
    return connection


def drawn(client: httpx.Client) -> float:
    """The rows that the device has decoded so far."""
    text = client.get("/metrics").text
    found = re.findall(r'^latentd_batch_rows_sum{.*operation="decode"} (\S+)$', text, re.MULTILINE)
    return sum(map(float, found))


def settled(client: httpx.Client) -> float:
    """The same once it rises no more."""
    before = -1.0

    def rests() -> bool:
        nonlocal before
        time.sleep(0.25)
        before, last = drawn(client), before
        return before == last

    until(rests, lambda: "the device does not come to rest")
    return before


def memory(pid: int) -> int:
    """The bytes of memory that a process has in use now."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return 1024 * int(found[1])


@pytest.mark.parametrize("form", ["npy", "zip"])
def test_who_does_not_read_is_not_drawn_for(
    bulk: httpx.Client, streaming: Service, form: str
) -> None:
    before = settled(bulk)
    with reader(streaming, f"/sample?n=200000&seed=2&format={form}"):
        # What the system's buffers of a connection hold, and no more.
        assert MAX_ROWS <= settled(bulk) - before < 60_000
        assert bulk.get("/sample?seed=5").status_code == 200
    # And who leaves is drawn for no longer.
    assert settled(bulk) - before < 60_000
    until(lambda: "latentd_queued_rows 0.0" in bulk.get("/metrics").text, lambda: "rows still wait")
    assert bulk.get("/sample?seed=6").status_code == 200


def test_who_leaves_in_the_middle_ends_the_drawing(bulk: httpx.Client, streaming: Service) -> None:
    before = settled(bulk)
    for _ in range(3):
        with reader(streaming, "/sample?n=250000&seed=2&format=npy") as connection:
            for _ in range(20):
                assert connection.recv(65536)
    assert settled(bulk) - before < 3 * 60_000
    assert "Exception in ASGI application" not in streaming.log.partition("seed=2")[2]


def test_a_stream_takes_no_memory(bulk: httpx.Client, streaming: Service) -> None:
    """51 MB of rows, read slowly."""
    assert array(bulk.get(f"/sample?n={MANY}&format=npy")).shape[0] == MANY
    pid = streaming.process.pid
    before, most, received, next_look = memory(pid), 0, 0, 0
    with reader(streaming, "/sample?n=200000&seed=3&format=npy") as connection:
        while received < 200_000 * ROW_BYTES:
            received += len(connection.recv(262_144))
            if received > next_look:
                time.sleep(0.01)
                most, next_look = max(most, memory(pid) - before), received + MEGABYTE // 2
    assert most < 12 * MEGABYTE


def test_a_zip_takes_little_memory(bulk: httpx.Client, streaming: Service) -> None:
    """Its directory comes at its end, so something of every file is to be remembered."""
    n = 60_000
    assert bulk.get(f"/sample?n={MANY // 4}&format=zip").status_code == 200
    before, most = memory(streaming.process.pid), 0
    with bulk.stream("GET", f"/sample?n={n}&seed=3&format=zip") as answer:
        for number, _ in enumerate(answer.iter_raw()):
            if number % 100 == 0:
                most = max(most, memory(streaming.process.pid) - before)
    assert most < 12 * MEGABYTE + n * 56
