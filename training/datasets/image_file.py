"""One image file: what it is, and its frames in one size. Knows no folder and no data set.

How its bytes are read is `image_files`'s matter, as it is the service's.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from image_files import (
    Container,
    Ground,
    ImageFileError,
    frames,
    has_colour,
    open_image,
)
from training.errors import DataError

__all__ = ["CHANNELS", "SUFFIXES", "Ground", "Look", "look", "pixels"]

SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
CHANNELS = (1, 3)
# Of all frames of a file: a GiB while it is unpacked, four times what cameras take.
MAX_PIXELS = 1 << 28


class Look(NamedTuple):
    """What an image shows at first sight, its pixels not yet decoded."""

    height: int
    width: int
    colour: bool


def look(file: Path) -> Look:
    """Size, the image being upright, and whether it has colours; DataError if unreadable."""
    try:
        container = _open(file.read_bytes())
        width, height = container.size
        return Look(height, width, has_colour(container))
    except (ImageFileError, OSError) as error:
        raise DataError(f"not a readable image: {error}") from error


def pixels(
    content: bytes, size: tuple[int, int], channels: int, ground: Ground | None = "white"
) -> NDArray[np.uint8]:
    """Bytes [F, C, H, W] of its frames: upright, on `ground`, cropped to the aspect of `size`,
    scaled to it.

    `size` is height and width; DataError where the image cannot be read.
    """
    try:
        levels = frames(_open(content), channels, ground)
        return np.moveaxis(np.stack([_fitted(one, size) for one in levels]), 3, 1)
    except ImageFileError as error:
        raise DataError(f"not a readable image: {error}") from error


def _open(content: bytes) -> Container:
    container = open_image(content, FORMATS)
    if container.num_pixels > MAX_PIXELS:
        width, height = container.size
        raise DataError(
            f"not a readable image: {container.num_frames} × {width} × {height} pixels are more "
            f"than {MAX_PIXELS}"
        )
    return container


def _fitted(levels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    height, width, channels = *size, levels.shape[2]
    if levels.shape[:2] == size:
        return levels
    image = Image.fromarray(levels[..., 0] if channels == 1 else levels)
    image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(height, width, channels)
