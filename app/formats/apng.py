"""APNG: the rows as frames; a reader that knows PNG alone shows the first one.

Chunks of the PNG specification, third edition, section 11.3.6.
"""

import struct
from collections.abc import Sequence

from app.formats import png
from app.formats.answer import Answer, Buffer

# A frame stands in place of all that was there: neither disposed of nor blended.
WHOLE = (0, 0)


def write(answer: Answer) -> Sequence[Buffer]:
    """Every frame as it is, those that equal the one before too."""
    head, motion = answer.head, answer.head.motion
    height, width, channels = answer.picture_shape
    data = [png.compress(picture) for picture in answer.pictures]
    order = motion.order(len(data))
    parts = [
        png.head(width, height, channels),
        png.label(head),
        png.chunk(b"acTL", struct.pack(">2I", len(order), motion.repeats)),
    ]
    number = 0  # of the chunks that are an animation's alone
    for row in order:
        control = struct.pack(">5I2H2B", number, width, height, 0, 0, 1, motion.fps, *WHOLE)
        parts.append(png.chunk(b"fcTL", control))
        if number == 0:
            parts.append(png.chunk(b"IDAT", data[row]))
        else:
            parts.append(png.chunk(b"fdAT", struct.pack(">I", number + 1) + data[row]))
        number += 1 if number == 0 else 2
    return (b"".join((*parts, png.END)),)
