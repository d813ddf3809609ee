"""What Pillow compresses: pictures as WebP, and the palettes and pictures of GIF.

The only module of the formats that knows it. Its own animations are not used: it leaves out frames
that equal the one before.
"""

from io import BytesIO

import numpy as np
import PIL
from PIL import Image, features

from app.arrays import Levels

# Other releases give other bytes of the same pixels.
VERSION = f"pillow-{PIL.__version__} webp-{features.version('webp')}"

# That a pixel takes while libwebp compresses without loss, whatever its channels; measured.
WEBP_BYTES = 28
TABLE_BYTES = 3 * 256
# Of a GIF that Pillow writes: before its table, and of the picture's place and size behind it.
GIF_HEAD, GIF_PLACE = 13, 10


def webp(picture: Levels) -> bytes:
    """A lossless WebP file of `picture` [H, W, C], C = 1, 3 or 4.

    More effort than this saves a few bytes of a hundred, for twice the time.
    """
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    file = BytesIO()
    # exact: what colour a transparent pixel has is not lost either.
    image.save(file, "WEBP", lossless=True, quality=25, method=1, exact=True)
    return file.getvalue()


def palette(picture: Levels, num_colours: int) -> tuple[Levels, bytes]:
    """`picture` [H, W, 3] in at most 256 colours: the number of each pixel's [H, W], and a table.

    Exact where it has no more colours. Else an octree's: its error is a tenth above that of the
    median cut (3.8 levels instead of 3.6 on photographs of 64 × 64), at a twentieth of the time.
    """
    image = Image.fromarray(picture)
    few = image.getcolors(num_colours) is not None
    method = Image.Quantize.MEDIANCUT if few else Image.Quantize.FASTOCTREE
    chosen = image.quantize(num_colours, method)
    return np.asarray(chosen), bytes(chosen.getpalette() or ()).ljust(TABLE_BYTES, b"\0")


def gif_data(numbers: Levels) -> bytes:
    """A GIF's data of a picture of colour `numbers` [H, W], from the code size to the end."""
    file = BytesIO()
    Image.fromarray(numbers).save(file, "GIF", optimize=False, interlace=False)
    return file.getvalue()[GIF_HEAD + TABLE_BYTES + GIF_PLACE : -1]
