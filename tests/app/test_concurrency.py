"""Every pair of operations, concurrently, gives the bytes that each gives alone."""

import itertools
import os
import threading
import time
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
# Requests that each of a pair's two senders sends, one after the other; 10 where nothing presses.
ROUNDS = int(os.environ.get("CONCURRENCY_ROUNDS", "1"))
# Of a request, so that a machine that is busy with other work is waited for.
PATIENCE_S = 600
# Refusals for load, which say nothing of what is answered.
REFUSED_FOR_LOAD = (503, 504)


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
        """The answer's, once it is not refused for load."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = client.request(
                self.method, self.path, content=self.body, headers={"Content-Type": self.kind}
            )
            if answer.status_code in REFUSED_FOR_LOAD and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            assert answer.status_code == 200, f"{self.endpoint}: {answer.status_code} {answer.text}"
            return answer.content

    def fault_from(self, client: httpx.Client, wanted: bytes) -> str:
        """Where the answer differs from the one that is wanted; empty where it does not."""
        got = self.bytes_from(client)
        if got == wanted:
            return ""
        pairs = zip(got, wanted, strict=False)
        first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(got), len(wanted)))
        return (
            f"{self.method} {self.path}: {len(got)} bytes for {len(wanted)}, other from byte "
            f"{first} on: {got[first : first + 16].hex()} for {wanted[first : first + 16].hex()}"
        )


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
    told("/neighbours?format=zip", points=POINTS[:16], count=8),
    told("/locate", points=POINTS),
    Asked("POST", "/compress", npy(IMAGES[:12]), NPY["Content-Type"]),
    told("/decode?format=webp-animation", latents=LATENTS[:60].tolist()),
    Asked("POST", "/encode?seed=9", X, NPY["Content-Type"]),
]


def publish_all(folder: Path) -> Path:
    """A store with a model that has all that there is: levels, densities, a direction, rows."""
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
    return folder / "store"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that keeps no answer, so that everything is computed each time, and waits."""
    store = publish_all(tmp_path_factory.mktemp("concurrent"))
    patient = {"request_timeout_s": PATIENCE_S, "device_timeout_s": PATIENCE_S}
    with running(store, cache_bytes=0, max_queue_rows=10**6, **patient) as client:
        client.timeout = httpx.Timeout(PATIENCE_S)
        yield client


@pytest.fixture(scope="module")
def alone(client: httpx.Client) -> dict[Asked, bytes]:
    """Each request's bytes; what is found once for a model is found before."""
    return asked_alone(client)


def asked_alone(client: httpx.Client) -> dict[Asked, bytes]:
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


@pytest.mark.timeout(PATIENCE_S)
def test_every_pair_at_once_gives_what_each_gives_alone(
    client: httpx.Client, alone: dict[Asked, bytes]
) -> None:
    limits = httpx.Limits(max_connections=2)
    with (
        httpx.Client(base_url=client.base_url, timeout=PATIENCE_S, limits=limits) as one,
        httpx.Client(base_url=client.base_url, timeout=PATIENCE_S, limits=limits) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        for pair in itertools.combinations_with_replacement(alone, 2):
            start = threading.Barrier(2)

            def send(asked: Asked, sender: httpx.Client, start: threading.Barrier = start) -> str:
                start.wait()
                faults = (asked.fault_from(sender, alone[asked]) for _ in range(ROUNDS))
                return next(filter(None, faults), "")

            faults = list(filter(None, pool.map(send, pair, (one, other))))
            assert not faults, f"{' beside '.join(asked.path for asked in pair)}: {faults}"


@pytest.mark.timeout(PATIENCE_S)
def test_all_at_once_give_what_each_gives_alone(
    client: httpx.Client, alone: dict[Asked, bytes]
) -> None:
    """Six senders, each with every request in an order of its own."""
    orders = [DICE.permutation(len(alone)) for _ in range(6)]
    requests = list(alone)

    def send(order: object) -> list[str]:
        with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as sender:
            asked = [requests[place] for place in order]  # type: ignore[attr-defined] # an array
            return [fault for one in asked if (fault := one.fault_from(sender, alone[one]))]

    with ThreadPoolExecutor(len(orders)) as pool:
        wrong = [fault for found in pool.map(send, orders) for fault in found]
    assert not wrong, wrong


@pytest.mark.timeout(PATIENCE_S)
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
        with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as sender:
            right = True
            while not done.is_set():
                right = right and score.bytes_from(sender) == scores
            return right

    with ThreadPoolExecutor(2) as pool:
        scoring = [pool.submit(scored) for _ in range(2)]
        try:
            faults = [sample.fault_from(client, alone[sample]) for _ in range(100)]
        finally:
            done.set()
        assert all(future.result() for future in scoring)
    assert not any(faults), next(filter(None, faults))
