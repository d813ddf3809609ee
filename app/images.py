"""Uploaded image files to arrays. The only module of the service that knows Pillow."""

from collections.abc import Sequence
from io import BytesIO
from zlib import crc32

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.arrays import Floats, Levels
from app.errors import BadBody, BadValue

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
    return np.stack([_read(file, number, data_shape) for number, file in enumerate(files)])


def _read(file: bytes, number: int, data_shape: tuple[int, ...]) -> Floats:
    channels, height, width = data_shape
    try:
        image = Image.open(BytesIO(file), formats=READABLE)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise BadBody(
            f"image {number} is not a file that can be read as {', '.join(READABLE)}"
        ) from None
    if image.size != (width, height):
        raise BadValue(
            f"image {number} is {image.width} × {image.height} pixels; the model takes "
            f"{width} × {height}: resize it first"
        )
    try:
        if image.format == "PNG":
            _check_chunks(file)
        pixels = _in_mode(image, MODES[channels])
    except (OSError, ValueError, SyntaxError):
        raise BadBody(f"image {number} is cut off or damaged: send the whole file") from None
    data = pixels.reshape(height, width, channels).transpose(2, 0, 1)
    return data.astype(np.float32) / np.float32(255)


def _check_chunks(file: bytes) -> None:
    """Raise ValueError where a PNG's last bytes are missing or a checksum fails: Pillow reads on.

    A chunk is its length, its name, its data, and a checksum of the latter two (PNG specification,
    section 5.3).
    """
    start, name = 8, b""
    while name != b"IEND":
        name = file[start + 4 : start + 8]
        end = start + 8 + int.from_bytes(file[start : start + 4])
        check = file[end : end + 4]
        if len(check) < 4 or crc32(memoryview(file)[start + 4 : end]) != int.from_bytes(check):
            raise ValueError(f"chunk {name!r} at byte {start}")
        start = end + 4


def _in_mode(image: Image.Image, mode: str) -> Levels:
    """The image's pixels, uint8, in Pillow's `mode`."""
    if image.mode.startswith("I"):
        # 16-bit grey; Pillow's own conversion clips it at 255.
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((wide // 257).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image if image.mode == mode else image.convert(mode))
