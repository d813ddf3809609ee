"""A store with a small model of each kind, and one service on it for all route tests."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.factories import KINDS, publish_kind
from tests.serving import running


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """grey@1, grey@2, bent@1, colour@1 and rows@1."""
    store = tmp_path_factory.mktemp("served") / "store"
    store.mkdir()
    for kind in KINDS:
        publish_kind(store, kind)
    publish_kind(store, "grey", seed=1)
    return store


@pytest.fixture(scope="session")
def client(small_store: Path) -> Iterator[httpx.Client]:
    """A running service whose default model is grey@1."""
    models = "grey@1,grey@2,bent,colour,rows"
    with running(small_store, models=models, cors_origins="https://front.example") as client:
        yield client


@pytest.fixture(scope="session")
def tight_client(small_store: Path) -> Iterator[httpx.Client]:
    """The same with every limit set low."""
    limits = {
        "max_rows": 8,
        "max_steps": 6,
        "max_points": 3,
        "max_pixels": 600,
        "max_body_bytes": 4096,
    }
    with running(small_store, models="grey@1,rows", **limits) as client:
        yield client


def picture(answer: httpx.Response) -> NDArray[np.uint8]:
    """The pixels of an answer that must be a PNG."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert image.format == "PNG"
    return np.asarray(image)


def array(answer: httpx.Response) -> NDArray[np.float32]:
    """The array of an answer that must be `.npy`."""
    assert answer.status_code == 200, answer.text
    loaded: NDArray[np.float32] = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert loaded.dtype == np.float32
    return loaded


def problem(answer: httpx.Response, status: int) -> str:
    """The detail of an answer that must be a problem (RFC 9457) of `status`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "request_id"} <= body.keys()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return str(body["detail"])


def counted(text: str, metric: str) -> dict[str, float]:
    """The values of a metric by its labels, as /metrics writes them."""
    found = re.findall(rf"^{metric}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def cache_results(text: str) -> dict[str, float]:
    """How often the cache had which result."""
    return {
        labels.removeprefix('result="').rstrip('"'): value
        for labels, value in counted(text, "latentd_cache_total").items()
    }
