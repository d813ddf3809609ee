"""Uploaded image files to arrays; how their bytes are read is `image_files`'s matter."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from app.arrays import Floats
from app.errors import BadBody, BadValue, LimitExceeded
from image_files import MODES, Container, DamagedImage, UnknownFormat, frames, open_image

READABLE = ("PNG", "JPEG", "WEBP", "GIF")
Ground = Literal["black", "white"] | None


class Bounds(NamedTuple):
    """How much the images of one request may come to; each field is the setting LATENTD_<FIELD>."""

    max_rows: int = 4096
    max_pixels: int = 16_777_216


def read_images(
    files: Sequence[bytes],
    data_shape: tuple[int, ...],
    what: str = "image",
    *,
    ground: Ground = None,
    bounds: Bounds = Bounds(),  # noqa: B008 - it cannot be changed
    still: bool = False,
) -> Floats:
    """PNG, JPEG, WebP or GIF files as [N, C, H, W] in [0, 1], every frame of an animation a row.

    An image must have the model's height and width, once it is turned upright by its EXIF data: it
    is refused, not resized, because how to resize is the caller's choice. Alpha is laid on
    `ground`, or dropped. Raises BadBody, BadValue or LimitExceeded, naming the file: `what` it is
    and its number. Nothing is unpacked before all of them are known to be of the right size, few
    enough and, if they are to be `still`, of one frame each.
    """
    channels, height, width = data_shape
    if channels not in MODES:
        raise BadValue(
            f"the model's images have {channels} channels, as no image file has: send .npy"
        )
    size = (width, height)
    opened = [_open(file, what, number, size) for number, file in enumerate(files)]
    count = sum([container.num_frames for container in opened])
    if still and count > len(opened):
        _refuse_animations(opened, what)
    _check_count(count, width * height, bounds)
    images = np.empty((count, *data_shape), np.float32)
    place = 0
    for number, container in enumerate(opened):
        try:
            for levels in frames(container, channels, ground):
                np.divide(levels.transpose(2, 0, 1), np.float32(255), out=images[place])
                place += 1
        except DamagedImage:
            raise _damaged(what, number) from None
    return images


def _open(file: bytes, what: str, number: int, size: tuple[int, int]) -> Container:
    try:
        container = open_image(file, READABLE)
    except UnknownFormat:
        formats = ", ".join(READABLE)
        raise BadBody(f"{what} {number} is not a file that can be read as {formats}") from None
    except DamagedImage:
        raise _damaged(what, number) from None
    if container.size != size:
        width, height = container.size
        raise BadValue(
            f"{what} {number} is {width} × {height} pixels; the model takes {size[0]} × {size[1]}: "
            "resize it first"
        )
    return container


def _damaged(what: str, number: int) -> BadBody:
    return BadBody(f"{what} {number} is cut off or damaged: send the whole file")


def _refuse_animations(opened: Sequence[Container], what: str) -> None:
    for number, container in enumerate(opened):
        if container.num_frames > 1:
            raise BadValue(
                f"{what} {number} has {container.num_frames} frames, and one is wanted here: send "
                "it alone, each frame being an image then, or send one of its frames"
            )


def _check_count(count: int, pixels: int, bounds: Bounds) -> None:
    if count > bounds.max_rows:
        raise _too_many(f"{count} images", "max_rows", bounds.max_rows)
    if count * pixels > bounds.max_pixels:
        what = f"{count} images of together {count * pixels} pixels"
        raise _too_many(what, "max_pixels", bounds.max_pixels)


def _too_many(what: str, setting: str, limit: int) -> LimitExceeded:
    return LimitExceeded(
        f"{what}: one request may have at most {limit}; send fewer at a time, or have the operator "
        f"raise LATENTD_{setting.upper()}"
    )
