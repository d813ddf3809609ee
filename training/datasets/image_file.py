"""One image file, of any mode: what it is, and its pixels. Knows no folder and no data set."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from training.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
MODES = {1: "L", 3: "RGB"}
ORIENTATION = 0x0112
TURNED_BY_A_QUARTER = {5, 6, 7, 8}


class Look(NamedTuple):
    """What an image shows at first sight, its pixels not yet decoded."""

    height: int
    width: int
    colour: bool


def look(file: Path) -> Look:
    """Size, the image being upright, and whether its mode has colours; DataError if unreadable."""
    with _refusing(), Image.open(file) as image:
        # Not a PNG's own getexif, which would decode the image.
        turned = Image.Image.getexif(image).get(ORIENTATION) in TURNED_BY_A_QUARTER
        width, height = image.size[::-1] if turned else image.size
        return Look(height, width, _colour(image))


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError as error:
        raise DataError("not a readable image: of no known format") from error
    except Exception as error:  # whatever Pillow's codecs raise on what they do not understand
        raise DataError(f"not a readable image: {error}") from error


def _colour(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return image.mode not in {"1", "L", "LA", "La", "F"} and not image.mode.startswith("I")


def pixels(content: bytes, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """Bytes [C, H, W]: upright, on white, cropped to the aspect of `size`, scaled to it.

    `size` is height and width; DataError where the image cannot be read.
    """
    height, width = size
    with _refusing(), Image.open(BytesIO(content)) as opened:
        image = _flatten(ImageOps.exif_transpose(opened)).convert(MODES[channels])
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    return np.moveaxis(np.array(image).reshape(height, width, channels), 2, 0)


def _flatten(image: Image.Image) -> Image.Image:
    """Without transparency (laid on white) and without 16-bit grey, which Pillow would clip."""
    if image.mode == "F":
        raise ValueError("floats, whose range is not known")
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype("u1"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
