"""`/reconstruct`, `/traverse`, `/arithmetic` and `/map`, called on a running service."""

import base64
import io

import httpx
import numpy as np
import pytest

from app.arrays import Floats
from app.latent_math import binarize, row_noise
from tests.app.conftest import array, picture, problem

PNG = {"Content-Type": "image/png"}
NPY = {"Content-Type": "application/x-npy"}
IN_ROWS = [
    ("/reconstruct", {"points": [{"seed": 1}]}),
    ("/traverse", {"point": {"seed": 1}, "dimensions": [1, 0]}),
    ("/arithmetic", {"terms": [{"seed": 1}, {"seed": 2, "weight": -0.5}]}),
]


def npy(rows: Floats) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def decoded(client: httpx.Client, latents: object) -> Floats:
    return array(client.post("/decode?format=npy", json={"latents": latents}))


def test_a_reconstruction_is_the_decoded_mean(client: httpx.Client) -> None:
    png = client.get("/sample?seed=4").content
    mean = client.post("/encode", content=png, headers=PNG).json()["mean"]
    found = array(client.post("/reconstruct?format=npy", content=png, headers=PNG))
    assert np.array_equal(found, decoded(client, mean))


def test_rounds_are_reconstructions_of_reconstructions(client: httpx.Client) -> None:
    x = array(client.get("/sample?seed=4&n=3&format=npy"))
    for rounds in (1, 2, 5):
        again, body = x, {"points": [{"seed": 4, "index": index} for index in range(3)]}
        for _ in range(rounds):
            mean = client.post("/encode", content=npy(again), headers=NPY).json()["mean"]
            again = decoded(client, mean)
        path = f"/reconstruct?format=npy&rounds={rounds}"
        assert np.array_equal(array(client.post(path, json=body)), again)
        assert np.array_equal(array(client.post(path, content=npy(x), headers=NPY)), again)


def test_vectors_are_reconstructed_too(client: httpx.Client) -> None:
    points = {"points": [{"row": [0.5] * 6}, {"seed": 1}, {"latent": [0.0] * 2}]}
    answer = client.post("/models/rows/reconstruct", json=points)
    assert answer.status_code in (200, 422), answer.text


def test_a_sample_of_a_seed_is_a_point(client: httpx.Client) -> None:
    for model in ("grey", "bent", "colour"):
        samples = array(client.get(f"/models/{model}/sample?seed=9&n=8&format=npy"))
        points = [{"seed": 9, "index": 7}, {"seed": 9}]
        walk = client.post(f"/models/{model}/interpolate?format=npy", json={"points": points})
        assert np.array_equal(array(walk)[[0, -1]], samples[[7, 0]])


def test_a_sample_at_a_temperature_is_a_point(client: httpx.Client) -> None:
    for model in ("grey", "bent"):
        url = f"/models/{model}/sample?seed=9&n=3&temperature=0.5&format=npy"
        samples = array(client.get(url))
        points = {"points": [{"seed": 9, "index": row, "temperature": 0.5} for row in range(3)]}
        located = client.post(f"/models/{model}/locate", json=points).json()
        assert located.pop("model") == client.get(url).headers["X-Latentd-Model"]
        again = client.post(f"/models/{model}/decode?format=npy", json=located)
        assert np.array_equal(array(again), samples)


def test_images_lie_at_the_mean_of_their_posterior(client: httpx.Client) -> None:
    png = client.get("/sample?seed=4").content
    mean = client.post("/encode", content=png, headers=PNG).json()["mean"]
    assert client.post("/locate", content=png, headers=PNG).json()["latents"] == mean
    latent = [[0.5, -1, 0, 2, 0]]
    located = client.post("/locate", json={"points": [{"latent": latent[0]}]})
    assert located.json()["latents"] == latent


