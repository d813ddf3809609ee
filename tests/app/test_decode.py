"""`/decode`, called on a running service."""

import io
import random

import httpx
import numpy as np
import pytest
import torch

from tests.app.conftest import array, picture, problem
from tests.factories import KINDS, eager

NPY = {"Content-Type": "application/x-npy"}


def npy(values: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values))
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_what_the_model_itself_decodes(client: httpx.Client, kind: str) -> None:
    module, shape = eager(kind), KINDS[kind].latent_shape
    latents = torch.randn((5, *shape), generator=torch.Generator().manual_seed(3))
    model = {"grey": "grey@1"}.get(kind, kind)
    body = {"latents": latents.tolist()}
    rows = array(client.post(f"/models/{model}/decode?format=npy", json=body))
    with torch.no_grad():
        expected = module.decode(latents).numpy()  # type: ignore[operator]
    assert np.allclose(rows, expected, atol=1e-6)


def test_one_latent_is_one_image_and_several_are_a_sheet(client: httpx.Client) -> None:
    assert picture(client.post("/decode", json={"latents": [[0] * 5]})).shape == (8, 8)
    assert picture(client.post("/decode", json={"latents": [[0] * 5] * 4})).shape == (16, 16)


def test_a_latent_map_is_nested_lists(client: httpx.Client) -> None:
    body = {"latents": np.zeros((1, 2, 4, 4)).tolist()}
    assert picture(client.post("/models/colour/decode", json=body)).shape == (8, 8, 3)


def test_npy_in_gives_what_json_in_gives(client: httpx.Client) -> None:
    latents = np.linspace(-1, 1, 10, dtype=np.float32).reshape(2, 5)
    from_npy = client.post("/decode?format=npy", content=npy(latents), headers=NPY)
    from_json = client.post("/decode?format=npy", json={"latents": latents.tolist()})
    assert from_npy.content == from_json.content


@pytest.mark.parametrize(
    ("latents", "words"),
    [
        ([], ["at least 1 item"]),
        ([[0] * 4], ["[4]", "[5]"]),
        ([[0] * 5, [0] * 6], ["latents[1]", "[6]", "[5]"]),
        ([0] * 5, ["[5]", "[n, 5]"]),
        ([["x"] * 5], ["not a number"]),
        ([[None] * 5], ["not a number"]),
        ([[0] * 5, [0, 3e38] + [0] * 3], ["latents[1]", "3e+38", "from -1e+30 to 1e+30"]),
        ([[-1.0000001e30] + [0] * 4], ["latents[0]", "-1.0000001e+30", "1e+30"]),
        ([[1e39] + [0] * 4], ["latents[0]", "1e+39", "1e+30"]),
        ("text", ["latents"]),
    ],
)
def test_bad_latents_are_named(client: httpx.Client, latents: object, words: list[str]) -> None:
    detail = problem(client.post("/decode", json={"latents": latents}), 422)
    for word in words:
        assert word in detail, detail


@pytest.mark.parametrize("number", [1e30, -1e30])
def test_latents_up_to_the_bound_are_decoded(client: httpx.Client, number: float) -> None:
    from_json = client.post("/decode?format=npy", json={"latents": [[number] * 5]})
    rows = npy(np.full((1, 5), number, np.float32))
    from_npy = client.post("/decode?format=npy", content=rows, headers=NPY)
    assert np.isfinite(array(from_json)).all()
    assert from_npy.content == from_json.content


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/interpolate", {"points": [{"seed": 1}, {"latent": [3e38] * 5}]}),
        ("/locate", {"points": [{"latent": [3e38] * 5}]}),
        ("/traverse", {"point": {"latent": [3e38] * 5}}),
        ("/arithmetic", {"terms": [{"latent": [3e38] * 5}]}),
        ("/map", {"point": {"latent": [3e38] * 5}}),
    ],
)
def test_a_latent_beyond_the_bound_is_no_point(
    client: httpx.Client, path: str, body: object
) -> None:
    detail = problem(client.post(path, json=body), 422)
    assert "latent[0] holds 3e+38; numbers are to be from -1e+30 to 1e+30" in detail


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_json_that_is_no_finite_number_is_refused(client: httpx.Client, number: str) -> None:
    body = f'{{"latents": [[{number}, 0, 0, 0, 0]]}}'
    answer = client.post("/decode", content=body, headers={"Content-Type": "application/json"})
    assert "NaN or infinity" in problem(answer, 422)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"no npy at all", 400, "not a .npy file"),
        (
            npy(np.zeros((2, 5), np.float32))[:-4],
            400,
            "claims the shape [2, 5] of float32 and 36 bytes follow",
        ),
        (npy(np.zeros((1, 4), np.float32)), 422, "[4]"),
        (npy(np.zeros((0, 5), np.float32)), 422, "n ≥ 1"),
        (npy(np.full((1, 5), np.nan, np.float32)), 422, "NaN"),
        (npy(np.full((1, 5), 3e38, np.float32)), 422, "3e+38; numbers are to be from -1e+30"),
        (npy(np.array([["a"] * 5])), 422, "float32"),
        (npy(np.zeros((1, 5), np.complex64)), 422, "complex64"),
    ],
)
def test_bad_npy_is_refused(client: httpx.Client, body: bytes, status: int, words: str) -> None:
    assert words in problem(client.post("/decode", content=body, headers=NPY), status)


