"""`/sample`, called on a running service."""

import httpx
import numpy as np
import pytest
import torch

from app.latent_math import row_noise
from tests.app.conftest import array, picture, problem
from tests.factories import KINDS, eager


def test_one_sample_is_one_image_of_the_models_size(client: httpx.Client) -> None:
    assert picture(client.get("/sample?seed=1")).shape == (8, 8)


def test_several_samples_are_a_square_sheet(client: httpx.Client) -> None:
    assert picture(client.get("/sample?n=16&seed=1")).shape == (32, 32)


def test_a_sheet_with_places_left_over_is_black_there(client: httpx.Client) -> None:
    sheet = picture(client.get("/sample?n=3&seed=1"))
    assert sheet.shape == (16, 16)
    assert not sheet[8:, 8:].any()


def test_the_same_url_gives_the_same_bytes(client: httpx.Client) -> None:
    first, second = (client.get("/sample?n=16&seed=1") for _ in range(2))
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]


def test_another_seed_gives_another_image(client: httpx.Client) -> None:
    assert client.get("/sample?seed=1").content != client.get("/sample?seed=2").content


@pytest.mark.parametrize("model", KINDS)
def test_row_i_of_a_seed_does_not_depend_on_n(client: httpx.Client, model: str) -> None:
    many = array(client.get(f"/models/{model}/sample?n=64&seed=9&format=npy"))
    for n in (1, 2, 4, 7, 33):
        few = array(client.get(f"/models/{model}/sample?n={n}&seed=9&format=npy"))
        assert np.array_equal(few, many[:n]), f"n = {n}"


def test_a_request_larger_than_a_batch_begins_with_the_smaller_one(client: httpx.Client) -> None:
    many = array(client.get("/sample?n=1000&seed=3&format=npy"))
    assert many.shape == (1000, 1, 8, 8)
    assert np.array_equal(array(client.get("/sample?n=4&seed=3&format=npy")), many[:4])


def test_without_a_seed_the_answer_says_which_seed_gives_it_again(client: httpx.Client) -> None:
    answer = client.get("/sample?n=2")
    again = client.get("/sample", params={"n": 2, "seed": answer.headers["X-Latentd-Seed"]})
    assert again.content == answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert client.get("/sample?n=2").headers["X-Latentd-Seed"] != answer.headers["X-Latentd-Seed"]


def test_post_answers_what_get_answers(client: httpx.Client) -> None:
    question = {"n": 4, "seed": 5, "temperature": 0.5}
    posted = client.post("/sample?scale=2", json=question)
    assert posted.content == client.get("/sample", params={**question, "scale": 2}).content
    assert picture(client.post("/sample")).shape == (8, 8)


def test_a_learned_prior_draws_the_latents(client: httpx.Client) -> None:
    noise = torch.from_numpy(row_noise(3, 4, (5,)))
    with torch.no_grad():
        latents = eager("bent").prior(noise)  # type: ignore[operator]
    got = array(client.get("/models/bent/sample?n=4&seed=3&format=npy"))
    body = {"latents": latents.tolist()}
    expected = array(client.post("/models/bent/decode?format=npy", json=body))
    assert np.allclose(got, expected, atol=1e-6)
    walk = array(client.get("/models/bent/interpolate?seed=3&seed=4&steps=5&format=npy"))
    assert np.array_equal(walk[0], got[0])


def test_temperature_zero_is_the_centre_of_the_prior(client: httpx.Client) -> None:
    rows = array(client.get("/sample?n=2&seed=1&temperature=0&format=npy"))
    centre = array(client.post("/decode?format=npy", json={"latents": [[0] * 5]}))
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[:1], centre)