def test_a_traversal_changes_one_number_at_a_time(client: httpx.Client) -> None:
    start = row_noise(5, 1, (5,))[0]
    body = {"point": {"seed": 5}, "dimensions": [3, 1], "steps": 5}
    answer = client.post("/traverse?format=npy", json=body)
    assert picture(client.post("/traverse", json=body)).shape == (2 * 8, 5 * 8)
    assert answer.headers["X-Latentd-Dimensions"] == "3, 1"
    # The normal distribution's quantiles 0.05, 0.275, 0.5, 0.725 and 0.95.
    quantiles = np.array([-1.644854, -0.597760, 0, 0.597760, 1.644854], np.float32)
    latents = np.tile(start, (2, 5, 1))
    latents[0, :, 3] = latents[1, :, 1] = quantiles
    wanted = decoded(client, latents.reshape(10, 5).tolist())
    assert np.allclose(array(answer), wanted, atol=1e-5)


def test_dimensions_are_named_or_chosen(client: httpx.Client) -> None:
    path, body = "/models/rows/traverse", {"point": {"seed": 5}, "strongest": 2, "steps": 4}
    named = client.post(path, json=body | {"dimensions": [1]})
    assert "give one of them" in problem(named, 422)
    chosen = client.post(path, json=body | {"dimensions": None})
    assert chosen.headers["X-Latentd-Dimensions"] == "0"


def test_the_strongest_dimensions_are_found(client: httpx.Client) -> None:
    body = {"point": {"seed": 5}, "strongest": 9, "steps": 4}
    answer = client.post("/models/rows/traverse?format=npy", json=body)
    # With its random weights, the other number tells too little about a row.
    assert answer.headers["X-Latentd-Dimensions"] == "0"
    assert array(answer).shape == (4, 6)
    body = {"point": {"seed": 5}, "dimensions": [0], "steps": 4}
    named = client.post("/models/rows/traverse?format=npy", json=body)
    assert named.content == answer.content
    assert client.get("/models/rows/map?x=1&steps=3").headers["X-Latentd-Dimensions"] == "1, 0"


def test_a_model_that_uses_no_dimension_says_so(client: httpx.Client) -> None:
    # Random weights tell digits apart too little to be called in use.
    assert "name some yourself" in problem(
        client.post("/traverse", json={"point": {"seed": 1}}), 422
    )
    assert "name x and y yourself" in problem(client.get("/map"), 422)


def test_a_learned_prior_is_walked_between_its_own_quantiles(client: httpx.Client) -> None:
    noise = row_noise(0, 4096, (5,))
    prior = noise + np.tanh(noise[:, ::-1])  # tests.factories.BentPrior
    ends = np.quantile(prior[:, 2], [0.05, 0.95])
    found = array(client.get("/models/bent/map?x=2&y=0&steps=2&format=npy"))
    medians = np.quantile(prior, 0.5, axis=0)
    corners = np.tile(medians, (4, 1))
    corners[:, 2] = np.tile(ends, 2)
    corners[:, 0] = np.quantile(prior[:, 0], [0.05, 0.95]).repeat(2)
    wanted = client.post("/models/bent/decode?format=npy", json={"latents": corners.tolist()})
    assert np.allclose(found, array(wanted), atol=1e-5)


def test_a_map_may_go_through_a_sample(client: httpx.Client) -> None:
    start = row_noise(7, 1, (5,))[0]
    found = array(client.get("/map?x=0&y=4&steps=3&seed=7&format=npy"))
    middle = start.copy()
    middle[[0, 4]] = 0
    assert np.allclose(found[4], decoded(client, [middle.tolist()])[0], atol=1e-5)
    for point in ({"seed": 7}, {"latent": start.tolist()}):
        question = {"x": 0, "y": 4, "steps": 3, "point": point}
        posted = client.post("/map?format=npy", json=question)
        assert np.allclose(array(posted), found, atol=1e-6)
    assert array(client.post("/map?format=npy", json={"x": 0, "y": 4})).shape[0] == 144
    again = client.get("/map?x=0&y=4&steps=3&seed=7&format=npy")
    assert again.headers["ETag"]
    assert np.array_equal(array(again), found)


