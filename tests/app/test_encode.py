"""`/encode`, called on a running service."""

import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.app.conftest import problem
from tests.app.processes import service
from tests.factories import eager

Floats = NDArray[np.float32]

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
PNG = {"Content-Type": "image/png"}
NPY = {"Content-Type": "application/x-npy"}


def file(pixels: NDArray[np.generic], form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def npy(values: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def posterior(kind: str, x: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """What the eager module says of `x`."""
    with torch.no_grad():
        mean, log_var = eager(kind).encode(torch.from_numpy(x))  # type: ignore[operator]
    return mean.numpy(), log_var.numpy()


GREY: Floats = PIXELS[None, None].astype(np.float32) / np.float32(255)


def test_an_image_is_encoded_as_the_model_itself_does(client: httpx.Client) -> None:
    body = client.post("/encode", content=file(PIXELS), headers=PNG).json()
    mean, log_var = posterior("grey", GREY)
    assert body["model"] == "grey@1"
    assert np.allclose(body["mean"], mean, atol=1e-5)
    assert np.allclose(body["log_var"], log_var, atol=1e-5)
    assert body["latents"] == body["mean"]


def test_every_way_to_send_an_image_gives_the_same_latents(client: httpx.Client) -> None:
    png = file(PIXELS)
    text = base64.b64encode(png).decode()
    answers = [
        client.post("/encode", content=png, headers=PNG),
        client.post("/encode", json={"images": [text]}),
        client.post("/encode", json={"images": [f"data:image/png;base64,{text}"]}),
        client.post("/encode", files=[("images", ("digit.png", png, "image/png"))]),
        client.post("/encode", content=npy(PIXELS[None, None]), headers=NPY),
        client.post("/encode", content=npy(GREY), headers=NPY),
        client.post(
            "/encode",
            content=file(PIXELS, "WEBP", lossless=True),
            headers={"Content-Type": "image/webp"},
        ),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.json()["mean"] == answers[0].json()["mean"]


def test_a_jpeg_is_read_too(client: httpx.Client) -> None:
    jpeg = file(PIXELS, "JPEG", quality=95)
    body = client.post("/encode", content=jpeg, headers={"Content-Type": "image/jpeg"}).json()
    assert np.allclose(body["mean"], posterior("grey", GREY)[0], atol=0.1)


def test_several_images_keep_their_order(client: httpx.Client) -> None:
    pictures = [PIXELS, PIXELS.T.copy(), 255 - PIXELS]
    files = [("images", (f"{i}.png", file(p), "image/png")) for i, p in enumerate(pictures)]
    together = client.post("/encode", files=files).json()["mean"]
    alone = [client.post("/encode", content=file(p), headers=PNG).json() for p in pictures]
    assert together == [body["mean"][0] for body in alone]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.repeat(PIXELS[..., None], 3, 2), PIXELS),  # grey stored as colour
        (PIXELS.astype(np.uint16) * 257, PIXELS),  # 16 bits a pixel
        (np.dstack([PIXELS, np.full_like(PIXELS, 7)]), PIXELS),  # alpha is dropped
        (PIXELS > 100, (PIXELS > 100) * np.uint8(255)),  # one bit a pixel
    ],
)
def test_other_modes_are_converted(
    client: httpx.Client, pixels: NDArray[np.generic], expected: NDArray[np.uint8]
) -> None:
    got = client.post("/encode", content=file(pixels), headers=PNG).json()
    want = client.post("/encode", content=file(expected), headers=PNG).json()
    assert got == want


def test_a_seed_draws_latents_from_the_posterior(client: httpx.Client) -> None:
    png = file(PIXELS)
    one, two, other = (
        client.post(f"/encode?seed={seed}", content=png, headers=PNG) for seed in (1, 1, 2)
    )
    assert one.json() == two.json()
    assert one.headers["X-Latentd-Seed"] == "1"
    assert one.json()["latents"] != other.json()["latents"]
    assert one.json()["latents"] != one.json()["mean"]


def test_draws_have_the_posteriors_mean_and_variance(client: httpx.Client) -> None:
    images = np.repeat(PIXELS[None, None], 4000, 0)
    body = client.post("/encode?seed=3", content=npy(images), headers=NPY).json()
    latents, mean = np.array(body["latents"]), np.array(body["mean"][0])
    deviation = np.exp(np.array(body["log_var"][0]) / 2)
    assert np.allclose(latents.mean(0), mean, atol=4 * deviation.max() / 4000**0.5)
    assert np.allclose(latents.std(0), deviation, rtol=0.06)


def test_encode_then_decode_is_the_models_reconstruction(client: httpx.Client) -> None:
    latents = client.post("/encode", content=file(PIXELS), headers=PNG).json()["latents"]
    answer = client.post("/decode?format=npy", json={"latents": latents})
    got = np.load(io.BytesIO(answer.content))
    with torch.no_grad():
        expected = eager("grey").decode(torch.from_numpy(posterior("grey", GREY)[0]))  # type: ignore[operator]
    assert np.allclose(got, expected.numpy(), atol=1e-5)


def test_an_answer_is_a_question_to_decode_as_it_is(client: httpx.Client) -> None:
    answer = client.post("/encode", content=file(PIXELS), headers=PNG)
    json = {"Content-Type": "application/json"}
    whole = client.post("/decode", content=answer.content, headers=json)
    picked = client.post("/decode", json={"latents": answer.json()["latents"]})
    assert whole.content == picked.content
    assert whole.headers["Content-Type"] == "image/png"


def test_rows_of_a_vector_model_are_json_or_npy(client: httpx.Client) -> None:
    rows: Floats = np.linspace(-5, 5, 12).astype(np.float32).reshape(2, 6)
    from_json = client.post("/models/rows/encode", json={"rows": rows.tolist()}).json()
    from_npy = client.post("/models/rows/encode", content=npy(rows), headers=NPY).json()
    assert from_json == from_npy
    assert np.allclose(from_json["mean"], posterior("rows", rows)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"this is text", 400, "image 0 is not a file that can be read as PNG, JPEG, WEBP"),
        (b"", 400, "image 0 is not a file"),
        (file(np.tile(PIXELS, (4, 4)) * 7), 422, "32 × 32"),
        (file(np.tile(PIXELS, (4, 4)) * 7)[:-30], 400, "cut off"),
        (file(PIXELS)[:60], 400, "cut off"),
        (file(PIXELS)[:40], 400, "image 0"),
        (file(np.zeros((28, 30), np.uint8)), 422, "30 × 28 pixels; the model takes 8 × 8: resize"),
        (file(PIXELS, "BMP"), 400, "image 0 is not a file that can be read"),
    ],
)
def test_a_bad_image_is_named(client: httpx.Client, body: bytes, status: int, words: str) -> None:
    assert words in problem(client.post("/encode", content=body, headers=PNG), status)
    assert client.post("/encode", content=file(PIXELS), headers=PNG).status_code == 200


