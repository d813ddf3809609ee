"""`/compress` by a model of 8-bit pixels: grey levels come back as they were."""

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tests.app.compression import FILE, NPY, check_bits, compressed, decompressed, npy, serving
from tests.app.conftest import array, picture, problem
from tests.factories import GREY, GreyDigits, Kind


class Graded(GreyDigits):
    """Pixels of 256 levels, which lie around the mean like a normal's values."""

    def logarithms(self, z: Tensor) -> Tensor:
        apart = torch.arange(256) / 255 - self.decode(z)[..., None]
        return torch.log_softmax(-0.5 * (apart / 0.3).square(), -1)

    @torch.jit.export
    def level_probabilities(self, z: Tensor) -> Tensor:
        return torch.exp(self.logarithms(z))

    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        level = torch.round(255 * x).long()[..., None]
        return self.logarithms(z).gather(-1, level).flatten(1).sum(1)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service whose one model is of 8-bit pixels."""
    kind = Kind(Graded, GREY, (5,), ("log_likelihood", "level_probabilities"))
    with serving(tmp_path_factory.mktemp("graded"), kind, "levels") as client:
        yield client


def drawn_levels(client: httpx.Client, count: int) -> NDArray[np.float32]:
    """Images that a model of 256 levels expects."""
    mean = array(client.get(f"/sample?seed=1&n={count}&format=npy"))
    noise = 0.2 * np.random.default_rng(0).standard_normal(mean.shape)
    return (np.rint(255 * np.clip(mean + noise, 0, 1)) / 255).astype(np.float32)


@pytest.mark.parametrize("count", [1, 50, 200])
def test_grey_levels_come_back_by_a_model_of_levels(graded: httpx.Client, count: int) -> None:
    x = drawn_levels(graded, count)
    assert np.array_equal(decompressed(graded, compressed(graded, x).content), x)


def test_noise_that_a_model_of_levels_never_saw_comes_back(graded: httpx.Client) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), np.uint8)
    back = decompressed(graded, compressed(graded, levels).content)
    assert np.array_equal(np.rint(255 * back).astype(np.uint8), levels)


def test_a_picture_comes_back_as_the_same_picture(graded: httpx.Client) -> None:
    sent = graded.get("/sample?seed=3&format=png").content
    file = graded.post("/compress", files={"images": ("a.png", sent, "image/png")})
    assert file.status_code == 200, file.text
    answer = graded.post("/decompress?format=png", content=file.content, headers=FILE)
    assert np.array_equal(picture(answer), np.asarray(Image.open(io.BytesIO(sent))))


def test_numbers_between_the_levels_are_refused(graded: httpx.Client) -> None:
    x = drawn_levels(graded, 2)
    x[0, 0, 0, :3] = 0.5
    refused = problem(graded.post("/compress", content=npy(x), headers=NPY), 422)
    assert "3 of 128 values are none of the 256 levels" in refused
    x[0, 0, 0, :3] = np.float32(77 / 255) * np.float32(1.000001)
    back = decompressed(graded, compressed(graded, x).content)
    assert (back[0, 0, 0, :3] == np.float32(77) / np.float32(255)).all()


def test_an_image_of_levels_costs_its_negative_elbo(graded: httpx.Client) -> None:
    check_bits(graded, drawn_levels(graded, 400), 0.03)