def test_a_projection_lays_samples_out_by_how_they_are_seen(client: httpx.Client) -> None:
    samples = array(client.get("/sample?n=1024&seed=0&format=npy"))
    found = array(client.get("/map?projection=true&steps=6&format=npy"))
    assert np.array_equal(
        found, array(client.post("/map?format=npy", json={"projection": True, "steps": 6}))
    )
    flat, places = samples.reshape(1024, -1), found.reshape(36, -1)
    apart = np.abs(places[:, None] - flat).max(2)
    assert apart.min(1).max() == 0  # each is one of the samples
    file = io.BytesIO()
    np.save(file, samples)
    headers = {"Content-Type": "application/x-npy"}
    seen = np.array(client.post("/encode", content=file.getvalue(), headers=headers).json()["mean"])
    _, _, axes = np.linalg.svd(seen - seen.mean(0), full_matrices=False)
    where = (seen[apart.argmin(1)] @ axes[:2].T).reshape(6, 6, 2)
    # From side to side of the map, one goes along its axis; from one place to the next, mostly.
    assert abs(np.sign(np.diff(where[..., 0], axis=1)).mean()) > 0.8
    assert abs(np.sign(np.diff(where[..., 1], axis=0)).mean()) > 0.8
    assert client.get("/map?projection=true&steps=6").headers["X-Latentd-Seed"] == "0"


def test_a_projection_has_axes_of_its_own(client: httpx.Client) -> None:
    for query in ("x=0", "seed=1", "y=2&x=1"):
        assert "axes of its own" in problem(client.get(f"/map?projection=true&{query}"), 422)
    body = {"projection": True, "point": {"seed": 1}}
    assert "axes of its own" in problem(client.post("/map", json=body), 422)
    assert "at most 4096" in problem(client.get("/map?projection=true&steps=65"), 422)


def test_a_sum_is_the_sum(client: httpx.Client) -> None:
    one, other = row_noise(1, 1, (5,))[0], row_noise(2, 3, (5,))[2]
    latent = [0.5, -1, 0, 2, 0]
    terms = [{"seed": 1}, {"seed": 2, "index": 2, "weight": -0.5}, {"latent": latent, "weight": 2}]
    answer = client.post("/arithmetic?format=npy", json={"terms": terms})
    wanted = one - 0.5 * other + 2 * np.array(latent, np.float32)
    assert np.allclose(array(answer), decoded(client, [wanted.tolist()]), atol=1e-5)
    assert answer.headers["X-Latentd-Seed"] == "1, 2"


def test_images_latents_and_seeds_are_taken_alike(client: httpx.Client) -> None:
    png = client.get("/sample?seed=4").content
    mean = client.post("/encode", content=png, headers=PNG).json()["mean"][0]
    image = {"image": base64.b64encode(png).decode()}
    for path, key, more in (
        ("/traverse", "point", {"dimensions": [0]}),
        ("/arithmetic", "terms", {}),
        ("/reconstruct", "points", {}),
    ):
        by_image, by_latent = (
            client.post(path, json={key: point if key == "point" else [point]} | more)
            for point in (image, {"latent": mean})
        )
        same = by_image.content == by_latent.content
        assert same == (path != "/reconstruct")


def test_a_sheet_lies_between_four_corners(client: httpx.Client) -> None:
    seeds = [{"seed": seed} for seed in (1, 2, 3, 4)]
    body = {"points": seeds, "steps": 5, "rows": 3}
    frames = array(client.post("/interpolate?format=npy", json=body))
    samples = [array(client.get(f"/sample?seed={seed}&format=npy"))[0] for seed in (1, 2, 3, 4)]
    assert np.array_equal(frames[[0, 4, 10, 14]], np.stack(samples))
    assert picture(client.post("/interpolate", json=body)).shape == (3 * 8, 5 * 8)
    got = client.get("/interpolate?seed=1&seed=2&seed=3&seed=4&steps=5&rows=3&format=npy")
    assert np.array_equal(array(got), frames)


def test_a_loop_comes_back_without_a_frame_twice(client: httpx.Client) -> None:
    path = "/interpolate?seed=1&seed=2&seed=3&steps=9&loop=true&format=npy"
    frames = array(client.get(path))
    closed = array(client.get("/interpolate?seed=1&seed=2&seed=3&seed=1&steps=10&format=npy"))
    assert np.array_equal(frames, closed[:9])


