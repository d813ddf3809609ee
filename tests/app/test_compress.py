"""`/compress` and `/decompress`: nothing is lost, and no file misleads."""

import random
import runpy
import sys
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from app import entropy_coder
from app.compressed_file import PREFIX, Compressed, unpack
from app.errors import NotInstalled
from tests.app.compression import FILE, NPY, check_bits, compressed, decompressed, npy, serving
from tests.app.conftest import array, picture, problem
from tests.factories import GREY, GreyDigits, Kind

PLACES = 48  # at which a file is damaged


class Moved(GreyDigits):
    """A learned prior whose density is known: N(1, ¼ I), bent along the first number."""

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.hidden(x.flatten(1)))
        return 1 + 0.5 * torch.tanh(self.mean(hidden)), self.log_var(hidden) - 3

    @torch.jit.export
    def prior(self, noise: Tensor) -> Tensor:
        first = noise[:, :1]
        return 1 + torch.cat([0.5 * first, 0.5 * noise[:, 1:] + 0.2 * first.square()], 1)

    @torch.jit.export
    def prior_log_density(self, z: Tensor) -> Tensor:
        first = 2 * (z[:, :1] - 1)
        rest = 2 * (z[:, 1:] - 1 - 0.2 * first.square())
        squares = first.square().sum(1) + rest.square().sum(1)
        return -0.5 * squares - 5 * (0.918938533 - 0.693147181)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service whose one model has a learned prior."""
    learned = Kind(Moved, GREY, (5,), ("log_likelihood", "prior", "prior_log_density"))
    with serving(tmp_path_factory.mktemp("moved"), learned) as client:
        yield client


def drawn(client: httpx.Client, count: int, model: str = "") -> NDArray[np.float32]:
    """Black and white images as the model expects them."""
    p = array(client.get(f"{model}/sample?seed=1&n={count}&format=npy"))
    return (np.random.default_rng(0).random(p.shape) < p).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 50, 200])
@pytest.mark.parametrize("model", ["", "/models/bent", "/models/colour"])
def test_what_comes_back_is_what_went_in(client: httpx.Client, model: str, count: int) -> None:
    x = drawn(client, count, model)
    assert np.array_equal(decompressed(client, compressed(client, x, model).content, model), x)


def test_images_that_no_sample_looks_like_come_back_too(client: httpx.Client) -> None:
    x = np.zeros((9, 1, 8, 8), np.float32)
    x[3:6] = 1
    x[6:] = np.random.default_rng(0).random((3, 1, 8, 8)) < 0.5
    assert np.array_equal(decompressed(client, compressed(client, x).content), x)


def test_an_image_costs_its_negative_elbo(client: httpx.Client) -> None:
    check_bits(client, drawn(client, 400), 0.03)


def test_under_a_learned_prior_it_costs_hardly_more(moved: httpx.Client) -> None:
    check_bits(moved, drawn(moved, 400), 0.05)
    x = drawn(moved, 60)
    assert np.array_equal(decompressed(moved, compressed(moved, x).content), x)


def test_a_question_has_one_answer(client: httpx.Client) -> None:
    x = drawn(client, 30)
    assert compressed(client, x).content == compressed(client, x).content


def test_another_process_reads_it(client: httpx.Client, tight_client: httpx.Client) -> None:
    x = drawn(client, 8)
    assert np.array_equal(decompressed(tight_client, compressed(client, x).content), x)


def test_grey_is_refused_unless_a_threshold_is_given(client: httpx.Client) -> None:
    x = np.full((1, 1, 8, 8), 0.25, np.float32)
    x[0, 0, 0] = 0.75
    refused = problem(client.post("/compress", content=npy(x), headers=NPY), 422)
    assert "64 of 64 values are neither 0 nor 1" in refused
    assert "threshold" in refused
    for threshold, white in ((0.5, 8), (0.25, 64), (0.8, 0)):
        answer = client.post(f"/compress?threshold={threshold}", content=npy(x), headers=NPY)
        assert decompressed(client, answer.content).sum() == white
    assert client.post("/compress?threshold=0", content=npy(x), headers=NPY).status_code == 422


def test_it_takes_and_gives_pictures(client: httpx.Client) -> None:
    body = {"points": [{"seed": 1}, {"seed": 2}]}
    file = client.post("/compress?threshold=0.5", json=body)
    assert file.status_code == 200, file.text
    answer = client.post("/decompress?layout=strip", content=file.content, headers=FILE)
    assert set(np.unique(picture(answer))) <= {0, 255}


def test_a_flipped_bit_at_any_place_is_refused(client: httpx.Client) -> None:
    x = drawn(client, 20)
    file = compressed(client, x).content
    dice = random.Random(0)
    for place in [*range(PREFIX), *dice.sample(range(PREFIX, len(file)), PLACES), len(file) - 1]:
        damaged = bytearray(file)
        damaged[place] ^= 1 << dice.randrange(8)
        answer = client.post("/decompress", content=bytes(damaged), headers=FILE)
        assert answer.status_code in (400, 422), answer.text
        assert problem(answer, answer.status_code)
    assert np.array_equal(decompressed(client, file), x)


def test_a_file_that_is_not_whole_is_refused(client: httpx.Client) -> None:
    file = compressed(client, drawn(client, 20)).content
    for length in (0, 1, 8, 11, 20, 300, len(file) - 1):
        answer = client.post("/decompress", content=file[:length], headers=FILE)
        assert "/compress" in problem(answer, 400) or "cut off" in problem(answer, 400)
    assert "cut off" in problem(client.post("/decompress", content=file + b"\0", headers=FILE), 400)
    version = problem(
        client.post("/decompress", content=file[:8] + b"\2" + file[9:], headers=FILE), 422
    )
    assert "version 2" in version
    assert "application/x-latentd" in problem(
        client.post("/decompress", content=file, headers=NPY), 415
    )


def test_a_forged_file_never_gives_a_wrong_image(client: httpx.Client) -> None:
    """With a checksum that fits: what is decoded must be what the file says was coded."""
    head, words = unpack(compressed(client, drawn(client, 20)).content)
    dice = np.random.default_rng(0)
    for place in dice.choice(len(words), 12, replace=False):
        changed = words.copy()
        changed[place] ^= np.uint32(1 << dice.integers(32))
        refused(client, Compressed(head, changed))
    for cut in (0, 1, 5):
        refused(client, Compressed(head, words[:cut]))
    refused(client, Compressed(head, np.zeros(9, np.uint32)))
    refused(client, Compressed(head.model_copy(update={"count": 19}), words))
    refused(client, Compressed(head.model_copy(update={"num_levels": 256}), words))


def refused(client: httpx.Client, file: Compressed) -> None:
    answer = client.post("/decompress", content=file.packed(), headers=FILE)
    assert "does not decode" in problem(answer, 400)


def test_a_file_of_another_model_or_machine_is_refused_by_name(client: httpx.Client) -> None:
    x = drawn(client, 3)
    file = compressed(client, x).content
    other = problem(client.post("/models/grey@2/decompress", content=file, headers=FILE), 422)
    assert "written by grey@1" in other
    head, words = unpack(file)
    strange = Compressed(head.model_copy(update={"host": "0" * 16}), words).packed()
    host = problem(client.post("/decompress", content=strange, headers=FILE), 422)
    assert "another processor" in host
    low = Compressed(head.model_copy(update={"precision": "bfloat16"}), words).packed()
    precision = problem(client.post("/decompress", content=low, headers=FILE), 422)
    assert "LATENTD_PRECISION=bfloat16" in precision
    many = Compressed(head.model_copy(update={"count": 10**9}), words).packed()
    limit = problem(client.post("/decompress", content=many, headers=FILE), 422)
    assert "LATENTD_MAX_ROWS" in limit
    assert np.array_equal(decompressed(client, file), x)


def test_a_model_of_rows_compresses_nothing(client: httpx.Client) -> None:
    body = {"points": [{"seed": 1}]}
    assert "gaussian" in problem(client.post("/models/rows/compress", json=body), 422)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    without = runpy.run_path(entropy_coder.__file__)
    with pytest.raises(NotInstalled, match=r"\.\[compress\]"):
        without["Stack"](np.ones(2, np.uint32))
