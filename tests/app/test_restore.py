"""`/restore`, called on a running service."""

import base64
import io

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.app.conftest import array, problem

PNG = {"Content-Type": "image/png"}


def base64_png(pixels: NDArray[np.bool_] | NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    levels = np.where(pixels, 255, 0) if pixels.dtype == bool else pixels
    Image.fromarray(levels.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


LEFT = np.arange(64).reshape(8, 8) % 8 < 4
MASK = base64_png(LEFT)


def test_what_is_known_stays_and_what_is_hidden_is_filled_in(client: httpx.Client) -> None:
    x = array(client.get("/sample?seed=3&format=npy"))
    body = {"point": {"seed": 3}, "mask": MASK, "chains": 3, "steps": 2}
    found = array(client.post("/restore?format=npy", json=body))
    assert found.shape == (1, 1, 8, 8)
    assert np.allclose(found[0, 0][~LEFT], x[0, 0][~LEFT], atol=1e-6)
    assert not np.allclose(found[0, 0][LEFT], x[0, 0][LEFT], atol=1e-2)
    assert client.post("/restore", json=body).headers["X-Latentd-Seed"] == "0"


def test_what_lies_under_the_mask_has_no_influence(client: httpx.Client) -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (8, 8), np.uint8)
    other = np.where(LEFT, rng.integers(0, 256, (8, 8), np.uint8), one).astype(np.uint8)
    answers = [
        client.post("/restore", json={"point": {"image": base64_png(pixels)}, "mask": MASK}).content
        for pixels in (one, other)
    ]
    assert answers[0] == answers[1]


def test_a_seed_decides_and_samples_differ(client: httpx.Client) -> None:
    def restored(**more: object) -> NDArray[np.float32]:
        body = {"point": {"seed": 3}, "mask": MASK, "chains": 6, "steps": 3} | more
        return array(client.post("/restore?format=npy", json=body))

    assert np.array_equal(restored(seed=5), restored(seed=5))
    assert not np.array_equal(restored(seed=5), restored(seed=6))
    samples = restored(samples=4)
    assert samples.shape == (4, 1, 8, 8)
    assert len(np.unique(samples.reshape(4, -1), axis=0)) == 4
    assert restored(samples=6).shape == (6, 1, 8, 8)


def test_noise_is_taken_for_noise(client: httpx.Client) -> None:
    x = array(client.get("/sample?seed=3&format=npy"))[0, 0]
    body = {"point": {"seed": 3}, "noise": 0.2}
    found = array(client.post("/restore?format=npy", json=body))[0, 0]
    less = array(client.post("/restore?format=npy", json=body | {"noise": 0.01}))[0, 0]
    assert 0 < np.abs(less - x).mean() < np.abs(found - x).mean()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "nothing to restore"),
        ({"mask": base64_png(np.ones((8, 8), bool))}, "hides every pixel"),
        ({"mask": base64_png(np.zeros((8, 8), bool))}, "hides no pixel"),
        ({"mask": base64_png(np.ones((9, 8), bool))}, "mask 0 is 8 × 9 pixels"),
        ({"mask": MASK, "chains": 256, "steps": 256}, "LATENTD_MAX_ROWS"),
        ({"mask": MASK, "chains": 1_000_000}, "less than or equal to 256"),
        ({"mask": MASK, "noise": 2}, "less than or equal to 1"),
    ],
)
def test_a_bad_question_says_what_is_wrong(
    client: httpx.Client, body: dict[str, object], words: str
) -> None:
    detail = problem(client.post("/restore", json={"point": {"seed": 1}} | body), 422)
    assert words in detail
    assert client.get("/sample?seed=1").status_code == 200


def test_a_broken_mask_and_a_model_of_rows_are_refused(client: httpx.Client) -> None:
    body = {"point": {"seed": 1}, "mask": "????"}
    assert "mask 0 is not base64" in problem(client.post("/restore", json=body), 400)
    rows = client.post("/models/rows/restore", json=body | {"mask": MASK})
    assert "no mask" in problem(rows, 422)
