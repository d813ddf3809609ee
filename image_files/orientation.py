"""How a camera was held: EXIF's orientation, and pixels turned by it."""

import struct

import numpy as np
from numpy.typing import NDArray

EXIF_PREFIX = b"Exif\0\0"
TAG = 0x0112
SHORT = 3
MAX_ENTRIES = 1024  # of a directory; cameras write some dozens


def orientation_of(exif: bytes) -> int:
    """The orientation, 1 to 8, in a TIFF structure (EXIF 2.32, section 4.6); 1 if none is told.

    Damage is no reason to refuse a picture: it reads as 1.
    """
    exif = exif.removeprefix(EXIF_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * min(count, MAX_ENTRIES), 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if tag == TAG:
                return value if kind == SHORT and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels [H, W, C] turned upright; from 5 on height and width change places."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # Of the picture so far: 2, 3, 6 and 7 are mirrored left to right, 3, 4, 7 and 8 upside down.
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return pixels
