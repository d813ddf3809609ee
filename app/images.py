"""Uploaded image files to arrays. The only module of the service that knows Pillow."""

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.arrays import Floats, Levels
from app.errors import BadBody, BadValue
from app.formats import png

READABLE = ("PNG", "JPEG", "WEBP")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# The size is checked before anything is unpacked, so a bomb never goes off; Pillow's own check
# would only warn.
Image.MAX_IMAGE_PIXELS = None


def read_images(files: Sequence[bytes], data_shape: tuple[int, ...]) -> Floats:
    """PNG, JPEG or WebP files as [N, C, H, W] in [0, 1].

    An image must have the model's height and width: it is refused, not resized, because how to
    resize is the caller's choice. Its mode is converted: colour to grey by luma, grey to colour by
    repetition, alpha dropped, 16 bits to 8. Raises BadBody or BadValue, naming the image by number.
    """
    if data_shape[0] not in MODES:
        raise BadValue(
            f"the model's images have {data_shape[0]} channels, as no image file has: send .npy"
        )
    images = np.empty((len(files), *data_shape), np.float32)
    for number, file in enumerate(files):
        levels = _read(file, number, data_shape)
        np.divide(levels.transpose(2, 0, 1), np.float32(255), out=images[number])
    return images


def _read(file: bytes, number: int, data_shape: tuple[int, ...]) -> Levels:
    """The pixels [H, W, C] of one file."""
    channels, height, width = data_shape
    try:
        if file.startswith(_plain_start(data_shape)):
            pixels = _plain_pixels(file, data_shape)
        else:
            pixels = _in_mode(_open(file, number, (width, height)), MODES[channels])
    except (OSError, ValueError, SyntaxError, zlib.error):
        raise BadBody(f"image {number} is cut off or damaged: send the whole file") from None
    return pixels.reshape(height, width, channels)


@lru_cache(64)
def _plain_start(data_shape: tuple[int, ...]) -> bytes:
    """How a PNG begins that has the model's size and channels, of 8 bits, not interlaced.

    The signature and the IHDR chunk without its checksum (PNG specification, section 11.2.1).
    """
    channels, height, width = data_shape
    header = struct.pack(">IIBBBBB", width, height, 8, png.COLOUR_TYPES[channels], 0, 0, 0)
    return png.SIGNATURE + struct.pack(">I", len(header)) + b"IHDR" + header


def _plain_pixels(file: bytes, data_shape: tuple[int, ...]) -> Levels:
    """What Pillow makes of a plain PNG, through its decoder alone or without it.

    To open a file and to find out what it is takes Pillow twice as long as to unpack a small one.
    """
    channels, height, width = data_shape
    data = _picture_data(file)
    line_bytes = 1 + width * channels  # the filter's number, and the pixels
    num_bytes = height * line_bytes
    lines = zlib.decompressobj().decompress(data, num_bytes)
    if len(lines) < num_bytes:  # Pillow would take what is missing for black
        raise ValueError(f"{len(lines)} bytes of {num_bytes}")
    if not lines[::line_bytes].strip(b"\0"):  # no filters: the lines are the pixels
        return np.frombuffer(lines, np.uint8).reshape(height, line_bytes)[:, 1:]
    mode = MODES[channels]
    image = Image.frombytes(mode, (width, height), data, "zip", (mode, False))
    return np.frombuffer(image.tobytes(), np.uint8)


def _open(file: bytes, number: int, size: tuple[int, int]) -> Image.Image:
    """Any file that can be read, opened; raises ValueError where a PNG is damaged."""
    try:
        image = Image.open(BytesIO(file), formats=READABLE)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise BadBody(
            f"image {number} is not a file that can be read as {', '.join(READABLE)}"
        ) from None
    if image.size != size:
        raise BadValue(
            f"image {number} is {image.width} × {image.height} pixels; the model takes "
            f"{size[0]} × {size[1]}: resize it first"
        )
    if image.format == "PNG":
        _picture_data(file)
    return image


def _picture_data(file: bytes) -> bytes:
    """The data of a PNG's IDAT chunks, once every chunk through IEND is seen to be whole.

    Raises ValueError where the last bytes are missing or a checksum fails, which Pillow reads past.
    A chunk is its length, its name, its data, and a checksum of the latter two (PNG specification,
    section 5.3).
    """
    view = memoryview(file)
    parts: list[bytes] = []
    start, name = len(png.SIGNATURE), b""
    while name != b"IEND":
        name = file[start + 4 : start + 8]
        end = start + 8 + int.from_bytes(file[start : start + 4])
        check = file[end : end + 4]
        if len(check) < 4 or zlib.crc32(view[start + 4 : end]) != int.from_bytes(check):
            raise ValueError(f"chunk {name!r} at byte {start}")
        if name == b"IDAT":
            parts.append(file[start + 8 : end])
        start = end + 4
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _in_mode(image: Image.Image, mode: str) -> Levels:
    """The image's pixels, uint8, in Pillow's `mode`."""
    if image.mode.startswith("I"):
        # 16-bit grey; Pillow's own conversion clips it at 255.
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((wide // 257).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image if image.mode == mode else image.convert(mode))
