"""`/interpolate`, called on a running service."""

import base64

import httpx
import numpy as np
import pytest

from app.paths import METHODS
from tests.app.conftest import array, picture, problem


def test_the_strip_starts_and_ends_at_the_two_samples(client: httpx.Client) -> None:
    strip = picture(client.get("/interpolate?seed=1&seed=2&steps=8"))
    assert strip.shape == (8, 64)
    assert np.array_equal(strip[:, :8], picture(client.get("/sample?seed=1")))
    assert np.array_equal(strip[:, -8:], picture(client.get("/sample?seed=2")))


@pytest.mark.parametrize("method", METHODS)
def test_a_way_through_three_points_meets_each_exactly(client: httpx.Client, method: str) -> None:
    latent = [0.5, -1, 0, 2, 0]
    points = [{"seed": 1}, {"latent": latent}, {"seed": 3}]
    body = {"points": points, "steps": 9, "method": method}
    frames = array(client.post("/interpolate?format=npy", json=body))
    middle = array(client.post("/decode?format=npy", json={"latents": [latent]}))
    assert np.array_equal(frames[4], middle[0])
    assert np.array_equal(frames[0], array(client.get("/sample?seed=1&format=npy"))[0])
    assert np.array_equal(frames[8], array(client.get("/sample?seed=3&format=npy"))[0])


@pytest.mark.parametrize(
    ("way", "met"),
    [
        ("steps=7", {0: 1, 3: 2, 6: 3}),
        ("steps=6", {0: 1, 5: 3}),
        ("steps=6&loop=true", {0: 1, 2: 2, 4: 3}),
        ("steps=7&loop=true", {0: 1}),
        ("steps=7&spacing=pixel", {0: 1, 6: 3}),
        ("steps=7&easing=in", {0: 1, 6: 3}),
    ],
)
def test_points_are_frames_where_a_step_falls_on_them(
    client: httpx.Client, way: str, met: dict[int, int]
) -> None:
    frames = array(client.get(f"/interpolate?seed=1&seed=2&seed=3&format=npy&{way}"))
    samples = {seed: array(client.get(f"/sample?seed={seed}&format=npy"))[0] for seed in (1, 2, 3)}
    found = {
        place: seed
        for place, frame in enumerate(frames)
        for seed, sample in samples.items()
        if np.array_equal(frame, sample)
    }
    assert found == met


def test_linear_and_slerp_differ_between_the_ends(client: httpx.Client) -> None:
    url = "/interpolate?seed=1&seed=2&steps=5&format=npy&method="
    straight, curved = (array(client.get(url + method)) for method in ("linear", "slerp"))
    assert np.array_equal(straight[[0, 4]], curved[[0, 4]])
    assert not np.array_equal(straight[2], curved[2])


def test_an_image_is_a_point(client: httpx.Client) -> None:
    png = client.get("/sample?seed=4").content
    points = [{"image": base64.b64encode(png).decode()}, {"seed": 2}]
    frames = array(client.post("/interpolate?format=npy", json={"points": points, "steps": 2}))
    body = client.post("/encode", content=png, headers={"Content-Type": "image/png"}).json()
    mean = array(client.post("/decode?format=npy", json={"latents": body["mean"]}))
    assert np.array_equal(frames[0], mean[0])


def test_get_and_post_answer_alike(client: httpx.Client) -> None:
    body = {"points": [{"seed": 1}, {"seed": 2}], "steps": 6, "method": "linear"}
    posted = client.post("/interpolate", json=body)
    got = client.get("/interpolate?seed=1&seed=2&steps=6&method=linear")
    assert posted.content == got.content
    assert posted.headers["X-Latentd-Seed"] == "1, 2"


def test_vectors_and_latent_maps_are_walked_too(client: httpx.Client) -> None:
    url = "/interpolate?seed=1&seed=2&steps=4&format=npy"
    assert array(client.get(f"/models/rows{url}")).shape == (4, 6)
    assert array(client.get(f"/models/colour{url}")).shape == (4, 3, 8, 8)
    row = [0.5] * 6
    points = {"points": [{"row": row}, {"seed": 1}], "steps": 3}
    assert len(client.post("/models/rows/interpolate", json=points).json()["rows"]) == 3