@pytest.mark.parametrize(("path", "body"), IN_ROWS)
@pytest.mark.parametrize("form", ["png", "npy", "json", "zip", "safetensors"])
def test_they_answer_in_every_form(
    client: httpx.Client, path: str, body: dict[str, object], form: str
) -> None:
    assert client.post(f"{path}?format={form}", json=body).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/reconstruct?rounds=65", {"points": [{"seed": 1}]}, "less than or equal to 64"),
        ("/reconstruct", {"points": []}, "points"),
        ("/reconstruct", {"points": [{"seed": 1}] * 4097}, "at most 4096"),
        ("/reconstruct", {"points": [{"index": 1}]}, "exactly one of"),
        ("/reconstruct", {"points": [{"latent": [0] * 5, "index": 1}]}, "no seed is given"),
        ("/locate", {"points": [{"latent": [0] * 5, "temperature": 1}]}, "no seed is given"),
        ("/reconstruct", {"points": [{"seed": 1, "index": 4096}]}, "LATENTD_MAX_ROWS"),
        (
            "/reconstruct",
            {"points": [{"seed": seed, "index": 4000} for seed in range(50)]},
            "200050 samples of seeds: one request may have at most 4096",
        ),
        ("/traverse", {"point": {"seed": 1}, "dimensions": [5]}, "the latent has 5"),
        ("/traverse", {"point": {"seed": 1}, "dimensions": [1, 1]}, "named twice"),
        ("/traverse", {"point": {"seed": 1}, "dimensions": [0], "steps": 5000}, "at most 4096"),
        ("/arithmetic", {"terms": [{"direction": "smile"}]}, "none was published with it"),
        ("/arithmetic", {"terms": [{"direction": ""}]}, "has no direction ''"),
        ("/arithmetic", {"terms": [{"latent": [1e30] * 5, "weight": 2}]}, "beyond ±1e+30"),
        (
            "/restore",
            {"point": {"seed": 1}, "noise": 0.3, "samples": 17},
            "17 samples of 16 chains",
        ),
        ("/arithmetic", {"terms": [{"direction": "smile", "seed": 1}]}, "exactly one of"),
        ("/arithmetic", {"terms": [{"seed": 1, "weight": 101}]}, "less than or equal to 100"),
        ("/arithmetic", {"terms": [{"seed": 1}] * 65}, "LATENTD_MAX_POINTS"),
        ("/interpolate", {"points": [{"seed": 1}] * 3, "rows": 3}, "4 points"),
        ("/interpolate", {"points": [{"seed": 1}] * 4, "rows": 3, "loop": True}, "neither loop"),
        ("/interpolate", {"points": [{"seed": 1}] * 4, "steps": 99, "rows": 99}, "at most 4096"),
        ("/interpolate", {"points": [{"seed": 1}] * 2, "easing": "bounce"}, "in_out"),
        ("/interpolate", {"points": [{"seed": 1}] * 10_000}, "LATENTD_MAX_POINTS"),
    ],
)
def test_a_bad_question_names_value_limit_and_remedy(
    client: httpx.Client, path: str, body: dict[str, object], words: str
) -> None:
    detail = problem(client.post(path, json=body), 422)
    assert words in detail, detail
    assert client.post("/decode", json={"latents": [[0] * 5]}).status_code == 200


def test_a_map_of_no_dimension_is_refused(client: httpx.Client) -> None:
    assert "the latent has 5" in problem(client.get("/map?x=0&y=17"), 422)
    assert "named twice" in problem(client.get("/map?x=2&y=2"), 422)
    assert "at most 4096" in problem(client.get("/map?x=0&y=1&steps=65"), 422)


def test_a_model_without_its_likelihood_scores_nothing(client: httpx.Client) -> None:
    for model in ("bent", "colour"):
        answer = client.post(f"/models/{model}/score", json={"points": [{"seed": 1}]})
        assert "without its likelihood or its prior's density" in problem(answer, 422)


def test_grey_levels_are_scored_as_black_and_white(client: httpx.Client) -> None:
    points = {"points": [{"seed": 1}, {"seed": 1, "index": 1}]}
    answer = client.post("/score?k=20&seed=3", json=points).json()
    white = binarize(array(client.get("/sample?seed=1&n=2&format=npy")), 3)
    again = client.post("/score?k=20&seed=3", content=npy(white), headers=NPY).json()
    assert again == answer
