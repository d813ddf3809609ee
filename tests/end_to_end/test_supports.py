"""What a likelihood gives probability to, from training by way of the manifest to the service."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.latent_math import binarize
from model_store import Manifest, read_manifest
from tests.serving import running
from tests.training.small import GREY, LATENT, rows
from training.config import RunConfig
from training.datasets import Dataset
from training.evaluate import observed_once
from training.learned import NOTHING
from training.likelihoods import LIKELIHOODS
from training.preparation import build_vae
from training.publication import Trained, publish

ALL = pytest.mark.parametrize("name", LIKELIHOODS)
NPY = {"Content-Type": "application/x-npy"}
NAMES = {name: name.replace("_", "-") for name in LIKELIHOODS}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each likelihood, called by it."""
    store = tmp_path_factory.mktemp("supports") / "store"
    store.mkdir()
    dataset = Dataset(name="grey", kind="image", train=rows(8, GREY), test=rows(8, GREY))
    for likelihood, name in NAMES.items():
        config = RunConfig(
            name=name, likelihood=likelihood, latent_dim=LATENT, encoder=(8,), decoder=(8,)
        )
        vae = build_vae(config, dataset)
        publish(Trained("none", config, dataset, vae, (), None, NOTHING), store)
    return store


@pytest.fixture(scope="module")
def client(store: Path) -> Iterator[httpx.Client]:
    with running(store) as client:
        yield client


def manifest(store: Path, name: str) -> Manifest:
    file = store / NAMES[name] / "1" / "manifest.json"
    return Manifest.model_validate_json(file.read_text())


def score(client: httpx.Client, name: str, x: NDArray[np.float32]) -> dict[str, list[float]]:
    file = io.BytesIO()
    np.save(file, x)
    path = f"/models/{NAMES[name]}/score?k=3&seed=5"
    answer = client.post(path, content=file.getvalue(), headers=NPY)
    assert answer.status_code == 200, answer.text
    found: dict[str, list[float]] = answer.json()
    return found


@ALL
def test_a_manifest_says_the_support(store: Path, name: str) -> None:
    support = LIKELIHOODS[name]("image", 0.5).support
    found = manifest(store, name)
    assert (found.support, found.known_support) == (support, support)


@ALL
def test_a_manifest_of_before_has_the_same(store: Path, name: str, tmp_path: Path) -> None:
    told = json.loads((store / NAMES[name] / "1" / "manifest.json").read_text())
    del told["support"]
    folder = tmp_path / NAMES[name] / "1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(told))
    found = read_manifest(tmp_path, manifest(store, name).model)
    assert found.support is None
    assert found.known_support == LIKELIHOODS[name]("image", 0.5).support
    assert "support" not in json.loads(found.as_json())


@ALL
def test_a_score_is_that_of_rows_as_evaluation_observes_them(
    client: httpx.Client, name: str
) -> None:
    """So a percentile compares like with like."""
    likelihood = LIKELIHOODS[name]("image", 0.5)
    grey = rows(6, GREY, seed=3)
    seen = torch.as_tensor(observed_once(likelihood, grey, 0)).numpy()
    if likelihood.support == "binary":
        # Evaluation has a stream of its own; each is black or white.
        assert set(np.unique(seen)) == {0, 1}
        seen = binarize(grey.numpy(), 5)
    assert score(client, name, grey.numpy()) == score(client, name, seen)
    assert torch.equal(
        likelihood.observe_once(torch.from_numpy(seen), torch.Generator()), torch.from_numpy(seen)
    )
