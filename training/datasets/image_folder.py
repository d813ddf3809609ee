"""A folder of image files of any mode and size, brought to one size and number of channels.

With subfolders `train` and `test` these are the split; otherwise all files below the folder are
taken, in the order of their paths, and a part is held out.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from training.datasets.dataset import Dataset, Request, scale_pixels, split, wanted_path
from training.errors import DataError

WANTED = "a folder of images (png, jpg, jpeg, webp, bmp, gif, tif, tiff)"
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
MODES = {1: "L", 3: "RGB"}


def load(request: Request) -> Dataset:
    """Images [C, H, W]: turned upright, cropped to the wanted aspect, scaled, on white."""
    path = wanted_path(request, "image_folder", WANTED)
    if request.channels not in MODES:
        raise DataError(f"channels={request.channels}: images have 1 (grey) or 3 (colour)")
    if (path / "train").is_dir() and (path / "test").is_dir():
        train, test = (_images(path / part, request) for part in ("train", "test"))
        if train.shape[1:] != test.shape[1:]:
            raise DataError(
                f"{path}: training and test images differ in size: give size=HEIGHT,WIDTH"
            )
    else:
        train, test = split(_images(path, request), request, str(path))
    return Dataset(name=path.resolve().name, kind="image", train=train, test=test)


def _images(folder: Path, request: Request) -> Tensor:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"{folder}: no image found; wanted {WANTED}")
    images = [_read(file, request) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{file} is {image.shape[1]} × {image.shape[2]} and {files[0].name} is "
                f"{images[0].shape[1]} × {images[0].shape[2]}: give size=HEIGHT,WIDTH"
            )
    return scale_pixels(torch.stack(images), str(folder))


def _read(file: Path, request: Request) -> Tensor:
    """One file as bytes [C, H, W]."""
    try:
        with Image.open(file) as opened:
            image = _flatten(ImageOps.exif_transpose(opened)).convert(MODES[request.channels])
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: not a readable image ({error}): repair or remove it") from error
    if request.size is not None:
        height, width = request.size
        image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(image))  # [H, W] or [H, W, 3]
    return pixels.reshape(image.height, image.width, -1).movedim(2, 0)


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
