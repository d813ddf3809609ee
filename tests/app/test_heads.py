"""What an answer's head can hold, all of it at once, stays below what clients and proxies read."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest
import torch

from app.main import LATENT_SPACE
from app.operations.neighbours import MOST
from app.routes.lean_route import LeanRoute
from app.routes.reply import LONGEST_LISTS
from model_store import publish_again
from tests.app.compression import FILE, NPY, npy
from tests.app.conversation import connected, rest
from tests.app.test_compress_levels import Graded
from tests.factories import GREY, Kind, draft_of, publish_module
from tests.serving import running

# What clients and proxies read at least.
LEAST = 4096
# A version has up to nine digits, and the store of this test is at its second.
MORE_DIGITS = 8
LONGEST_ORIGIN = f"https://{'.'.join(['x' * 62] * 4)}:65535"
DICE = np.random.default_rng(0)
IMAGES = DICE.integers(0, 256, (300, 1, 8, 8), np.uint8)
LATENTS = 1e6 * DICE.standard_normal((300, 5)).astype(np.float32)
JSON = "application/json"
POINTS = [{"seed": 2**53 - 1 - place, "index": place % 4} for place in range(64)]
# Each at the most that is accepted of what the head lists; the query's form is the longest, too.
LARGEST: list[tuple[str, str, object, str]] = [
    ("GET", f"/sample?seed={2**53 - 1}&format=safetensors", b"", JSON),
    ("GET", f"/interpolate?seed={2**53 - 1}&seed={2**53 - 2}&format=webp-animation", b"", JSON),
    ("GET", f"/map?x=0&y=1&steps=4&seed={2**53 - 1}", b"", JSON),
    ("POST", "/sample?format=npy", {"seed": 2**53 - 1, "n": 64}, JSON),
    ("POST", "/interpolate?format=npy", {"points": POINTS, "steps": 64}, JSON),
    ("POST", "/map?format=npy", {"x": 0, "y": 1, "steps": 4, "point": POINTS[0]}, JSON),
    ("POST", "/reconstruct?format=npy", {"points": POINTS}, JSON),
    ("POST", "/traverse?format=npy", {"point": POINTS[0], "dimensions": [0, 1, 2, 3, 4]}, JSON),
    ("POST", "/arithmetic?format=npy", {"terms": POINTS}, JSON),
    ("POST", "/restore?format=npy", {"point": POINTS[0], "noise": 0.5, "seed": 2**53 - 1}, JSON),
    ("POST", f"/score?seed={2**53 - 1}", {"points": POINTS}, JSON),
    ("POST", "/neighbours?format=npy", {"points": POINTS, "count": MOST // 64}, JSON),
    ("POST", "/neighbours?format=npy", {"points": POINTS[:1], "count": MOST}, JSON),
    ("POST", "/locate", {"points": POINTS}, JSON),
    ("POST", "/compress", npy(IMAGES[:12]), NPY["Content-Type"]),
    ("POST", "/decode?format=npy", {"latents": [[1, 2, 3, 4, 5]]}, JSON),
    ("POST", f"/encode?seed={2**53 - 1}", npy(IMAGES[:12]), NPY["Content-Type"]),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a name as long as it may be, that has all that there is."""
    folder = tmp_path_factory.mktemp("heads")
    (folder / "store").mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = Graded().eval()
    kind = Kind(Graded, GREY, (5,), ("log_likelihood", "level_probabilities"))
    first = publish_module(folder / "store", draft_of("m" * 63, kind, module), module)
    files = {
        f"{name}.npy": folder / f"{name}.npy" for name in ("neighbour_latents", "neighbour_rows")
    }
    np.save(files["neighbour_latents.npy"], LATENTS)
    np.save(files["neighbour_rows.npy"], IMAGES)
    publish_again(folder / "store", first, {}, None, files)
    return folder / "store"


@pytest.fixture(scope="module", params=["*", LONGEST_ORIGIN], ids=["for all", "for the listed"])
def client(store: Path, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with running(store, cors_origins=request.param, max_batch_rows=16) as client:
        yield client


def answered(
    client: httpx.Client, method: str, path: str, content: object, kind: str
) -> tuple[bytes, bytes]:
    """The head and the body over a plain socket."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    with connected(client) as connection:
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {kind}\r\n"
            f"Origin: {LONGEST_ORIGIN}\r\nX-Request-Id: {'x' * 64}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head, _, answer = rest(connection).partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0], head + answer[:500]
    return head, answer


def test_no_head_is_longer_than_what_is_read(client: httpx.Client) -> None:
    lengths: dict[tuple[str, str], int] = {}
    for method, path, content, kind in LARGEST:
        head, answer = answered(client, method, path, content, kind)
        endpoint = method, path.partition("?")[0]
        lengths[endpoint] = max(lengths.get(endpoint, 0), len(head) + 4 + MORE_DIGITS)
        if path == "/compress":
            file = answer
    head, _ = answered(client, "POST", "/decompress?format=npy", file, FILE["Content-Type"])
    lengths["POST", "/decompress"] = len(head) + 4 + MORE_DIGITS
    assert max(lengths.values()) < LEAST, lengths
    # Whatever is listed in it, which is bounded by itself.
    assert lengths["GET", "/sample"] < LEAST - LONGEST_LISTS
    routes = [route for router in LATENT_SPACE for route in router.routes]
    assert {*lengths} == {
        (method, route.path)
        for route in routes
        if isinstance(route, LeanRoute)
        for method in route.methods or ()
    }
