"""Uploaded image files to arrays. The only module of the service that knows their readers.

A PNG as most are, of the model's size and channels, is read by libspng: to open one and to find out
what it is takes Pillow several times as long as to unpack it. Everything else is Pillow's.
"""

import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pyspng  # type: ignore[import-untyped] # it has no types of its own
from PIL import Image, UnidentifiedImageError

from app.arrays import Floats, Levels
from app.errors import BadBody, BadValue, LatentdError
from app.formats import png

READABLE = ("PNG", "JPEG", "WEBP")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# The size is checked before anything is unpacked, so a bomb never goes off; Pillow's own check
# would only warn.
Image.MAX_IMAGE_PIXELS = None


def read_images(files: Sequence[bytes], data_shape: tuple[int, ...], what: str = "image") -> Floats:
    """PNG, JPEG or WebP files as [N, C, H, W] in [0, 1].

    An image must have the model's height and width: it is refused, not resized, because how to
    resize is the caller's choice. Its mode is converted: colour to grey by luma, grey to colour by
    repetition, alpha dropped, 16 bits to 8. Raises BadBody or BadValue, naming the file: `what` it
    is and its number.
    """
    if data_shape[0] not in MODES:
        raise BadValue(
            f"the model's images have {data_shape[0]} channels, as no image file has: send .npy"
        )
    images = np.empty((len(files), *data_shape), np.float32)
    for number, file in enumerate(files):
        levels = _read(file, f"{what} {number}", data_shape)
        np.divide(levels.transpose(2, 0, 1), np.float32(255), out=images[number])
    return images


def _read(file: bytes, name: str, data_shape: tuple[int, ...]) -> Levels:
    """The pixels [H, W, C] of one file."""
    channels, height, width = data_shape
    try:
        head = png.head(width, height, channels)
        if file.startswith(head):
            # Sees nothing but the picture: what else is in a file has no limits there.
            pixels: Levels = pyspng.load(png.file(head, _picture_data(file)))
        else:
            pixels = _in_mode(_open(file, name, (width, height)), MODES[channels])
    except LatentdError:
        raise
    except Exception:  # noqa: BLE001 - a reader raises whatever a damaged chunk leads it to
        raise BadBody(f"{name} is cut off or damaged: send the whole file") from None
    return pixels.reshape(height, width, channels)


def _open(file: bytes, name: str, size: tuple[int, int]) -> Image.Image:
    """Any file that can be read, opened; raises ValueError where a PNG is damaged."""
    try:
        image = Image.open(BytesIO(file), formats=READABLE)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise BadBody(f"{name} is not a file that can be read as {', '.join(READABLE)}") from None
    if image.size != size:
        raise BadValue(
            f"{name} is {image.width} × {image.height} pixels; the model takes "
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
