"""GIF: the rows as frames. Grey is exact; colours are at most 256 a frame.

Blocks of CompuServe's GIF89a specification, by their sections, and Netscape's one for repeats.
"""

import struct
from collections.abc import Sequence

import numpy as np

from app.arrays import Levels
from app.formats import pillow
from app.formats.answer import Answer, Buffer
from app.layout import enlarge

MAX_SIDE = 2**16 - 1
GREYS = bytes(level for level in range(256) for _ in range(3))
TABLE = 0x87  # a table of 256 colours follows
KEEP, CLEAR = 1 << 2, 2 << 2  # what becomes of a frame when the next one comes
TRANSPARENT = 255
HUNDREDTHS = 100


def write(answer: Answer) -> Sequence[Buffer]:
    """Every frame as it is, those that equal the one before too."""
    motion = answer.head.motion
    scale = answer.head.sheet.scale if answer.head.sheet else 1
    height, width, channels = answer.picture_shape
    size = width, height
    pictures = [_picture(image, size, scale) for image in answer.one_by_one]
    order = motion.order(len(pictures))
    grey = channels == 1
    # Section 18; a frame without a table of its own takes this one.
    parts = [b"GIF89a", struct.pack("<2H3B", *size, 0xF0 | TABLE if grey else 0x70, 0, 0)]
    if grey:
        parts.append(GREYS)
    # Readers show all of it once and then as often as it says; without it, once.
    if motion.repeats != 1:
        again = max(0, motion.repeats - 1)
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", again, 0))
    change = (CLEAR | 1, TRANSPARENT) if channels == 4 else (KEEP, 0)
    for row, duration in zip(order, motion.durations(len(order), HUNDREDTHS), strict=True):
        # Section 23.
        control = struct.pack("<BHBB", change[0], duration, change[1], 0)
        parts += [b"\x21\xf9\x04", control, pictures[row]]
    return (b"".join((*parts, b";")),)


def _picture(image: Levels, size: tuple[int, int], scale: int) -> bytes:
    """One frame's place, table and data (sections 20 to 22) of `image` [H, W, C]."""
    if image.shape[2] == 1:
        numbers, table = image[..., 0], b""
    elif image.shape[2] == 3:
        numbers, table = pillow.palette(image, 256)
    else:
        # A GIF's pixel is there or not.
        numbers, table = pillow.palette(np.ascontiguousarray(image[..., :3]), TRANSPARENT)
        numbers = np.where(image[..., 3] < 128, np.uint8(TRANSPARENT), numbers)
    place = struct.pack("<c4HB", b",", 0, 0, *size, TABLE if table else 0)
    return place + table + pillow.gif_data(enlarge(numbers, scale))
