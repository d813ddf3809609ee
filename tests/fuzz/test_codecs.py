"""What a format writes, a reader that is not ours reads back: every pixel, every number."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from math import ceil

import numpy as np
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from app.arrays import Floats, Levels
from app.formats import FORMATS, Answer, Head
from app.images import read_images
from app.layout import Motion, Sheet, columns_for

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
CHANNELS = (1, 3, 4)


def pictures() -> st.SearchStrategy[Levels]:
    """Some images [N, H, W, C]."""
    shapes = st.tuples(
        st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.sampled_from(CHANNELS)
    )
    return shapes.flatmap(lambda shape: arrays(np.uint8, shape))


def numbers() -> st.SearchStrategy[Floats]:
    """Some rows of finite numbers."""
    finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
    shapes = array_shapes(min_dims=2, max_dims=4, max_side=5)
    return shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=finite))


def written(
    name: str, rows: NDArray[np.generic], scale: int = 1, motion: Motion | None = None
) -> bytes:
    """The file of `rows`, images as levels [N, H, W, C], or numbers."""
    sheet = Sheet(columns_for(len(rows), FORMATS[name].layout or "grid", None), scale)
    shape = rows.shape[1:]
    if rows.dtype == np.uint8:
        shape = shape[2], shape[0], shape[1]
    head = Head("grey@1", (1,), len(rows), shape, sheet, motion or Motion())
    return b"".join(FORMATS[name].write(Answer(head, rows)))  # type: ignore[arg-type] # either kind


def frames(file: bytes, channels: int) -> list[Levels]:
    """Every frame [H, W, C] that Pillow finds."""
    found = []
    with Image.open(io.BytesIO(file)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            pixels = np.asarray(image.convert(MODES[channels]))
            found.append(pixels.reshape(*pixels.shape[:2], channels))
    return found


def apart(picture: Levels, images: Levels, columns: int) -> Levels:
    """The images [N, H, W, C] of a contact sheet, as many as there are in `images`."""
    count, height, width, channels = images.shape
    rows = ceil(count / columns)
    assert picture.shape == (rows * height, columns * width, channels)
    places = picture.reshape(rows, height, columns, width, channels).transpose(0, 2, 1, 3, 4)
    return places.reshape(-1, height, width, channels)[:count]


def of_a_sheet(file: bytes, images: Levels) -> Levels:
    (picture,) = frames(file, images.shape[3])
    return apart(picture, images, columns_for(len(images), "grid", None))


def of_a_sprite(file: bytes, images: Levels) -> Levels:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        (picture,) = frames(archive.read("sprite.png"), images.shape[3])
    columns = columns_for(len(images), "square", None)
    height, width = images.shape[1:3]
    return apart(
        picture[: ceil(len(images) / columns) * height, : columns * width], images, columns
    )


def of_an_archive(file: bytes, images: Levels) -> Levels:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        files = [archive.read(name) for name in archive.namelist()]
    return np.stack([frames(file, images.shape[3])[0] for file in files])


def of_json(file: bytes, images: Levels) -> Levels:
    files = [base64.b64decode(text, validate=True) for text in json.loads(file)["images"]]
    return np.stack([frames(file, images.shape[3])[0] for file in files])


def of_frames(file: bytes, images: Levels) -> Levels:
    return np.stack(frames(file, images.shape[3]))


READERS: dict[str, Callable[[bytes, Levels], Levels]] = {
    "png": of_a_sheet,
    "webp": of_a_sheet,
    "json": of_json,
    "zip": of_an_archive,
    "sprite": of_a_sprite,
    "apng": of_frames,
    "gif": of_frames,
    "webp-animation": of_frames,
}
NUMBERS: dict[str, Callable[[bytes], NDArray[np.generic]]] = {
    "npy": lambda file: np.load(io.BytesIO(file), allow_pickle=False),
    "safetensors": lambda file: safetensors.numpy.load(file)["rows"],
}


def test_every_format_has_a_reader() -> None:
    assert READERS.keys() | NUMBERS.keys() == FORMATS.keys()


@given(images=pictures(), name=st.sampled_from([*READERS]))
def test_a_picture_is_read_back(images: Levels, name: str) -> None:
    if name == "gif" and images.shape[3] == 4:
        images[..., 3] = 255  # a pixel of a GIF is there or not
    assert np.array_equal(READERS[name](written(name, images), images), images)


@given(rows=numbers(), name=st.sampled_from([*NUMBERS]))
def test_numbers_are_read_back(rows: Floats, name: str) -> None:
    read = NUMBERS[name](written(name, rows))
    assert read.dtype == np.float32
    assert read.tobytes() == rows.tobytes()
    assert read.shape == rows.shape


@given(rows=numbers())
def test_json_gives_the_same_float32_back(rows: Floats) -> None:
    head = Head("rows@1", (), len(rows), rows.shape[1:], None)
    text = b"".join(FORMATS["json"].write(Answer(head, rows)))
    read = np.array(json.loads(text)["rows"], np.float32)
    assert np.array_equal(read, rows)


@given(images=pictures(), name=st.sampled_from(["png", "webp"]))
def test_what_the_service_draws_it_reads(images: Levels, name: str) -> None:
    height, width, channels = images.shape[1:]
    file = written(name, images[:1])
    read = read_images([file], (channels, height, width))
    assert np.array_equal(np.rint(read[0] * 255).astype(np.uint8).transpose(1, 2, 0), images[0])


@given(
    images=pictures(),
    name=st.sampled_from(["apng", "gif", "webp-animation"]),
    fps=st.integers(1, 50),
    pingpong=st.booleans(),
)
def test_an_animation_takes_the_time_that_its_frames_need(
    images: Levels,
    name: str,
    fps: int,
    pingpong: bool,  # noqa: FBT001 - hypothesis names it
) -> None:
    file = written(name, images, motion=Motion(fps, 0, pingpong))
    lasting = 0.0
    with Image.open(io.BytesIO(file)) as image:
        count = getattr(image, "n_frames", 1)
        for number in range(count):
            image.seek(number)
            lasting += image.info.get("duration", 1000 / fps)
    assert count == (max(1, 2 * len(images) - 2) if pingpong else len(images))
    # A hundredth of a second is a GIF's unit, a thousandth the others'.
    assert abs(lasting - 1000 * count / fps) <= (10 if name == "gif" else 1)
