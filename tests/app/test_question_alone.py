"""An answer depends on its question alone, not on what the service may take at a time."""

import httpx
import numpy as np
import pytest

from tests.app.conftest import array, problem
from tests.app.test_formats import labelled


@pytest.mark.parametrize(
    "path",
    [
        "/map?projection=true&steps=2",
        "/models/rows/map?steps=2&x=0&y=1",
        "/interpolate?seed=1&seed=2&steps=6&spacing=pixel",
    ],
)
def test_the_limit_of_rows_changes_no_answer(
    client: httpx.Client, tight_client: httpx.Client, path: str
) -> None:
    answers = [one.get(f"{path}&format=npy") for one in (client, tight_client)]
    assert np.array_equal(array(answers[0]), array(answers[1]))
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]


def test_what_cannot_be_answered_is_refused_whatever_is_known_of_it(client: httpx.Client) -> None:
    for path in ("/map?x=99&y=98", "/sample?n=5000", "/interpolate?seed=1&seed=2&steps=5000"):
        assert problem(client.get(path, headers={"If-None-Match": "*"}), 422)
    known = client.get("/sample?seed=1")
    again = client.get("/sample?seed=1", headers={"If-None-Match": known.headers["ETag"]})
    assert again.status_code == 304


def test_many_seeds_are_not_named_in_each_picture(client: httpx.Client) -> None:
    few = {"points": [{"seed": seed} for seed in range(64)]}
    many = {"points": [{"seed": seed} for seed in range(65)]}
    some, none = (client.post("/reconstruct", json=points) for points in (few, many))
    assert some.headers["X-Latentd-Seed"].count(",") == 63
    assert labelled(some.content)["seeds"] == [*range(64)]
    assert "X-Latentd-Seed" not in none.headers
    assert labelled(none.content)["seeds"] == []


def test_every_form_names_the_temperature(client: httpx.Client) -> None:
    body = client.get("/sample?seed=7&temperature=0.5&format=json").json()
    assert body["temperature"] == 0.5
    file = client.get("/sample?seed=7&temperature=0.5&format=safetensors").content
    assert b'"temperature": "0.5"' in file[:400]
    assert b"temperature" not in client.get("/sample?seed=7&format=safetensors").content[:400]
