"""How several images become one picture: a grid or a strip, its scale, or frames one after another.

Pure arithmetic.
"""

from itertools import pairwise
from math import ceil, isqrt
from typing import Literal, NamedTuple

import numpy as np

from app.arrays import Levels
from app.errors import LimitExceeded, NotAcceptable

# What can be asked for, and what some formats have instead: a square, filled up, and an animation.
LayoutName = Literal["grid", "strip"]
Layout = LayoutName | Literal["square", "frames"]

# Channels that a picture can have: grey, colour, colour with alpha.
DRAWABLE_CHANNELS = (1, 3, 4)


class Sheet(NamedTuple):
    """Where the images of one picture go: row by row, each pixel drawn `scale` × `scale`."""

    columns: int
    scale: int


class Motion(NamedTuple):
    """How images follow each other: `fps` a second, all of it `repeats` times, 0 for ever."""

    fps: int = 12
    repeats: int = 0
    pingpong: bool = False  # there and back; the ends are not doubled

    def order(self, count: int) -> list[int]:
        """Which of `count` images each frame shows."""
        there = list(range(count))
        return there + there[-2:0:-1] if self.pingpong else there

    def durations(self, num_frames: int, unit: int) -> list[int]:
        """How many 1/`unit` seconds each frame stands: whole numbers, whose sum is not off by 1."""
        ends = [(frame * unit + self.fps // 2) // self.fps for frame in range(num_frames + 1)]
        return [end - start for start, end in pairwise(ends)]


# Of what does not move.
STILL = Motion()


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


def check_sides(count: int, data_shape: tuple[int, ...], sheet: Sheet, most: int) -> None:
    """Check that `count` images of [C, H, W] on `sheet` are at most `most` pixels wide and high."""
    _, height, width = data_shape
    size = sheet.columns * width * sheet.scale, ceil(count / sheet.columns) * height * sheet.scale
    if max(size) > most:
        raise LimitExceeded(
            f"{count} images in {sheet.columns} columns at scale {sheet.scale} are {size[0]} × "
            f"{size[1]} pixels; this format has at most {most} a side: ask for fewer, for a "
            "smaller scale or for ?format=png"
        )


def columns_for(count: int, layout: Layout, asked: int | None) -> int:
    """A strip is one row; a grid has the columns asked for, else is as square as it can be."""
    match layout:
        case "strip":
            return count
        case "frames":
            return 1
        case "square":
            return isqrt(count - 1) + 1
    return min(asked or isqrt(count - 1) + 1, count)


def num_drawn(count: int, layout: Layout, motion: Motion) -> int:
    """How many images are drawn for `count`: a square is full, an animation may go back."""
    match layout:
        case "square":
            return columns_for(count, layout, None) ** 2
        case "frames":
            return len(motion.order(count))
    return count


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
