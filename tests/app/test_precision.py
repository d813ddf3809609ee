"""LATENTD_PRECISION: what encoders and decoders compute in, seen from outside."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.app.conftest import array, picture
from tests.serving import refusal, running

# Of 256 levels: two steps of bfloat16 below 1.
LEVELS = 2


@pytest.fixture(scope="module")
def lower(small_store: Path) -> Iterator[httpx.Client]:
    """The service of `client` in bfloat16."""
    models = "grey@1,grey@2,bent,colour,rows"
    with running(small_store, models=models, precision="bfloat16") as client:
        yield client


def test_a_model_says_its_precision(client: httpx.Client, lower: httpx.Client) -> None:
    assert client.get("/models/grey").json()["running"]["precision"] == "float32"
    assert lower.get("/models/grey").json()["running"]["precision"] == "bfloat16"


@pytest.mark.parametrize("model", ["grey@1", "bent", "colour"])
def test_bfloat16_draws_what_float32_draws(
    client: httpx.Client, lower: httpx.Client, model: str
) -> None:
    path = f"/models/{model}/sample?seed=1&n=9"
    exact, near = (picture(service.get(path)).astype(int) for service in (client, lower))
    assert 0 < np.abs(exact - near).max() <= LEVELS


def test_answers_in_numbers_stay_float32(client: httpx.Client, lower: httpx.Client) -> None:
    path = "/models/rows/sample?seed=1&n=9&format=npy"
    exact, near = (array(service.get(path)) for service in (client, lower))
    assert not np.array_equal(exact, near)
    np.testing.assert_allclose(near, exact, rtol=0.02, atol=0.02)


def test_a_row_is_the_same_in_any_company_in_bfloat16_too(lower: httpx.Client) -> None:
    def samples(count: int) -> NDArray[np.float32]:
        return array(lower.get(f"/models/colour/sample?seed=1&n={count}&format=npy"))

    many = samples(50)
    assert all(np.array_equal(samples(count), many[:count]) for count in (1, 3, 16))


def test_caches_do_not_take_one_precision_for_the_other(
    client: httpx.Client, lower: httpx.Client
) -> None:
    tag = client.get("/sample?seed=1").headers["ETag"]
    assert lower.get("/sample?seed=1", headers={"If-None-Match": tag}).status_code == 200
    assert client.get("/sample?seed=1", headers={"If-None-Match": tag}).status_code == 304


def test_a_precision_that_there_is_not_is_refused(small_store: Path) -> None:
    assert "LATENTD_PRECISION=float8" in refusal(small_store, precision="float8")