def test_a_named_version_answers_for_itself(client: httpx.Client) -> None:
    answers = {name: client.get(f"/models/{name}/sample?seed=1") for name in ("grey@1", "grey")}
    assert answers["grey@1"].headers["X-Latentd-Model"] == "grey@1"
    assert answers["grey"].headers["X-Latentd-Model"] == "grey@2"
    assert answers["grey@1"].content != answers["grey"].content
    assert client.get("/sample?seed=1").content == answers["grey@1"].content


def test_a_known_etag_is_answered_304_without_the_device(client: httpx.Client) -> None:
    answer = client.get("/sample?n=4&seed=77")
    before = _batches(client)
    for tag in (answer.headers["ETag"], f'W/{answer.headers["ETag"]}, "other"'):
        again = client.get("/sample?n=4&seed=77", headers={"If-None-Match": tag})
        assert again.status_code == 304
        assert not again.content
        assert again.headers["ETag"] == answer.headers["ETag"]
    assert _batches(client) == before


def _batches(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("latentd_batch_rows_count")]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


def test_the_etag_covers_model_question_and_form(client: httpx.Client) -> None:
    urls = [
        "/sample?seed=1",
        "/sample?seed=2",
        "/sample?seed=1&scale=2",
        "/sample?seed=1&format=json",
        "/sample?seed=1&temperature=0.5",
        "/models/grey@2/sample?seed=1",
        "/interpolate?seed=1&seed=2",
        "/interpolate?seed=2&seed=1",
    ]
    tags = [client.get(url).headers["ETag"] for url in urls]
    assert len(set(tags)) == len(urls)
    # Defaults spelled out are the same question.
    assert client.get("/sample?n=1&seed=1&temperature=1").headers["ETag"] == tags[0]
    assert client.get("/sample?seed=1", headers={"Accept": "image/png"}).headers["ETag"] == tags[0]


def test_a_pinned_version_may_be_kept_longer_than_a_name(client: httpx.Client) -> None:
    pinned = client.get("/models/grey@1/sample?seed=1").headers["Cache-Control"]
    named = client.get("/models/grey/sample?seed=1").headers["Cache-Control"]
    assert "immutable" in pinned
    assert named == "public, max-age=60"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("n=0", ["n: 0 given", "greater than or equal to 1"]),
        ("n=-3", ["n: -3 given"]),
        ("n=1000000000", ["1000000000 samples", "4096", "LATENTD_MAX_ROWS"]),
        ("n=four", ["n: four given", "valid integer"]),
        ("seed=-1", ["seed: -1 given"]),
        ("seed=9007199254740992", ["seed", "9007199254740991"]),
        ("temperature=nan", ["temperature", "finite"]),
        ("temperature=11", ["temperature", "10"]),
        ("scale=0", ["scale"]),
        ("layout=heap", ["layout", "'grid' or 'strip'"]),
        ("sead=1", ["sead", "the query has no such parameter"]),
        ("n=4000&scale=64", ["pixels", "16777216", "LATENTD_MAX_PIXELS"]),
    ],
)
def test_a_bad_question_names_value_limit_and_remedy(
    client: httpx.Client, query: str, words: list[str]
) -> None:
    detail = problem(client.get(f"/sample?{query}"), 422)
    for word in words:
        assert word in detail, detail
    assert client.get("/sample?seed=1").status_code == 200


def test_an_unknown_model_or_version_names_those_there_are(client: httpx.Client) -> None:
    for name in ("mnits", "grey@9", "grey@x", "..%2f..", "x" * 300):
        detail = problem(client.get(f"/models/{name}/sample"), 404)
        assert (
            "nothing at this path" in detail or "grey@1, grey@2, bent@1, colour@1, rows@1" in detail
        )


def test_limits_are_the_operators(tight_client: httpx.Client) -> None:
    assert "at most 8" in problem(tight_client.get("/sample?n=9"), 422)
    assert "at most 600" in problem(tight_client.get("/sample?n=8&scale=2"), 422)
    assert array(tight_client.get("/sample?n=8&format=npy")).shape == (8, 1, 8, 8)
