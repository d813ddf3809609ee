"""WebP, lossless: one picture of all rows, or the rows as frames.

Chunks of the WebP container specification (RFC 9649, section 2).
"""

import struct
from collections.abc import Sequence

from app.formats import pillow
from app.formats.answer import Answer, Buffer
from app.formats.png import ONE
from app.layout import arrange

MAX_SIDE = 16383
ANIMATION, ALPHA = 0x02, 0x10
MILLISECONDS = 1000
BACKGROUND = bytes(4)
# A frame stands in place of all that was there: neither disposed of nor blended.
WHOLE = 0x02
# What stands before the first chunk: RIFF, the length of all that follows, WEBP.
START = 12


def write(answer: Answer) -> Sequence[Buffer]:
    """The rows as one contact sheet or strip."""
    return (pillow.webp(arrange(answer.images, answer.head.sheet or ONE)),)


def write_animation(answer: Answer) -> Sequence[Buffer]:
    """Every frame as it is, those that equal the one before too."""
    motion = answer.head.motion
    height, width, channels = answer.picture_shape
    files = [pillow.webp(picture) for picture in answer.pictures]
    order = motion.order(len(files))
    size = _uint24(width - 1) + _uint24(height - 1)
    flags = struct.pack("<I", ANIMATION | (ALPHA if channels == 4 else 0))
    chunks = [
        _chunk(b"VP8X", flags + size),
        _chunk(b"ANIM", BACKGROUND + struct.pack("<H", motion.repeats)),
    ]
    for row, duration in zip(order, motion.durations(len(order), MILLISECONDS), strict=True):
        place = _uint24(0) + _uint24(0) + size + _uint24(duration) + bytes((WHOLE,))
        chunks.append(_chunk(b"ANMF", place + files[row][START:]))
    return (_chunk(b"RIFF", b"WEBP" + b"".join(chunks)),)


def _chunk(kind: bytes, data: bytes) -> bytes:
    # An odd length is filled up, which it does not count.
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _uint24(number: int) -> bytes:
    return number.to_bytes(3, "little")
