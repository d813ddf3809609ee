"""The same of what is asked of models of images, and of training rows: see test_finite."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from model_store import publish_again
from tests.app.compression import FILE
from tests.app.test_finite import MANY, SteepImages, check_numbers, numbers, seeds, some, usual
from tests.factories import GREY, GreyDigits, Kind, draft_of, publish_module
from tests.serving import running

LATENT, NUM_ROWS = 5, 12
FEWER = settings(MANY, max_examples=50)
# What each needs of what can be left out of an installation.
EXTRAS = {"/neighbours": "faiss", "/compress": "constriction"}
PATHS = ["/restore", *(path for path, name in EXTRAS.items() if find_spec(name))]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Two models of images with training rows: of those of the second some are far out."""
    folder = tmp_path_factory.mktemp("finite")
    store = folder / "store"
    store.mkdir()
    dice = np.random.default_rng(0)
    latents = dice.standard_normal((NUM_ROWS, LATENT)).astype(np.float32)
    far = latents.copy()
    far[::3] = [[-3e38] * LATENT, [1e19] * LATENT, [1e6] * LATENT, [-0.0] * LATENT]
    rows = dice.integers(0, 256, (NUM_ROWS, 1, 8, 8), np.uint8)
    kinds: dict[str, tuple[type[nn.Module], Any]] = {
        "images": (GreyDigits, latents),
        "steepimages": (SteepImages, far),
    }
    for name, (kind, places) in kinds.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = kind().eval()
        draft = draft_of(name, Kind(kind, GREY, (LATENT,), ("log_likelihood",)), module)
        first = publish_module(store, draft.model_copy(update={"likelihood": "bernoulli"}), module)
        files: dict[str, Path] = {}
        for what, content in (("neighbour_latents", places), ("neighbour_rows", rows)):
            files[f"{what}.npy"] = folder / f"{name}_{what}.npy"
            np.save(files[f"{what}.npy"], content)
        publish_again(store, first, {}, None, files)
    with running(store, models="images,steepimages") as client:
        yield client


@st.composite
def requests(draw: st.DrawFn, part: st.SearchStrategy[float]) -> tuple[str, dict[str, Any]]:
    """A path with its query, and a body."""
    temperatures = st.sampled_from([0.0, 1e-45, 1.0, 10.0])
    point = st.one_of(
        st.builds(lambda z: {"latent": z[0]}, some(part, LATENT, 1)),
        st.builds(lambda seed, t: {"seed": seed, "temperature": t}, seeds, temperatures),
    )
    points = draw(st.lists(point, min_size=1, max_size=4))
    form = draw(st.sampled_from(["json", "npy", "safetensors"]))
    path = draw(st.sampled_from(PATHS))
    if path == "/compress":
        return "/compress?threshold=0.5", {"points": points}
    if path == "/neighbours":
        return f"{path}?format={form}", {"points": points, "count": draw(st.integers(1, 14))}
    noise = st.sampled_from([0.0, 1e-45, 1e-30, 1e-3, 1.0])
    search: dict[str, Any] = {
        "point": points[0],
        "noise": draw(noise),
        "seed": draw(seeds),
        "chains": draw(st.integers(1, 3)),
        "steps": draw(st.integers(1, 3)),
    }
    if draw(st.booleans()):
        search["samples"] = draw(st.integers(1, search["chains"]))
    return f"{path}?format={form}", search


def check_answer(client: httpx.Client, model: str, answer: httpx.Response) -> None:
    """Finite numbers, or a file of images that is read again as finite numbers."""
    if answer.headers["Content-Type"] == FILE["Content-Type"]:
        path = f"/models/{model}/decompress?format=npy"
        answer = client.post(path, content=answer.content, headers=FILE)
        assert answer.status_code == 200, answer.text
    for name, value in answer.headers.items():
        assert not {"nan", "inf", "-inf"} & set(value.lower().replace(":", " ").split()), name
    check_numbers(answer)


@FEWER
@given(requests(numbers), st.sampled_from(["images", "steepimages"]))
def test_numbers_at_the_edges_are_answered_in_numbers_or_refused(
    client: httpx.Client, asked: tuple[str, dict[str, Any]], model: str
) -> None:
    path, body = asked
    answer = client.post(f"/models/{model}{path}", json=body)
    if answer.status_code == 200:
        check_answer(client, model, answer)
    else:
        assert (answer.status_code, answer.json()["title"]) in [
            (422, "Unusable value"),
            (500, "Answer not finite"),
        ], answer.text


@FEWER
@given(requests(usual))
def test_a_sound_model_answers_usual_numbers(
    client: httpx.Client, asked: tuple[str, dict[str, Any]]
) -> None:
    path, body = asked
    if path.startswith("/restore"):
        body["noise"] = max(body["noise"], 1e-3)
    answer = client.post(f"/models/images{path}", json=body)
    assert answer.status_code == 200, answer.text
    check_answer(client, "images", answer)
