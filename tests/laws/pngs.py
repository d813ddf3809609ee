"""PNG files of every kind, written here chunk by chunk, and the pixels that each of them means."""

import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEIGHT, WIDTH = 11, 13
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
    (0, 1, 1, 2),
)


class Kind(NamedTuple):
    """One way to write a PNG."""

    colour_type: int
    depth: int
    interlaced: bool
    key: bool

    def __str__(self) -> str:
        words = [f"type {self.colour_type}", f"{self.depth} bits"]
        return ", ".join(words + ["interlaced"] * self.interlaced + ["tRNS"] * self.key)


def kinds() -> Iterator[Kind]:
    """All that the specification has (third edition, sections 11.2.1 and 11.3.1.1)."""
    for colour_type, depths in DEPTHS.items():
        for depth, interlaced, key in itertools.product(depths, (False, True), (False, True)):
            if not key or colour_type in {0, 2, 3}:
                yield Kind(colour_type, depth, interlaced, key)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(kind: Kind, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    fields = (width, height, kind.depth, kind.colour_type, 0, 0, int(kind.interlaced))
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def samples(kind: Kind, seed: int = 0) -> NDArray[np.int64]:
    """Values [H, W, channels] of the whole range, each at least once where there is room."""
    most = (1 << kind.depth) - 1
    shape = (HEIGHT, WIDTH, CHANNELS[kind.colour_type])
    found = np.random.default_rng(seed).integers(0, most + 1, shape)
    edges = [0, most, most // 2, 256, 0x8000, 0xFEFF, 0xFF00, 0xFF]
    for place, value in enumerate(edges):
        found[place, place] = min(value, most)
    if kind.key:
        found[2:4, 1:5] = key_of(kind)
        if kind.depth == 16:
            found[4, 1:5] = key_of(kind) + 256  # another colour, of another upper byte
    return found


def key_of(kind: Kind) -> NDArray[np.int64]:
    """The colour that is transparent."""
    most = (1 << kind.depth) - 1
    return np.array([most // 2, most // 3, most - 1][: CHANNELS[kind.colour_type]])


def palette(kind: Kind) -> Levels:
    """A colour for each number [2^depth, 4], alpha too."""
    return np.random.default_rng(kind.depth).integers(0, 256, (1 << kind.depth, 4), np.uint8)


def write(kind: Kind, values: NDArray[np.int64], extra: bytes = b"") -> bytes:
    """The file of `values`; `extra` chunks stand before its data."""
    parts = [SIGNATURE, header(kind), extra]
    if kind.colour_type == 3:
        table = palette(kind)
        parts.append(chunk(b"PLTE", table[:, :3].tobytes()))
        if kind.key:
            parts.append(chunk(b"tRNS", table[:, 3].tobytes()))
    elif kind.key:
        parts.append(chunk(b"tRNS", key_of(kind).astype(">u2").tobytes()))
    return b"".join(
        (*parts, chunk(b"IDAT", zlib.compress(lines(kind, values))), chunk(b"IEND", b""))
    )


def lines(kind: Kind, values: NDArray[np.int64]) -> bytes:
    """All lines, each with the filter 0 before it."""
    passes = [values[y::dy, x::dx] for x, y, dx, dy in PASSES] if kind.interlaced else [values]
    packed = []
    for part in passes:
        if part.size:
            numbers = part.reshape(len(part), -1)[..., None] >> np.arange(kind.depth)[::-1] & 1
            bits = numbers.reshape(len(part), -1).astype(np.uint8)
            packed += [b"\0" + np.packbits(line).tobytes() for line in bits]
    return b"".join(packed)


def meant(kind: Kind, values: NDArray[np.int64]) -> Levels:
    """RGBA [H, W, 4] of 8 bits: 16 by their upper byte, fewer than 8 over the whole range."""
    if kind.colour_type == 3:
        colours = palette(kind)[values[..., 0]]
        return colours if kind.key else _with_alpha(colours[..., :3], 255)
    scaled = values >> 8 if kind.depth == 16 else values * (255 // ((1 << kind.depth) - 1))
    levels = scaled.astype(np.uint8)
    if kind.colour_type in {4, 6}:
        return _with_alpha(levels[..., :-1], levels[..., -1])
    opaque = (values != key_of(kind)).any(-1) if kind.key else np.ones((HEIGHT, WIDTH), bool)
    return _with_alpha(levels, np.where(opaque, 255, 0).astype(np.uint8))


def _with_alpha(colours: Levels, alpha: Levels | int) -> Levels:
    rgba = np.empty((*colours.shape[:2], 4), np.uint8)
    rgba[..., :3] = colours
    rgba[..., 3] = alpha
    return rgba
