"""Bodies as clients send them: packed, in other words for the same type, in other base64."""

import base64
import gzip
import json
import random
import socket
import zlib

import httpx
import pytest

from tests.app.conftest import problem
from tests.app.conversation import LATENT, chunked, connected, rest, statuses, told
from tests.app.test_encode import PIXELS, file

JSON = {"Content-Type": "application/json"}


def bare(body: bytes) -> bytes:
    """Deflate without zlib's frame, as some clients send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": gzip.compress(LATENT),
    "x-gzip": gzip.compress(LATENT),
    "GZIP": gzip.compress(LATENT[:9]) + gzip.compress(LATENT[9:]),
    "deflate": zlib.compress(LATENT),
    "identity, deflate": bare(LATENT),
    "identity": LATENT,
}


@pytest.mark.parametrize("coding", PACKED)
def test_a_packed_body_is_the_body(client: httpx.Client, coding: str) -> None:
    expected = client.post("/decode", content=LATENT, headers=JSON).content
    headers = JSON | {"Content-Encoding": coding}
    assert client.post("/decode", content=PACKED[coding], headers=headers).content == expected
    parts = (PACKED[coding][place : place + 1] for place in range(len(PACKED[coding])))
    assert client.post("/decode", content=parts, headers=headers).content == expected


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "compress", "é"])
def test_another_coding_is_refused_by_name(client: httpx.Client, coding: str) -> None:
    headers = [(b"Content-Type", b"application/json"), (b"Content-Encoding", coding.encode())]
    answer = client.post("/decode", content=LATENT, headers=headers)
    detail = problem(answer, 415)
    assert answer.headers["Accept-Encoding"] == "gzip, deflate"
    assert "gzip, deflate" in detail
    assert coding.encode().decode("latin-1").lower() in detail


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/models", "/health/live", "/metrics", "/docs", "/", "/nothing"])
def test_what_reads_no_body_minds_no_coding(client: httpx.Client, method: str, path: str) -> None:
    plain = client.request(method, path)
    packed = client.request(method, path, content=b"", headers={"Content-Encoding": "br"})
    assert packed.status_code == plain.status_code
    assert packed.headers.get("Content-Type") == plain.headers.get("Content-Type")


@pytest.mark.parametrize("path", ["/decode", "/encode", "/sample", "/score", "/decompress"])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_refused_where_it_passes_the_limit(
    tight_client: httpx.Client, path: str, coding: str
) -> None:
    zeros = bytes(3_000_000)
    bomb = gzip.compress(zeros) if coding == "gzip" else zlib.compress(zeros)
    headers = {"Content-Type": "application/octet-stream", "Content-Encoding": coding}
    if path in ("/sample", "/score"):
        headers |= JSON
    detail = problem(tight_client.post(path, content=bomb, headers=headers), 413)
    assert "4096 bytes once it is unpacked" in detail


def test_a_damaged_body_is_never_half_a_body(client: httpx.Client) -> None:
    whole = gzip.compress(LATENT)
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # its checksum
    for packed, coding in (
        (whole[:-1], "gzip"),
        (whole[:12], "gzip"),
        (whole[:1], "gzip"),
        (bytes(flipped), "gzip"),
        (LATENT, "gzip"),
        (whole + b"more", "gzip"),
        (gzip.compress(b"") * 100 + whole, "gzip"),
        (zlib.compress(LATENT) + b"more", "deflate"),
        (bare(LATENT)[:-2], "deflate"),
        (random.Random(1).randbytes(100), "deflate"),
    ):
        headers = JSON | {"Content-Encoding": coding}
        detail = problem(client.post("/decode", content=packed, headers=headers), 400)
        assert coding in detail


def test_a_form_may_be_packed(client: httpx.Client) -> None:
    request = client.build_request("POST", "/encode", files=[("images", file(PIXELS))])
    headers = dict(request.headers) | {"Content-Encoding": "gzip"}
    del headers["content-length"]
    expected = client.send(request).json()["mean"]
    packed = client.post("/encode", content=gzip.compress(request.read()), headers=headers)
    assert packed.json()["mean"] == expected


TEXT = base64.b64encode(file(PIXELS)).decode()
SPELLINGS = [
    base64.encodebytes(file(PIXELS)).decode(),
    base64.urlsafe_b64encode(file(PIXELS)).decode(),
    TEXT.rstrip("="),
    "\r\n".join(TEXT[place : place + 76] for place in range(0, len(TEXT), 76)),
    f"  {TEXT}\n",
    f"data:image/png;base64,{TEXT}",
    f"data:;base64,{TEXT}",
    f"DATA:image/png;charset=utf-8;BASE64,\n{TEXT}",
    "data:image/png;base64," + TEXT.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=range(len(SPELLINGS)))
def test_base64_is_taken_as_encoders_write_it(client: httpx.Client, spelling: str) -> None:
    expected = client.post("/encode", json={"images": [TEXT]}).json()
    assert client.post("/encode", json={"images": [spelling]}).json() == expected
    point = client.post("/locate", json={"points": [{"image": spelling}]})
    assert point.status_code == 200, point.text


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("https://example.org/a.png", "address"),
        ("file:///etc/passwd", "address"),
        ("data:image/png,%89PNG", "without base64"),
        ("A", "base64"),
        ("a=bc", "base64"),
        ("é" * 8, "base64"),
        ("{}", "base64"),
        (TEXT[:40] + "!" + TEXT[40:], "base64"),
    ],
)
def test_what_is_no_base64_is_told_what_to_change(
    client: httpx.Client, given: str, word: str
) -> None:
    detail = problem(client.post("/encode", json={"images": [given]}), 400)
    assert word in detail
    assert len(given) < 4 or given not in detail


@pytest.mark.parametrize(
    "name", ["image/png", "image/x-png", "IMAGE/PNG", "image/png; charset=binary"]
)
def test_the_usual_names_of_an_image_are_taken(client: httpx.Client, name: str) -> None:
    answer = client.post("/encode", content=file(PIXELS), headers={"Content-Type": name})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["image/jpg", "image/pjpeg", "image/jpeg"])
def test_the_usual_names_of_a_jpeg_are_taken(client: httpx.Client, name: str) -> None:
    answer = client.post("/encode", content=file(PIXELS, "JPEG"), headers={"Content-Type": name})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "name",
    [
        *("text/json", "application/vnd.api+json", 'application/json; charset="utf-8"'),
        *("application/json;charset=UTF-8", "application/ld+json; profile=x"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["bare", "marked"])
def test_the_usual_names_of_json_are_taken(client: httpx.Client, name: str, mark: bytes) -> None:
    answer = client.post("/decode", content=mark + LATENT, headers={"Content-Type": name})
    assert answer.status_code == 200, answer.text


def test_json_in_another_encoding_is_told_which_to_use(client: httpx.Client) -> None:
    text = LATENT.decode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        answer = client.post("/decode", content=text.encode(encoding), headers=JSON)
        assert "UTF-8" in problem(answer, 400)
    named = {"Content-Type": "application/json; charset=iso-8859-1"}
    assert "iso-8859-1" in problem(client.post("/decode", content=LATENT, headers=named), 415)


def test_a_body_that_is_cut_off_is_not_answered(client: httpx.Client) -> None:
    """What has come of it would be a question by itself."""
    routes = 'method="POST",route="/sample"'
    whole = json.dumps({"n": 1, "seed": 1}).encode()
    for head in (
        b"POST /sample HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99\r\n\r\n" + whole,
        chunked().replace(b"/decode?format=npy", b"/sample")
        + b"%x\r\n%s\r\n" % (len(whole), whole),
    ):
        before = client.get("/metrics").text.count(routes + ',status="200"')
        with_end = told_and_left(client, head)
        assert statuses(with_end) == []
        assert client.get("/metrics").text.count(routes + ',status="200"') == before


def told_and_left(client: httpx.Client, sent: bytes) -> bytes:
    with connected(client) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return rest(connection)


def test_unread_bodies_do_no_harm(client: httpx.Client) -> None:
    head = b"GET /sample?seed=1&format=npy HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
    live = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert statuses(told(client, head + head + live)) == [200, 200, 200]
