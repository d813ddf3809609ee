"""The forms of an answer: what one asks for, by `format` or Accept, and what one gets."""

import base64
import io
import json
from zipfile import ZipFile

import httpx
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from app.errors import BadValue, NotAcceptable
from app.formats import FORMATS, choose_format, png
from app.images import read_images
from app.layout import Sheet, check_drawable, columns_for
from tests.app.conftest import array, picture, problem


def test_every_format_answers_with_its_media_type(client: httpx.Client) -> None:
    answers: dict[str, bytes] = {}
    for name, form in FORMATS.items():
        answer = client.get(f"/sample?n=2&seed=1&format={name}")
        assert answer.headers["Content-Type"] == form.media_type
        # Of two formats of one media type, Accept means the first.
        expected = answers.setdefault(form.media_type, answer.content)
        by_accept = client.get("/sample?n=2&seed=1", headers={"Accept": form.media_type})
        assert by_accept.content == expected
        assert "Accept" in answer.headers["Vary"]


def test_png_json_and_npy_hold_the_same_images(client: httpx.Client) -> None:
    sheet = picture(client.get("/sample?n=4&seed=1"))
    values = array(client.get("/sample?n=4&seed=1&format=npy"))
    body = client.get("/sample?n=4&seed=1&format=json").json()
    assert body["model"] == "grey@1"
    assert body["seeds"] == [1]
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(b)))) for b in body["images"]]
    assert np.array_equal(np.vstack([np.hstack(images[:2]), np.hstack(images[2:])]), sheet)
    assert np.array_equal(np.rint(values[:, 0] * 255).astype(np.uint8), np.stack(images))


def test_scale_repeats_pixels(client: httpx.Client) -> None:
    small = picture(client.get("/sample?n=4&seed=1"))
    large = picture(client.get("/sample?n=4&seed=1&scale=3"))
    assert np.array_equal(large, small.repeat(3, 0).repeat(3, 1))
    body = client.get("/sample?seed=1&scale=3&format=json").json()
    assert Image.open(io.BytesIO(base64.b64decode(body["images"][0]))).size == (24, 24)


def test_strip_and_columns_lay_the_same_images_out(client: httpx.Client) -> None:
    strip = picture(client.get("/sample?n=6&seed=1&layout=strip"))
    grid = picture(client.get("/sample?n=6&seed=1&columns=2"))
    assert strip.shape == (8, 48)
    assert grid.shape == (24, 16)
    assert np.array_equal(strip[:, 16:24], grid[8:16, :8])


def test_colour_images_are_drawn_in_colour(client: httpx.Client) -> None:
    sheet = picture(client.get("/models/colour/sample?n=2&seed=1&layout=strip"))
    values = array(client.get("/models/colour/sample?n=2&seed=1&format=npy"))
    expected = np.hstack(list(np.rint(values * 255).astype(np.uint8).transpose(0, 2, 3, 1)))
    assert np.array_equal(sheet, expected)


def test_vectors_answer_as_json_and_have_no_picture(client: httpx.Client) -> None:
    answer = client.get("/models/rows/sample?n=3&seed=1")
    values = array(client.get("/models/rows/sample?n=3&seed=1&format=npy"))
    assert np.array_equal(np.array(answer.json()["rows"], np.float32), values)
    for name, form in FORMATS.items():
        by_name = client.get(f"/models/rows/sample?n=2&format={name}")
        by_accept = client.get("/models/rows/sample", headers={"Accept": form.media_type})
        for refused in (by_name, by_accept) if form.draws else ():
            detail = problem(refused, 406)
            assert detail.endswith("?format=json|npy|safetensors")
        assert (by_name.status_code == 200) != form.draws


@pytest.mark.parametrize("wish", ["?format=tiff", "?format="])
def test_an_unknown_format_names_those_there_are(client: httpx.Client, wish: str) -> None:
    assert "png|json|npy" in problem(client.get(f"/sample{wish}"), 406)


def test_an_accept_that_nothing_meets_is_refused(client: httpx.Client) -> None:
    answer = client.get("/sample", headers={"Accept": "video/mp4"})
    assert "video/mp4" in problem(answer, 406)