@pytest.mark.parametrize("shape", [b"(99999999999, 5)", b"(2**9, 5)", b"(2, 5),", b"(-1, -10)"])
def test_an_npy_header_cannot_claim_what_the_body_lacks(client: httpx.Client, shape: bytes) -> None:
    honest = npy(np.zeros((2, 5), np.float32))
    body = honest.replace(b"(2, 5), }".ljust(len(shape) + 3), shape + b", }")
    assert len(body) == len(honest)
    problem(client.post("/decode", content=body, headers=NPY), 400)


def npy_claiming(descr: str, shape: str, num_bytes: int = 0) -> bytes:
    """A `.npy` file whose header says what no writer would."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(num_bytes)


NO_ARRAYS = [
    *(("'|S0'", "(1, 5)", 0), ("'|V0'", "(1, 5)", 0), ("'<U0'", "(1, 5)", 0), ("[]", "(1, 5)", 0)),
    *(("('<f4', (2,))", "(1, 5)", 40), ("('<f4', (0,))", "(1, 5)", 0)),
    *(("'<f4'", f"(0, {2**63})", 0), ("'<f4'", f"(0, {2**62}, 8)", 0)),
    *(("'<f4'", f"({'1, ' * 65})", 4), ("'<f4'", f"({'1, ' * 3000})", 4)),
    ("'<f4'", "(True, 32)", 128),
]


@pytest.mark.parametrize("path", ["/decode", "/encode"])
@pytest.mark.parametrize(("descr", "shape", "num_bytes"), NO_ARRAYS)
def test_an_npy_header_that_no_array_has_is_refused_in_words(
    client: httpx.Client, path: str, descr: str, shape: str, num_bytes: int
) -> None:
    body = npy_claiming(descr, shape, num_bytes)
    detail = problem(client.post(path, content=body, headers=NPY), 400)
    assert ".npy" in detail
    assert len(detail) < 400


def test_no_npy_header_is_the_services_fault(client: httpx.Client) -> None:
    dice = random.Random(8)
    kinds = ["'<f4'", "'>f8'", "'|u1'", "'<M8[s]'", "[('a', '<f4')]", "('<f4', (5,))", "'V'"]
    shapes = ["(2, 5)", "()", "(10,)", "(0, 5)", "(1, 5, 0)", "(2, 0, 5)", f"(0, {2**62}, 2)"]
    statuses = []
    for number in range(200):
        body = bytearray(
            npy_claiming(dice.choice(kinds), dice.choice(shapes), dice.choice([0, 40]))
        )
        for _ in range(dice.choice([0, 1, 1, 2])):
            # Behind the magic: its version, its length, its text.
            body[dice.randrange(6, 60)] = dice.choice(b"0123456789()[]{},'<>|fuiSVUOT \0\xff")
        answer = client.post(("/decode", "/encode")[number % 2], content=bytes(body), headers=NPY)
        statuses.append(answer.status_code)
    assert set(statuses) <= {200, 400, 422}
    assert {400, 422} <= set(statuses)


def test_python_objects_in_npy_are_not_unpickled(client: httpx.Client) -> None:
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    answer = client.post("/decode", content=file.getvalue(), headers=NPY)
    assert "Python objects" in problem(answer, 400)


def test_an_unknown_media_type_names_those_that_are_read(client: httpx.Client) -> None:
    answer = client.post("/decode", content=b"x", headers={"Content-Type": "text/csv"})
    detail = problem(answer, 415)
    assert "text/csv" in detail
    assert "application/json" in detail


def test_broken_json_says_so_and_does_not_quote_the_body(client: httpx.Client) -> None:
    body = b'{"latents": [[secret-value-in-the-body-that-goes-on-and-on'
    answer = client.post("/decode", content=body, headers={"Content-Type": "application/json"})
    assert "Invalid JSON" in problem(answer, 422)
    assert "secret-value" not in answer.text


def test_a_body_over_the_limit_is_refused_and_the_next_is_served(
    tight_client: httpx.Client,
) -> None:
    body = {"latents": [[0.123456789] * 5] * 200}
    assert "LATENTD_MAX_BODY_BYTES" in problem(tight_client.post("/decode", json=body), 413)
    assert tight_client.post("/decode", json={"latents": [[0] * 5]}).status_code == 200


def test_rows_over_the_limit_are_refused(tight_client: httpx.Client) -> None:
    answer = tight_client.post("/decode", json={"latents": [[0] * 5] * 9})
    assert "9 rows" in problem(answer, 422)