@pytest.mark.parametrize("steps", [5, 8, 16, 60])
@pytest.mark.parametrize(
    "points",
    ["seed=1&seed=2", "seed=1&seed=2&seed=3", "seed=1&seed=2&seed=3&seed=4&method=cog"],
)
@pytest.mark.parametrize("loop", [False, True])
def test_pixel_spacing_makes_equal_steps(
    client: httpx.Client, points: str, steps: int, *, loop: bool
) -> None:
    # A loop of two points goes back as it came, and of an odd number of steps none can be equal.
    steps += steps % 2
    url = f"/interpolate?{points}&steps={steps}&format=npy&spacing=pixel&loop={loop}"
    frames = array(client.get(url)).reshape(steps, -1)
    seen = np.concatenate([frames, frames[:1]]) if loop else frames
    lengths = np.linalg.norm(np.diff(seen, axis=0), axis=1)
    assert lengths.max() < 1.05 * lengths.min()
    assert np.array_equal(frames[0], array(client.get("/sample?seed=1&format=npy")).reshape(-1))


def test_pixel_spacing_is_no_setting_of_the_operator(
    client: httpx.Client, tight_client: httpx.Client
) -> None:
    url = "/interpolate?seed=1&seed=2&seed=3&steps=6&spacing=pixel"
    free, tight = client.get(url), tight_client.get(url)
    assert free.headers["ETag"] == tight.headers["ETag"]
    assert np.array_equal(picture(free), picture(tight))


def test_pixel_spacing_of_one_picture_is_that_picture(client: httpx.Client) -> None:
    frames = array(client.get("/interpolate?seed=1&seed=1&steps=5&spacing=pixel&format=npy"))
    assert np.array_equal(frames, frames[:1].repeat(5, axis=0))


def test_a_grid_is_possible(client: httpx.Client) -> None:
    url = "/interpolate?seed=1&seed=2&steps=8&layout=grid"
    assert picture(client.get(url + "&columns=4")).shape == (16, 32)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("seed=1&seed=2&steps=1", ["steps: 1 given", "greater than or equal to 2"]),
        ("seed=1&seed=2&seed=3&steps=2", ["steps = 2 for 3 points", "3 steps or more"]),
        ("seed=1", ["seed", "at least 2"]),
        ("", ["seed", "required"]),
        ("seed=1&seed=2&steps=2000", ["2000 steps", "1024", "LATENTD_MAX_STEPS"]),
        ("seed=1&seed=2&method=cubic", ["method: cubic given", "slerp, linear, cog"]),
    ],
)
def test_a_bad_question_names_value_limit_and_remedy(
    client: httpx.Client, query: str, words: list[str]
) -> None:
    detail = problem(client.get(f"/interpolate?{query}"), 422)
    for word in words:
        assert word in detail, detail


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({}, "exactly one of"),
        ({"seed": 1, "latent": [0] * 5}, "exactly one of"),
        ({"latent": [0] * 4}, "shape [4]; the model takes [5]"),
        ({"latent": ["a"] * 5}, "not a number"),
        ({"row": [0] * 6}, "takes images"),
        ({"image": "not base64!"}, "not base64"),
    ],
)
def test_a_bad_point_says_what_a_point_is(
    client: httpx.Client, point: dict[str, object], words: str
) -> None:
    answer = client.post("/interpolate", json={"points": [point, {"seed": 1}]})
    assert answer.status_code in (400, 422)
    assert words in problem(answer, answer.status_code)


def test_limits_are_the_operators(tight_client: httpx.Client) -> None:
    seeds = "&".join(f"seed={seed}" for seed in range(4))
    assert "LATENTD_MAX_POINTS" in problem(tight_client.get(f"/interpolate?{seeds}&steps=6"), 422)
    assert "at most 6" in problem(tight_client.get("/interpolate?seed=1&seed=2&steps=7"), 422)
