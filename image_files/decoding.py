"""Pixels of image files, by Pillow and libspng; the only module that reads with either.

A PNG that holds pixels of 8 bits line after line, as most do, is libspng's: to open one and to find
out what it is takes Pillow several times as long as to unpack it. Everything else is Pillow's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Literal, TypeAlias

import numpy as np
import pyspng  # type: ignore[import-untyped] # it has no types of its own
from numpy.typing import NDArray
from PIL import Image, ImageOps

from image_files import png
from image_files.container import Container
from image_files.errors import DamagedImage, ImageFileError
from image_files.orientation import upright

Levels: TypeAlias = NDArray[np.uint8]
Ground: TypeAlias = Literal["black", "white"]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# Pixels are counted before one is unpacked (Container.num_pixels); Pillow's own check would warn
# at one number, raise at another, and be anyone's to change.
Image.MAX_IMAGE_PIXELS = None


def frames(container: Container, channels: int, ground: Ground | None) -> Iterator[Levels]:
    """Each frame's pixels [H, W, C], upright, C = 1, 3 or 4; DamagedImage if one cannot be had.

    Of 16 bits the upper byte is taken. Colour becomes grey by luma, grey colour by repetition.
    Alpha is laid on `ground`, or without one is dropped, unless C is 4. Profiles are not applied.
    """
    if container.plain_channels:
        pixels = _plain(container)
        if container.plain_channels != channels:
            pixels = _levels(_image(pixels), channels, ground)
        yield upright(pixels, container.orientation)
        return
    with _refusing():
        if container.format == "PNG":
            png.check_lines(container.data)
        image = _open(container)
        # A picture for readers that know no APNG is not one of its frames.
        start = 1 if image.info.get("default_image") else 0
    for number in range(start, start + container.num_frames):
        with _refusing():
            if number:
                image.seek(number)
            pixels = _levels(image, channels, ground)
        yield upright(pixels, container.orientation)


def _plain(container: Container) -> Levels:
    try:
        pixels: Levels = pyspng.load(container.data)
    except Exception as error:  # as below, without what a context costs
        raise DamagedImage(str(error)) from error
    width, height = container.stored_size
    return pixels.reshape(height, width, container.plain_channels)


def _image(pixels: Levels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def has_colour(container: Container) -> bool:
    """Whether the file has colours, or a palette of some."""
    with _refusing():
        image = _open(container)
        if image.mode == "P":
            palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
            return bool((palette != palette[:, :1]).any())
        return image.mode not in {"1", "L", "LA", "La", "F"} and not image.mode.startswith("I")


def pillow_container(file: bytes, format_name: str) -> Container:
    """A file whose structure Pillow alone reads, its first page; DamagedImage."""
    with _refusing():
        image = Image.open(BytesIO(file), formats=[format_name])
        # Pillow turns a TIFF upright while it loads it.
        turned = image.getexif().get(0x0112) in {5, 6, 7, 8}
        width, height = image.size[::-1] if turned else image.size
        return Container(format_name, (width, height), file)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ImageFileError:
        raise
    except Exception as error:  # whatever a codec raises on what it does not understand
        raise DamagedImage(str(error)) from error


def _open(container: Container) -> Image.Image:
    return Image.open(BytesIO(container.data), formats=[container.format])


def _levels(image: Image.Image, channels: int, ground: Ground | None) -> Levels:
    mode = MODES[channels]
    if image.format == "TIFF":
        image.load()
        image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise DamagedImage("its pixels are floats, whose range is not known")
    if image.mode.startswith("I"):
        image = _upper_byte(image)
    if image.has_transparency_data and channels < 4:
        image = image.convert("RGBA")
        if ground is not None:
            image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(image.height, image.width, channels)


def _upper_byte(image: Image.Image) -> Image.Image:
    """16-bit grey as 8 bits; Pillow's own conversion clips it at 255."""
    wide = np.asarray(image).astype(np.int64)
    grey = Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8))
    key = image.info.get("transparency")
    if key is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(wide == key, 0, 255).astype("u1"))))