def test_the_bad_one_of_several_images_is_named_by_number(client: httpx.Client) -> None:
    good = base64.b64encode(file(PIXELS)).decode()
    answer = client.post("/encode", json={"images": [good, "aGVsbG8="]})
    assert "image 1" in problem(answer, 400)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (GREY * 255, "divide by 255, or send uint8"),
        (GREY - 0.5, "floats are to be in [0, 1]"),
        (np.full_like(GREY, 1.0000001), "from 1.0000001 to 1.0000001; floats are to be in [0, 1]"),
        (np.full_like(GREY, -1e-9), "from -1e-09 to -1e-09; floats are to be in [0, 1]"),
        (np.full_like(GREY, np.nan), "NaN"),
        (GREY[0], "the shape is [1, 8, 8]"),
        (GREY[:, :, :4], "each has the shape [1, 4, 8]"),
    ],
)
def test_arrays_out_of_shape_or_range_are_refused(
    client: httpx.Client, values: NDArray[np.float32], words: str
) -> None:
    assert words in problem(client.post("/encode", content=npy(values), headers=NPY), 422)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "exactly one of images"),
        ({"images": []}, "at least 1"),
        ({"images": ["a"], "rows": [[1]]}, "exactly one of"),
        ({"rows": [[0] * 6]}, "grey@1 takes images"),
        ({"pictures": ["a"]}, "the body has no such parameter"),
    ],
)
def test_bad_json_says_what_is_expected(
    client: httpx.Client, body: dict[str, object], words: str
) -> None:
    assert words in problem(client.post("/encode", json=body), 422)


