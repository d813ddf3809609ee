"""Good inputs of the readers, all small and made here, from which fuzzers begin."""

import io
import json
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from app.compressed_file import Compressed, Head
from tests.factories import eager

SIDE = 8
SHAPE = (1, SIDE, SIDE)
LATENT = (5,)


@cache
def images() -> tuple[bytes, ...]:
    """PNG, JPEG and WebP in the modes that they have, with texts, profiles, palettes, frames."""
    grey = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE) * 3
    colour = np.stack([grey, grey.T, 255 - grey], 2)
    alpha = np.dstack([colour, grey])
    pictures = {
        "L": Image.fromarray(grey),
        "RGB": Image.fromarray(colour),
        "RGBA": Image.fromarray(alpha),
        "P": Image.fromarray(colour).quantize(16),
        "1": Image.fromarray(grey > 99),
        "LA": Image.fromarray(alpha[..., 2:]),
        "I;16": Image.fromarray(grey.astype(np.uint16) * 257),
        "CMYK": Image.fromarray(colour).convert("CMYK"),
    }
    text = PngImagePlugin.PngInfo()
    text.add_text("latentd", "{}", zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    files = [_saved(pictures[mode], "PNG") for mode in ("L", "RGB", "RGBA", "P", "1", "LA", "I;16")]
    files += [_saved(pictures[mode], "JPEG", exif=exif) for mode in ("L", "RGB", "CMYK")]
    files += [_saved(pictures[mode], "WEBP", lossless=lossless) for mode, lossless in WEBP]
    files.append(_saved(pictures["L"], "PNG", pnginfo=text, exif=exif, icc_profile=b"p" * 99))
    frames = {"save_all": True, "append_images": [pictures["RGB"].rotate(90)], "duration": 40}
    files += [_saved(pictures["RGB"], form, **frames) for form in ("PNG", "WEBP")]
    return tuple(files)


WEBP = (("RGB", True), ("RGBA", True), ("RGB", False), ("RGBA", False))


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@cache
def arrays() -> tuple[bytes, ...]:
    """`.npy` files of images, in every kind of number and order."""
    plain = np.arange(2 * SIDE * SIDE, dtype=np.uint8).reshape(2, *SHAPE)
    kinds: list[NDArray[Any]] = [
        plain,
        plain / 255,
        (plain / 255).astype(np.float32),
        plain.astype(">i4"),
    ]
    kinds += [np.asfortranarray(plain), plain.astype(np.float16), plain[:0], plain > 3]
    files = []
    for kind in kinds:
        file = io.BytesIO()
        np.save(file, kind)
        files.append(file.getvalue())
    return tuple(files)


@cache
def latents() -> tuple[bytes, ...]:
    """JSON as `/decode` takes it, right and nearly right."""
    rows: list[Any] = [[[0.5, -1, 0, 2e-3, 1e30]], [[0] * 5] * 9, [[0.1] * 4], [["0"] * 5], [[[0]]]]
    rows += [[[None, True, 1, 2, 3]], [[10**30] * 5], [{}], [[1e-400] * 5]]
    return tuple(json.dumps({"latents": row}).encode() for row in rows)


@cache
def archives() -> tuple[bytes, ...]:
    """A small TorchScript module as torch writes it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        file = Path(folder) / "model.ts"
        torch.jit.script(eager("rows")).save(str(file))  # type: ignore[no-untyped-call]
        return (file.read_bytes(),)


@cache
def compressed() -> tuple[bytes, ...]:
    """Files in the form of `/compress`, of a model that there is not."""
    heads = [
        Head(
            model="grey@1",
            sha256="0" * 64,
            precision="float32",
            host="0" * 16,
            num_levels=num_levels,  # type: ignore[arg-type] # 2 or 256
            count=count,
            rows="0" * 32,
        )
        for num_levels, count in ((2, 1), (256, 2**40))
    ]
    words = np.arange(7, dtype=np.uint32)
    return tuple(Compressed(head, words).packed() for head in heads)
