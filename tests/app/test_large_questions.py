"""Questions that are long, or wrong in thousands of places, are refused soon, in few words."""

import time

import httpx
import pytest

from tests.app.conftest import problem

JSON = {"Content-Type": "application/json"}
INVALID = "urn:latentd:problem:invalid-request"
OVER = "urn:latentd:problem:over-the-limit"


def listed(name: str, item: str, count: int) -> bytes:
    """`{name: [item, …]}`."""
    return f'{{"{name}":[{",".join([item] * count)}]}}'.encode()


def names(count: int) -> str:
    return ",".join(f'"a{number}":1' for number in range(count))


def refusal(client: httpx.Client, path: str, body: bytes, kind: str) -> str:
    """The detail of what must be a short problem of that kind."""
    answer = client.post(path, content=body, headers=JSON)
    detail = problem(answer, 422)
    assert answer.json()["type"] == kind, answer.text[:500]
    assert len(answer.content) < 10_000
    return detail


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/locate", listed("points", '{"seed":1}', 4097), "4097 points"),
        ("/score", listed("points", '{"x":1}', 30_000), "30000 points"),
        ("/interpolate", listed("points", '{"seed":1}', 65), "65 points: one request"),
        ("/neighbours", listed("points", "{}", 65), "65 points"),
        ("/arithmetic", listed("terms", "{}", 50_000), "50000 terms"),
        ("/traverse", listed("dimensions", "-1", 4097), "4097 dimensions"),
        ("/encode", listed("images", "1", 4097), "4097 images"),
        ("/decode", listed("latents", '["x"]', 4097), "4097 rows"),
        ("/models/rows/encode", listed("rows", '["x"]', 4097), "4097 rows"),
    ],
)  # fmt: skip
def test_a_list_is_refused_by_its_length_before_its_items_are_looked_at(
    client: httpx.Client, path: str, body: bytes, words: str
) -> None:
    detail = refusal(client, path, body, OVER)
    assert words in detail
    assert "have the operator raise LATENTD_MAX_" in detail


@pytest.mark.parametrize(
    "body", [listed("points", '{"x":1}', 3_000_000), b"[[1]," * 400_000], ids=len
)
def test_a_body_of_millions_of_values_is_not_even_parsed(client: httpx.Client, body: bytes) -> None:
    began = time.perf_counter()
    detail = refusal(client, "/locate", body, OVER)
    assert time.perf_counter() - began < 5
    # 4,096 rows of five numbers in three lists, and what else one may say.
    assert f"at most {4096 * (3 * 5 + 16)}, {4096 * (3 + 16)} and {4096 * 16}, which" in detail


def test_a_body_of_many_names_is_not_parsed_either(client: httpx.Client) -> None:
    detail = refusal(client, "/decode", f"{{{names(70_000)}}}".encode(), OVER)
    assert "70000 names; one request may have" in detail


@pytest.mark.parametrize("path", ["/decode", "/models/colour/decode"])
def test_the_most_that_may_be_sent_is_parsed(client: httpx.Client, path: str) -> None:
    """An answer of `/encode` to as many rows as there may be, which `/decode` takes whole."""
    latent = "[0,1,0,1,0]" if path == "/decode" else str([[[0] * 4] * 4] * 2)
    rows = ",".join([latent] * 4096)
    body = f'{{"model":"m","mean":[{rows}],"log_var":[{rows}],"latents":[{rows}]}}'.encode()
    answer = client.post(f"{path}?format=npy", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/locate", listed("points", '{"x":1}', 4096), "points.0.x"),
        ("/arithmetic", listed("terms", "{}", 64), "terms.0"),
        ("/traverse", listed("dimensions", "-1", 4096), "dimensions.0"),
        ("/encode", listed("images", "1", 4096), "images.0"),
    ],
)
def test_of_a_list_the_first_bad_item_is_named(
    client: httpx.Client, path: str, body: bytes, field: str
) -> None:
    refusal(client, path, body, INVALID)
    errors = client.post(path, content=body, headers=JSON).json()["errors"]
    # `point` is missing in the body of `/traverse`.
    assert {error["field"] for error in errors} - {"point"} == {field}


def test_of_many_faults_some_are_listed_and_the_others_counted(client: httpx.Client) -> None:
    body = f'{{"latents":[[0,0,0,0,0]],{names(900)}}}'.encode()
    assert "a4: the body has no such parameter" in refusal(client, "/decode", body, INVALID)
    answer = client.post("/decode", content=body, headers=JSON).json()
    assert [error["field"] for error in answer["errors"]] == [f"a{number}" for number in range(20)]
    assert answer["detail"].endswith("; and 895 more")


@pytest.mark.parametrize("count", [7_000, 60_000])
def test_too_many_faults_to_list_are_counted(client: httpx.Client, count: int) -> None:
    body = f'{{"latents":[[0,0,0,0,0]],{names(count)}}}'.encode()
    assert f"{count} faults, too many to list" in refusal(client, "/decode", body, INVALID)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/sample", "&".join(f"a{number}" for number in range(9_000))),
        ("/interpolate", "seed=x&" * 8_000),
    ],
    ids=["names", "values"],
)
def test_a_query_of_thousands_of_faults_is_answered_in_few_words(
    client: httpx.Client, path: str, query: str
) -> None:
    answer = client.get("/", extensions={"target": f"{path}?{query}".encode()})
    assert "faults, too many to list" in problem(answer, 422)
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("name", ["x" * 500_000, "\\ud800", "\\u0000", "é" * 3000])
def test_a_name_or_number_of_any_length_is_not_repeated(client: httpx.Client, name: str) -> None:
    refusal(client, "/decode", f'{{"{name}": 1}}'.encode(), INVALID)
    refusal(client, "/sample", f'{{"seed": "{name}"}}'.encode(), INVALID)


@pytest.mark.parametrize("digits", [41, 4_000, 5_000, 100_000])
def test_a_number_of_any_length_is_not_repeated(client: httpx.Client, digits: int) -> None:
    for number in ("9" * digits, "-" + "9" * digits, "9" * digits + ".5"):
        detail = refusal(client, "/sample", f'{{"n": 1, "seed": {number}}}'.encode(), INVALID)
        assert len(detail) < 500
