"""How several images become one picture: a grid or a strip, and its scale. Pure arithmetic."""

from math import ceil, isqrt
from typing import Literal, NamedTuple

import numpy as np

from app.arrays import Levels
from app.errors import LimitExceeded, NotAcceptable

LayoutName = Literal["grid", "strip"]

# Channels that a picture can have: grey, colour, colour with alpha.
DRAWABLE_CHANNELS = (1, 3, 4)


class Sheet(NamedTuple):
    """Where the images of one picture go: row by row, each pixel drawn `scale` × `scale`."""

    columns: int
    scale: int


def check_drawable(count: int, data_shape: tuple[int, ...], sheet: Sheet, max_pixels: int) -> None:
    """Check that `count` images of [C, H, W] can be drawn on `sheet` in at most `max_pixels`."""
    channels, height, width = data_shape
    if channels not in DRAWABLE_CHANNELS:
        raise NotAcceptable(
            f"images of {channels} channels cannot be drawn (1, 3 or 4 can); ask for ?format=npy"
        )
    rows = ceil(count / sheet.columns)
    pixels = rows * height * sheet.columns * width * sheet.scale**2
    if pixels > max_pixels:
        raise LimitExceeded(
            f"{count} images in {sheet.columns} columns at scale {sheet.scale} are {pixels} "
            f"pixels; one answer has at most {max_pixels}: ask for fewer or for a smaller scale, "
            "or have the operator raise LATENTD_MAX_PIXELS"
        )


def columns_for(count: int, layout: LayoutName, asked: int | None) -> int:
    """A strip is one row; a grid has the columns asked for, else is as square as it can be."""
    if layout == "strip":
        return count
    return min(asked or isqrt(count - 1) + 1, count)


def arrange(images: Levels, sheet: Sheet) -> Levels:
    """The picture [H', W', C] of `images` [N, H, W, C]; places left over are black."""
    count, height, width, channels = images.shape
    if count == sheet.scale == 1:
        picture: Levels = images[0]
        return picture
    rows = ceil(count / sheet.columns)
    if missing := rows * sheet.columns - count:
        images = np.concatenate([images, np.zeros((missing, height, width, channels), np.uint8)])
    picture = (
        images.reshape(rows, sheet.columns, height, width, channels)
        .transpose(0, 2, 1, 3, 4)
        .reshape(rows * height, sheet.columns * width, channels)
    )
    return enlarge(picture, sheet.scale)


def enlarge(picture: Levels, scale: int) -> Levels:
    """Every pixel of `picture` [H, W, …] `scale` × `scale`."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1) if scale > 1 else picture
