"""PNG: one picture of all rows, written with zlib alone.

Pillow spends several times as long on the same pixels (its default level searches for matches that
renderings of this size hardly have), and drawing is most of an answer's cost.
"""

import struct
import zlib

import numpy as np

from app.formats.answer import Answer
from app.layout import Pixels, Sheet, arrange

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # by channels (PNG specification, section 11.2.1)
FILTER_NONE, FILTER_SUB = 0, 1
ONE = Sheet(columns=1, scale=1)


def write(answer: Answer) -> bytes:
    """The rows as one contact sheet or strip."""
    return encode(arrange(answer.rows, answer.sheet or ONE))


def encode(picture: Pixels) -> bytes:
    """A PNG file of `picture` [H, W, C], C = 1 (grey), 3 (RGB) or 4 (RGBA)."""
    height, width, channels = picture.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    lines = np.empty((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = picture.reshape(height, -1)
    # Black grounds of grey digits are runs as they stand; colours become runs as differences.
    lines[:, 0] = FILTER_NONE if channels == 1 else FILTER_SUB
    if channels > 1:
        lines[:, 1 + channels :] -= picture.reshape(height, -1)[:, :-channels]
    # Z_RLE looks for runs only: twice as fast as the fastest level, and no larger on such pictures.
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    data = deflate.compress(lines.tobytes()) + deflate.flush()
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
