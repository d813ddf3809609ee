"""The model that comes with the project: it is what its manifest says, and it knows digits."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from model_store import ModelId, load, read_manifest
from tests.serving import running
from training.datasets import idx

STORE = Path(__file__).parents[2] / "model_store" / "published"
MNIST = ModelId("mnist", 3)
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with running(STORE, models="mnist@3") as client:
        yield client


def test_it_passes_every_check_of_its_own_store() -> None:
    assert load(STORE, MNIST).manifest.data.shape == (1, 28, 28)


def test_it_reaches_82_nats_by_its_manifest_and_is_small_enough_for_git() -> None:
    manifest = read_manifest(STORE, MNIST)
    nll = next(figure for figure in manifest.figures if figure.name == "nll")
    assert nll.value <= 82
    assert nll.unit == "nats"
    assert "importance-weighted bound" in nll.estimator
    assert manifest.file.size < 5_000_000


def test_real_digits_come_back_from_encode_and_decode(
    client: httpx.Client, mnist_folder: Path
) -> None:
    digits = idx.read(mnist_folder / "t10k-images-idx3-ubyte.gz")[:32]
    differences = []
    for digit in digits:
        buffer = io.BytesIO()
        Image.fromarray(digit).save(buffer, "PNG")
        body = client.post("/encode", content=buffer.getvalue(), headers=PNG).json()
        back = client.post("/decode", json={"latents": body["latents"]}).content
        image = np.asarray(Image.open(io.BytesIO(back))).astype(float)
        differences.append(np.abs(image - digit).mean() / 255)
    # A blank image differs by 0.13 on average, another digit by 0.15 and more.
    assert np.mean(differences) < 0.05
    assert max(differences) < 0.12


def test_samples_come_back_from_compress_without_loss(client: httpx.Client) -> None:
    points = {"points": [{"seed": 1, "index": index} for index in range(20)]}
    file = client.post("/compress?threshold=0.5", json=points)
    assert file.status_code == 200, file.text
    headers = {"Content-Type": file.headers["Content-Type"]}
    back = client.post("/decompress?format=npy", content=file.content, headers=headers)
    rows = np.load(io.BytesIO(client.get("/sample?n=20&seed=1&format=npy").content))
    assert np.array_equal(np.load(io.BytesIO(back.content)), rows >= 0.5)
    assert len(file.content) < 20 * 50


def test_the_readmes_first_request_is_a_sheet_of_sixteen(client: httpx.Client) -> None:
    answer = client.get("/sample?n=16&seed=1")
    assert Image.open(io.BytesIO(answer.content)).size == (112, 112)
    assert answer.headers["X-Latentd-Model"] == "mnist@3"
