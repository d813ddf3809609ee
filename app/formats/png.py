"""PNG: one picture of all rows, written with a compressor alone.

Pillow spends several times as long on the same pixels (its default level searches for matches that
renderings of this size hardly have), and drawing is most of an answer's cost.
"""

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import orjson

from app.arrays import Levels
from app.formats.answer import Answer, Buffer, Head
from app.layout import Sheet, arrange

try:
    import isal
    from isal import isal_zlib
except ImportError:  # no wheel for this platform: zlib's are other bytes, of the same pixels
    COMPRESSOR = f"zlib-{zlib.ZLIB_RUNTIME_VERSION}"
    crc32 = zlib.crc32
else:
    COMPRESSOR = f"isal-{isal.ISAL_VERSION}"
    crc32 = isal_zlib.crc32  # in a quarter of zlib's time

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # by channels (PNG specification, section 11.2.1)
FILTER_SUB = 1
UINT32 = struct.Struct(">I")
ONE = Sheet(columns=1, scale=1)
# ISA-L's level 0 takes a sixth of the time of its level 1 on a single digit, and gives half as many
# bytes again: cheaper as long as both fit into one packet.
SMALL = 2048


def write(answer: Answer) -> Sequence[Buffer]:
    """The rows as one contact sheet or strip."""
    picture = arrange(answer.images, answer.head.sheet or ONE)
    return (encode(picture, label(answer.head)),)


def label(head: Head, row: int | None = None) -> bytes:
    """A text chunk that says whose picture it is: that of `row`, or of all rows of the answer.

    Its keyword is `latentd`, its text JSON: the head's origin, and `row` or the number of `rows`.
    """
    about = head.origin
    if row is None and head.num_rows > 1:
        about["rows"] = head.num_rows
    else:
        about["row"] = row or 0
    return chunk(b"tEXt", b"latentd\0" + orjson.dumps(about))


def encode(picture: Levels, label: bytes = b"") -> bytes:
    """A PNG file of `picture` [H, W, C], C = 1 (grey), 3 (RGB) or 4 (RGBA)."""
    height, width, channels = picture.shape
    return file(head(width, height, channels) + label, compress(picture))


def compress(picture: Levels) -> bytes:
    """The lines of `picture` as its IDAT chunk holds them."""
    height, width, channels = picture.shape
    pixels = picture.reshape(height, width * channels)
    # One byte for the filter before each line, 0 for none: black grounds of grey digits are runs as
    # they stand; colours become runs as differences.
    lines = np.zeros((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = pixels
    if channels > 1:
        lines[:, 0] = FILTER_SUB
        lines[:, 1 + channels :] -= pixels[:, :-channels]
    return _deflate(lines)


def file(head: bytes, data: bytes) -> bytes:
    """The file that begins with `head` and whose compressed lines are `data`."""
    return b"".join((head, chunk(b"IDAT", data), END))


@lru_cache(1024)
def head(width: int, height: int, channels: int) -> bytes:
    """The signature and the header chunk: 8 bits a channel, not interlaced."""
    return SIGNATURE + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """A length, a name, data, and a checksum of the latter two (section 5.3)."""
    named = kind + data
    return b"".join((UINT32.pack(len(data)), named, UINT32.pack(crc32(named))))


END = chunk(b"IEND", b"")


def _deflate(lines: Levels) -> bytes:
    if COMPRESSOR.startswith("isal"):
        return isal_zlib.compress(lines.data, 0 if lines.size <= SMALL else 1)
    # Z_RLE looks for runs only: twice as fast as the fastest level, and no larger on such pictures.
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return deflate.compress(lines.data) + deflate.flush()