def test_images_for_a_vector_model_are_refused(client: httpx.Client) -> None:
    answer = client.post("/models/rows/encode", content=file(PIXELS), headers=PNG)
    assert "takes rows of 6 numbers" in problem(answer, 422)


def test_a_form_without_images_says_which_field_it_misses(client: httpx.Client) -> None:
    answer = client.post("/encode", files=[("picture", ("a.png", file(PIXELS), "image/png"))])
    assert "field called images" in problem(answer, 400)


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form with the boundary `b`: of each part what follows `form-data`, and its data."""
    lines = (
        b"--b\r\nContent-Disposition: form-data%s\r\n\r\n%s\r\n" % (name.encode(), data)
        for name, data in parts
    )
    return b"".join(lines) + b"--b--\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
IMAGE = ('; name="images"; filename="a.png"', file(PIXELS))
FIELD = ('; name="note"', b"x")


@pytest.mark.parametrize("path", ["/encode", "/reconstruct"])
def test_no_part_of_a_form_that_was_cut_off_is_answered(client: httpx.Client, path: str) -> None:
    whole = form(IMAGE, IMAGE, IMAGE)
    assert client.post(path, content=whole, headers=FORM).status_code == 200
    # What a client may leave out, or add behind.
    for body in (whole[:-2], whole + b"an epilogue", b"\r\n" + whole):
        assert client.post(path, content=body, headers=FORM).status_code == 200
    third = whole.rindex(IMAGE[1])
    for length in (len(whole) - 3, len(whole) - 4, len(whole) - 7, third + 40, third - 5, 5, 0):
        detail = problem(client.post(path, content=whole[:length], headers=FORM), 400)
        assert "the form was cut off" in detail


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("multipart/form-data", form(IMAGE), "Missing boundary"),
        ("multipart/form-data; boundary=" + "b" * 1000, form(IMAGE), "Invalid multipart"),
        (FORM["Content-Type"], b"nothing of the kind", "Invalid multipart"),
        (FORM["Content-Type"], form(("", b"x")), 'field "name" must be provided'),
        (FORM["Content-Type"], form(*[FIELD] * 17), "Too many fields"),
        (FORM["Content-Type"], form(('; name="images"', bytes(2_000_000))), "no file in a field"),
        (FORM["Content-Type"], form(FIELD), "no file in a field called images"),
    ],
)
def test_a_form_that_cannot_be_read_says_how_to_send_one(
    client: httpx.Client, content_type: str, body: bytes, words: str
) -> None:
    answer = client.post("/encode", content=body, headers={"Content-Type": content_type})
    detail = problem(answer, 400)
    assert words in detail
    assert "field called images" in detail
    assert answer.json()["type"] == "urn:latentd:problem:unreadable-body"


def test_more_files_than_the_limit_are_refused(client: httpx.Client) -> None:
    tiny = ('; name="images"; filename=""', b"")
    for count in (4097, 4100, 9000):
        answer = client.post("/encode", content=form(*[tiny] * count), headers=FORM)
        assert "at most 4096" in problem(answer, 422)
        assert "LATENTD_MAX_ROWS" in problem(answer, 422)


def test_a_form_that_cannot_be_read_is_no_error_in_the_log(small_store: Path) -> None:
    with service(small_store, models="grey@1") as running:
        for body in (form(("", b"x")), b"nothing of the kind", form(IMAGE)[:-4]):
            answer = httpx.post(running.url + "/encode", content=body, headers=FORM)
            problem(answer, 400)
        running.process.terminate()
        assert running.end() == 0
        assert "ERROR" not in running.log
        assert "Traceback" not in running.log


def test_a_missing_media_type_says_how_to_set_it(client: httpx.Client) -> None:
    assert "Content-Type is missing" in problem(client.post("/encode", content=file(PIXELS)), 415)


def test_more_images_than_the_limit_are_refused(tight_client: httpx.Client) -> None:
    text = base64.b64encode(file(PIXELS)).decode()
    answer = tight_client.post("/encode", json={"images": [text] * 9})
    assert "LATENTD_MAX_ROWS" in problem(answer, 422)
