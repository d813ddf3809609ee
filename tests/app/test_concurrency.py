"""Every pair of operations, concurrently, gives the bytes that each gives alone."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import orjson
import pytest
import torch

from app.main import LATENT_SPACE
from app.routes.lean_route import LeanRoute
from model_store import TensorRecord, publish_again
from tests.app.compression import FILE, NPY, npy
from tests.app.test_compress_levels import Graded
from tests.factories import GREY, Kind, draft_of, publish_module
from tests.serving import running

DICE = np.random.default_rng(0)
IMAGES = DICE.integers(0, 256, (300, 1, 8, 8), np.uint8)
LATENTS = DICE.standard_normal((300, 5)).astype(np.float32)
# Requests that each of a pair's two senders sends, one after the other.
ROUNDS = 1


class Asked(NamedTuple):
    """One request, large enough that parts of its work go to threads where they can."""

    method: str
    path: str
    body: bytes = b""
    kind: str = "application/json"

    @property
    def endpoint(self) -> tuple[str, str]:
        return self.method, self.path.partition("?")[0]

    def bytes_from(self, client: httpx.Client) -> bytes:
        answer = client.request(
            self.method, self.path, content=self.body, headers={"Content-Type": self.kind}
        )
        assert answer.status_code == 200, answer.text
        return answer.content


def told(path: str, **body: object) -> Asked:
    return Asked("POST", path, orjson.dumps(body))


POINTS = [{"seed": seed, "index": 2} for seed in range(60)]
TERMS = [{"seed": 1, "weight": -2.0}, {"seed": 2}, {"direction": "up", "weight": 3.0}]
X = npy(IMAGES[:64])
REQUESTS = [
    Asked("GET", "/sample?seed=7&format=npy"),
    Asked("GET", "/interpolate?seed=1&seed=2&steps=20&spacing=pixel&format=gif"),
    Asked("GET", "/map?x=0&y=1&steps=10&format=webp"),
    told("/sample?format=npy", seed=3, n=600),
    told("/interpolate?format=apng", points=POINTS[:5], steps=30, spacing="pixel"),
    told("/map?format=sprite", projection=True, steps=15),
    told("/reconstruct?rounds=3&format=json", points=POINTS),
    told("/traverse?format=png&scale=8", point=POINTS[0], dimensions=[0, 1, 2], steps=30),
    told("/arithmetic?format=safetensors", terms=TERMS),
    told("/restore?format=npy", point=POINTS[0], noise=0.5, chains=16, steps=4, seed=5),
    Asked("POST", "/score?k=5&seed=5", X, NPY["Content-Type"]),
    told("/neighbours?format=zip", points=POINTS[:30], count=4),
    told("/locate", points=POINTS),
    Asked("POST", "/compress", npy(IMAGES[:12]), NPY["Content-Type"]),
    told("/decode?format=webp-animation", latents=LATENTS[:60].tolist()),
    Asked("POST", "/encode?seed=9", X, NPY["Content-Type"]),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A model that has all that there is: levels, densities, a direction, training rows."""
    folder = tmp_path_factory.mktemp("concurrent")
    (folder / "store").mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = Graded().eval()
    kind = Kind(Graded, GREY, (5,), ("log_likelihood", "level_probabilities"))
    first = publish_module(folder / "store", draft_of("all", kind, module), module)
    files: dict[str, Path] = {}
    for name, content in (("neighbour_latents", LATENTS), ("neighbour_rows", IMAGES)):
        files[f"{name}.npy"] = folder / f"{name}.npy"
        np.save(files[f"{name}.npy"], content)
    directions = {"up": TensorRecord.of(torch.ones(5))}
    publish_again(folder / "store", first, directions, None, files)
    # Nothing is kept, so that everything is computed each time.
    with running(folder / "store", cache_bytes=0, max_queue_rows=10**6) as client:
        yield client


@pytest.fixture(scope="module")
def alone(client: httpx.Client) -> dict[Asked, bytes]:
    """Each request's bytes; what is found once for a model is found before."""
    requests = list(REQUESTS)
    file = next(asked for asked in requests if asked.path == "/compress").bytes_from(client)
    requests.append(Asked("POST", "/decompress?format=npy", file, FILE["Content-Type"]))
    found = {asked: asked.bytes_from(client) for asked in requests}
    assert {asked: asked.bytes_from(client) for asked in requests} == found
    return found


def test_every_endpoint_has_its_request(alone: dict[Asked, bytes]) -> None:
    routes = [route for router in LATENT_SPACE for route in router.routes]
    there = {
        (method, route.path)
        for route in routes
        if isinstance(route, LeanRoute)
        for method in route.methods or ()
    }
    assert {asked.endpoint for asked in alone} == there


def test_every_pair_at_once_gives_what_each_gives_alone(
    client: httpx.Client, alone: dict[Asked, bytes]
) -> None:
    limits = httpx.Limits(max_connections=2)
    with (
        httpx.Client(base_url=client.base_url, timeout=60, limits=limits) as one,
        httpx.Client(base_url=client.base_url, timeout=60, limits=limits) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        for pair in itertools.combinations_with_replacement(alone, 2):
            start = threading.Barrier(2)

            def send(asked: Asked, sender: httpx.Client, start: threading.Barrier = start) -> bool:
                start.wait()
                return all(asked.bytes_from(sender) == alone[asked] for _ in range(ROUNDS))

            right = pool.map(send, pair, (one, other))
            for asked, same in zip(pair, right, strict=True):
                assert same, f"{asked.endpoint} beside {[other.endpoint for other in pair]}"


def test_all_at_once_give_what_each_gives_alone(
    client: httpx.Client, alone: dict[Asked, bytes]
) -> None:
    """Six senders, each with every request in an order of its own."""
    orders = [DICE.permutation(len(alone)) for _ in range(6)]
    requests = list(alone)

    def send(order: object) -> list[tuple[str, str]]:
        with httpx.Client(base_url=client.base_url, timeout=60) as sender:
            asked = [requests[place] for place in order]  # type: ignore[attr-defined] # an array
            return [one.endpoint for one in asked if one.bytes_from(sender) != alone[one]]

    with ThreadPoolExecutor(len(orders)) as pool:
        wrong = [endpoint for found in pool.map(send, orders) for endpoint in found]
    assert not wrong


def test_samples_are_right_while_rows_are_scored(
    client: httpx.Client, alone: dict[Asked, bytes]
) -> None:
    """Scores draw thousands of numbers in a thread, samples a few on the loop."""
    # So many that they are drawn in a thread.
    score = Asked("POST", "/score?k=210&seed=5", X, NPY["Content-Type"])
    scores = score.bytes_from(client)
    sample = next(asked for asked in alone if asked.endpoint == ("GET", "/sample"))
    done = threading.Event()

    def scored() -> bool:
        with httpx.Client(base_url=client.base_url, timeout=60) as sender:
            right = True
            while not done.is_set():
                right = right and score.bytes_from(sender) == scores
            return right

    with ThreadPoolExecutor(2) as pool:
        scoring = [pool.submit(scored) for _ in range(2)]
        try:
            wrong = sum(sample.bytes_from(client) != alone[sample] for _ in range(100))
        finally:
            done.set()
        assert all(future.result() for future in scoring)
    assert not wrong
