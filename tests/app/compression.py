"""Images to `/compress` and its files to `/decompress`, and what they come to."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.app.conftest import array
from tests.factories import Kind, draft_of, publish_module
from tests.serving import running

NPY = {"Content-Type": "application/x-npy"}
FILE = {"Content-Type": "application/x-latentd"}


@contextmanager
def serving(folder: Path, kind: Kind, likelihood: str = "bernoulli") -> Iterator[httpx.Client]:
    """A service whose one model is of that kind, its weights random but fixed."""
    store = folder / "store"
    store.mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = kind.module().eval()
    draft = draft_of("alone", kind, module).model_copy(update={"likelihood": likelihood})
    publish_module(store, draft, module)
    with running(store) as client:
        yield client


def npy(x: NDArray[np.float32] | NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


def compressed(
    client: httpx.Client, x: NDArray[np.float32] | NDArray[np.uint8], model: str = ""
) -> httpx.Response:
    answer = client.post(f"{model}/compress", content=npy(x), headers=NPY)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == FILE["Content-Type"]
    return answer


def sizes(answer: httpx.Response) -> dict[str, int]:
    """What X-Latentd-Bytes says."""
    parts = (part.split("=") for part in answer.headers["X-Latentd-Bytes"].split(", "))
    return {name: int(size) for name, size in parts}


def decompressed(client: httpx.Client, file: bytes, model: str = "") -> NDArray[np.float32]:
    return array(client.post(f"{model}/decompress?format=npy", content=file, headers=FILE))


def check_bits(client: httpx.Client, x: NDArray[np.float32], more: float) -> None:
    answer = compressed(client, x)
    score = client.post("/score?k=40", content=npy(x), headers=NPY).json()
    expected = sum(score["negative_elbo"]) / np.log(2)
    size = sizes(answer)
    # The draws of a score and those of a code differ by chance.
    assert 0.99 * expected < 8 * (size["coded"] - size["initial"]) < (1 + more) * expected
    assert size["initial"] < 60
    assert size["file"] == len(answer.content)
    said = float(answer.headers["X-Latentd-Bits-Per-Dimension"])
    assert said == pytest.approx(8 * len(answer.content) / x.size, abs=1e-4)