def test_an_accept_on_several_lines_is_one_list(client: httpx.Client) -> None:
    lines = [("Accept", "application/json;q=0.5"), ("Accept", "image/png;q=0.1")]
    answer = client.get("/sample?n=1&seed=1", headers=lines)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "images", "chosen"),
    [
        (None, True, "png"),
        (None, False, "json"),
        ("*/*", True, "png"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True, "png"),
        ("image/*", True, "png"),
        ("application/json", True, "json"),
        ("application/*", True, "json"),
        ("image/png;q=0.1, application/x-npy", True, "npy"),
        ("image/png;q=0, */*", False, "json"),
        ("image/png, application/json;q=0.5", False, "json"),
        ("application/json, text/plain, */*", True, "json"),
        ("image/webp", True, "webp"),
        ("image/gif", True, "gif"),
        ("image/apng;q=0.5, application/json;q=0.2", True, "apng"),
        ("image/webp, image/png", True, "webp"),
        ("image/png, image/webp", True, "png"),
        ("image/webp;q=0.4, image/png;q=0.5", True, "png"),
        ("image/*;q=0.5, image/gif;q=0", True, "png"),
        ("image/png;q=0, image/*", True, "webp"),
        ("image/png;q=0, application/zip", True, "zip"),
        ("image/gif;q=nan, image/apng;q=-1, application/json;q=0.1", True, "json"),
        # What browsers send where a page is opened and where it shows a picture.
        ("text/html,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8", True, "png"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", True, "png"),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", True, "png"),
        ("image/webp,image/avif,video/*;q=0.8,image/png,image/*;q=0.8,*/*;q=0.5", False, "json"),
    ],
)
def test_accept_chooses_as_rfc_9110_says(accept: str | None, images: bool, chosen: str) -> None:  # noqa: FBT001
    assert choose_format(None, accept, images=images) == chosen


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_is_read_back_as_it_was(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (13, 7, channels), np.uint8)
    image = Image.open(io.BytesIO(png.encode(pixels)))
    image.load()
    assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


@pytest.mark.parametrize(
    ("count", "asked", "columns"),
    [(1, None, 1), (4, None, 2), (5, None, 3), (16, None, 4), (3, 9, 3)],
)
def test_a_grid_is_as_square_as_can_be(count: int, asked: int | None, columns: int) -> None:
    assert columns_for(count, "grid", asked) == columns


def test_images_of_two_channels_are_numbers_only() -> None:
    with pytest.raises(NotAcceptable, match=r"2 channels cannot be drawn.*npy"):
        check_drawable(1, (2, 8, 8), Sheet(1, 1), 10_000)
    with pytest.raises(BadValue, match=r"2 channels.*send \.npy"):
        read_images([png.encode(np.zeros((8, 8, 1), np.uint8))], (2, 8, 8))


def labelled(file: bytes) -> dict[str, object]:
    """What a PNG says of itself, by a reader that is not ours."""
    image = Image.open(io.BytesIO(file))
    image.load()
    assert isinstance(image, PngImageFile)
    label: dict[str, object] = json.loads(image.text["latentd"])
    return label


def test_a_png_says_whose_it_is(client: httpx.Client) -> None:
    one = {"model": "grey@1", "seeds": [7], "row": 0}
    assert labelled(client.get("/sample?seed=7").content) == one
    for name in ("png", "apng"):
        sheet = client.get(f"/sample?n=5&seed=7&format={name}").content
        assert labelled(sheet) == {"model": "grey@1", "seeds": [7], "rows": 5}
    walk = client.get("/models/grey@2/interpolate?seed=7&seed=9&steps=3").content
    assert labelled(walk) == {"model": "grey@2", "seeds": [7, 9], "rows": 3}
    decoded = client.post("/decode", json={"latents": [[0] * 5]}).content
    assert labelled(decoded) == {"model": "grey@1", "seeds": [], "row": 0}
    cool = client.get("/sample?seed=7&temperature=0.5").content
    assert labelled(cool) == {"model": "grey@1", "seeds": [7], "temperature": 0.5, "row": 0}


def test_a_png_among_others_says_which_it_is(client: httpx.Client) -> None:
    url = "/models/colour/sample?n=4&seed=7"
    body = client.get(f"{url}&format=json").json()
    files = [base64.b64decode(file) for file in body["images"]]
    labels = [labelled(file) for file in files]
    assert labels == [{"model": "colour@1", "seeds": [7], "row": row} for row in range(4)]
    with ZipFile(io.BytesIO(client.get(f"{url}&format=zip").content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == files
    # The first of many is the one that is drawn alone.
    assert client.get("/models/colour/sample?seed=7").content == files[0]


@pytest.mark.parametrize("model", ["grey", "colour"])
def test_a_png_with_a_label_is_encoded_as_its_pixels_are(client: httpx.Client, model: str) -> None:
    drawn = client.get(f"/models/{model}/sample?seed=7").content
    assert b"latentd" in drawn
    plain = io.BytesIO()
    Image.fromarray(np.asarray(Image.open(io.BytesIO(drawn)))).save(plain, "PNG")
    assert b"latentd" not in plain.getvalue()
    path, headers = f"/models/{model}/encode", {"Content-Type": "image/png"}
    answers = [
        client.post(path, content=file, headers=headers) for file in (drawn, plain.getvalue())
    ]
    assert answers[0].status_code == 200
    assert answers[0].json() == answers[1].json()


def test_a_webp_is_the_png_of_the_same_question(client: httpx.Client) -> None:
    for query in ("n=6&seed=1&columns=3", "n=6&seed=1&layout=strip&scale=2", "seed=1"):
        for model in ("grey", "colour"):
            url = f"/models/{model}/sample?{query}"
            drawn = picture(client.get(url))
            image = Image.open(io.BytesIO(client.get(f"{url}&format=webp").content))
            assert image.format == "WEBP"
            assert np.array_equal(
                np.asarray(image.convert("L" if model == "grey" else "RGB")), drawn
            )
