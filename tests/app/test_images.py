"""What is read of image files: Pillow's pixels, and nothing of a file that is not whole."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import BadBody, BadValue
from app.images import read_images

HEIGHT, WIDTH = 12, 17
SHAPES = {1: (HEIGHT, WIDTH), 3: (HEIGHT, WIDTH, 3), 4: (HEIGHT, WIDTH, 4)}
SIGNATURE_AND_HEADER = 33  # bytes of every PNG

Pixels = NDArray[np.uint8]


def textures(channels: int) -> dict[str, Pixels]:
    """Pictures for which PNG writers choose different filters."""
    rng = np.random.default_rng(channels)
    shape = SHAPES[channels]
    steps = np.arange(HEIGHT)[:, None] * 9 + np.arange(WIDTH) * 5
    ramp = steps if channels == 1 else np.repeat(steps[..., None], channels, 2)
    noise = rng.integers(0, 256, shape)
    drawings = {
        "black": np.zeros(shape),
        "noise": noise,
        "ramp": ramp,
        "rough ramp": ramp + noise // 32,
        "runs": noise > 200,
        # Each level alone: nothing that a reader could keep a level for is taken for it.
        **{f"all {level}": np.full(shape, level) for level in range(256)},
    }
    return {name: np.asarray(pixels, np.uint8) for name, pixels in drawings.items()}


def png(pixels: Pixels, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def read(file: bytes, channels: int = 1) -> Pixels:
    """The levels [H, W, C] that the file was read as."""
    (image,) = read_images([file], (channels, HEIGHT, WIDTH))
    assert image.dtype == np.float32
    levels: Pixels = np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0)
    return levels


@pytest.mark.parametrize("channels", SHAPES)
@pytest.mark.parametrize("options", [{}, {"compress_level": 0}, {"optimize": True}], ids=str)
def test_a_png_has_the_pixels_that_it_was_written_from(
    channels: int, options: dict[str, object]
) -> None:
    filters = set()
    for name, pixels in textures(channels).items():
        file = png(pixels, **options)
        assert np.array_equal(read(file, channels), pixels.reshape(HEIGHT, WIDTH, channels)), name
        lines = zlib.decompress(file[SIGNATURE_AND_HEADER + 8 : -16])
        filters |= set(lines[:: 1 + WIDTH * channels])
    assert len(filters) > 2, "the pictures are to make the writer choose"


def test_data_in_several_chunks_between_others_is_one_picture() -> None:
    pixels = textures(1)["rough ramp"]
    file = png(pixels)
    data = file[SIGNATURE_AND_HEADER + 8 : -16]
    parts = [data[:1], b"", data[1:20], data[20:]]
    split = b"".join(chunk(b"IDAT", part) for part in parts)
    comments = chunk(b"tEXt", b"Title\0digit"), chunk(b"tIME", bytes(7))
    whole = file[:SIGNATURE_AND_HEADER] + comments[0] + split + comments[1] + chunk(b"IEND", b"")
    assert np.array_equal(read(whole)[..., 0], pixels)


@pytest.mark.parametrize("channels", SHAPES)
def test_no_file_that_is_not_whole_is_read(channels: int) -> None:
    file = png(textures(channels)["rough ramp"])
    for length in range(len(file)):
        with pytest.raises(BadBody, match="image 0"):
            read(file[:length], channels)


def test_no_file_with_a_wrong_byte_is_read() -> None:
    file = png(textures(1)["rough ramp"])
    for place in range(len(file)):
        wrong = bytearray(file)
        wrong[place] ^= 0x10
        with pytest.raises((BadBody, BadValue), match="image 0"):
            read(bytes(wrong))


def test_data_of_too_few_lines_is_no_picture() -> None:
    file = png(textures(1)["noise"])
    lines = zlib.decompress(file[SIGNATURE_AND_HEADER + 8 : -16])
    for data in (zlib.compress(lines[: -WIDTH - 1]), zlib.compress(b""), b"", b"no stream"):
        short = file[:SIGNATURE_AND_HEADER] + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        with pytest.raises(BadBody, match="cut off or damaged"):
            read(short)


@pytest.mark.parametrize("channels", SHAPES)
@pytest.mark.parametrize("before", [True, False], ids=["before the data", "after the data"])
def test_a_file_whose_description_is_nonsense_is_read_or_refused(
    channels: int, *, before: bool
) -> None:
    # Of 16 bits: of a plain file nothing but the picture is read.
    file = png(textures(1)["ramp"].astype(np.uint16))
    place = SIGNATURE_AND_HEADER if before else -12
    for name in (b"iCCP", b"pHYs", b"gAMA", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"cHRM", b"tRNS"):
        for data in (b"", b"\0", b"name", b"name\0", b"name\0\0", b"name\0\0no stream"):
            with contextlib.suppress(BadBody):
                read(file[:place] + chunk(name, data) + file[place:], channels)
