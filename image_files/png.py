"""PNG and APNG by their chunks (PNG specification, third edition, sections 5 and 11)."""

import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from image_files.container import Container, check_count, check_frame
from image_files.errors import DamagedImage
from image_files.orientation import orientation_of

try:
    from isal.isal_zlib import crc32  # in a quarter of zlib's time
except ImportError:  # no wheel for this platform
    crc32 = zlib.crc32

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")
UINT32 = struct.Struct(">I")
# Channels by colour type, and the depths that each may have (section 11.2.1).
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
GREY, COLOUR, PALETTE = 0, 2, 3
# Elsewhere a palette is a suggestion, and transparency stands in a channel of its own.
COLOURS_OF = {GREY: (b"tRNS",), COLOUR: (b"tRNS",), PALETTE: (b"PLTE", b"tRNS")}
MAX_SIDE = 2**31 - 1
# Adam7: where each pass begins and how far it steps, in x and y (section 8.2).
PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
    (0, 1, 1, 2),
)


HEADER_END = len(SIGNATURE) + 12 + HEADER.size
MOVING = frozenset({b"acTL", b"fcTL", b"IDAT", b"fdAT"})
KEPT = MOVING | {b"PLTE", b"tRNS", b"eXIf"}
PART = 1 << 20  # bytes that are unpacked at a time to see whether there are enough


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour_type: int
    compression: int
    filter: int
    interlaced: int

    @property
    def plain_channels(self) -> int:
        """Channels of pixels of 8 bits that lie line after line; of all others 0."""
        plain = self.depth == 8 and not self.interlaced and self.colour_type in {0, 2, 6}
        return CHANNELS[self.colour_type] if plain else 0

    def num_bytes(self, width: int, height: int) -> int:
        """Bytes of all lines of a frame, each with its filter's byte before it."""
        bits = self.depth * CHANNELS[self.colour_type]
        if not self.interlaced:
            return height * (1 + (width * bits + 7) // 8)
        total = 0
        for x, y, step_x, step_y in PASSES:
            columns, lines = -((x - width) // step_x), -((y - height) // step_y)
            total += lines * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
        return total


_Chunk = tuple[bytes, bytes]
"""A name and its data."""


def read(file: bytes) -> Container:
    """The picture's own chunks; DamagedImage unless every chunk through IEND is whole.

    Texts, profiles and what follows IEND are seen to be whole and dropped without being unpacked.
    So are the pixels' data: `check_lines` is for later, when their number is known to be allowed.
    """
    header, chunks = _picture_chunks(file)
    size = (header.width, header.height)
    if len(chunks) == 1 and (channels := header.plain_channels):
        name, data = chunks[0]
        if len(file) != HEADER_END + 12 + len(data) + len(END):
            file = file[:HEADER_END] + _written(name, data) + END
        return Container("PNG", size, file, 1, 1, channels)
    _check_order(header, chunks)
    moving = _animation(header, chunks)
    exif = next((data for name, data in chunks if name == b"eXIf"), b"")
    meant = COLOURS_OF.get(header.colour_type, ())
    palette = [chunk for chunk in chunks if chunk[0] in meant]
    return Container(
        format="PNG",
        stored_size=size,
        data=_without_ballast(
            header, palette, moving or [chunk for chunk in chunks if chunk[0] == b"IDAT"]
        ),
        num_frames=sum(name == b"fcTL" for name, _ in moving) if moving else 1,
        orientation=orientation_of(exif) if exif else 1,
        plain_channels=0 if palette or moving else header.plain_channels,
    )


def _without_ballast(header: _Header, palette: list[_Chunk], picture: list[_Chunk]) -> bytes:
    """The file again with nothing but these chunks, the data of the first picture as one."""
    parts = [SIGNATURE, _written(b"IHDR", HEADER.pack(*header))]
    for name, data in palette:
        parts.append(_written(name, _scaled_key(header, data) if name == b"tRNS" else data))
    whole: bytes | None = b"".join([data for name, data in picture if name == b"IDAT"])
    for name, data in picture:
        if name != b"IDAT":
            parts.append(_written(name, data))
        elif whole is not None:
            parts.append(_written(name, whole))
            whole = None
    parts.append(END)
    return b"".join(parts)


def check_lines(file: bytes) -> None:
    """DamagedImage unless each frame's data unpack to all of its lines; more is never unpacked.

    Pillow leaves the lines that are missing black, and says nothing.
    """
    header, chunks = _picture_chunks(file)
    for size, data in _frame_data(header, chunks):
        _check_data(header, size, data)


def _picture_chunks(file: bytes) -> tuple[_Header, list[_Chunk]]:
    """The header and the other chunks through IEND that a picture is made of."""
    view = memoryview(file)
    header = _header(file[len(SIGNATURE) : HEADER_END])
    chunks: list[_Chunk] = []
    start, name, count = HEADER_END, b"", 0
    while name != b"IEND":
        name = file[start + 4 : start + 8]
        end = start + 8 + int.from_bytes(file[start : start + 4])
        check = file[end : end + 4]
        if len(check) < 4 or crc32(view[start + 4 : end]) != int.from_bytes(check):
            raise DamagedImage(f"its chunk at byte {start} is not whole")
        if name in KEPT:
            chunks.append((name, file[start + 8 : end]))
        elif not name[0] & 0x20 and name != b"IEND":
            raise DamagedImage(f"it needs a chunk at byte {start} that is not known")
        start, count = end + 4, count + 1
    check_count(count)
    return header, chunks


@lru_cache(256)
def _header(chunk: bytes) -> _Header:
    """The first chunk, as a file has it."""
    data = chunk[8:-4]
    if len(data) != HEADER.size or chunk != _written(b"IHDR", data):
        raise DamagedImage("it does not begin with a header that is whole")
    header = _Header(*HEADER.unpack(data))
    known = header.depth in DEPTHS.get(header.colour_type, ()) and header.interlaced < 2
    if not known or header.compression or header.filter:
        raise DamagedImage("its header names a kind of pixels that no PNG has")
    if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE):
        raise DamagedImage(f"it is {header.width} × {header.height} pixels")
    return header


def _check_order(header: _Header, chunks: list[_Chunk]) -> None:
    names = [name for name, _ in chunks]
    if b"IDAT" not in names:
        raise DamagedImage("it has no data")
    before = names[: names.index(b"IDAT")]
    for name in (b"PLTE", b"tRNS"):
        if names.count(name) > before.count(name) or names.count(name) > 1:
            raise DamagedImage(f"its {name.decode()} chunk stands behind its data, or twice")
    if header.colour_type == PALETTE:
        table = next((len(data) for name, data in chunks if name == b"PLTE"), 0)
        if not 3 <= table <= 768 or table % 3:
            raise DamagedImage("it has no palette of 1 to 256 colours")


def _scaled_key(header: _Header, data: bytes) -> bytes:
    """A tRNS chunk of the transparent colour as pixels of 8 bits have it, of 16-bit grey as it is.

    So Pillow wants it: it scales pixels of 2 and 4 bits, and cuts colours of 16 to the upper byte.
    """
    if header.colour_type == PALETTE:
        return data[:256]
    wanted = 2 * CHANNELS[header.colour_type]
    if len(data) < wanted:
        raise DamagedImage("its transparent colour is cut short")
    key = struct.unpack(f">{wanted // 2}H", data[:wanted])
    if header.depth == 16:
        scaled = key if header.colour_type == GREY else [value >> 8 for value in key]
    else:
        most = (1 << header.depth) - 1
        factor = 1 if header.depth == 1 else 255 // most
        scaled = [(value & most) * factor for value in key]
    return struct.pack(f">{wanted // 2}H", *scaled)


def _animation(header: _Header, chunks: list[_Chunk]) -> list[_Chunk]:
    """The chunks of an animation in their order, its data among them; none if it is a still.

    acTL counts where it stands before the data (section 11.3.6.1).
    """
    names = [name for name, _ in chunks]
    if b"acTL" not in names[: names.index(b"IDAT")]:
        return []
    control = chunks[names.index(b"acTL")][1]
    frames = int.from_bytes(control[:4]) if len(control) == 8 else 0
    if frames == 0 or b"fcTL" not in names:
        return []
    if names.count(b"fcTL") != frames:
        raise DamagedImage(f"it says {frames} frames and has {names.count(b'fcTL')}")
    moving = [chunk for chunk in chunks if chunk[0] in MOVING]
    for name, data in moving:
        if name == b"fcTL":
            width, height, x, y = _place(data)
            check_frame((header.width, header.height), (x, y, width, height))
    return moving


def _place(control: bytes) -> tuple[int, int, int, int]:
    """Width, height, x and y of a frame."""
    if len(control) != 26:
        raise DamagedImage("a frame's control is cut short")
    width, height, x, y = struct.unpack_from(">4I", control, 4)
    return width, height, x, y


def _frame_data(header: _Header, chunks: list[_Chunk]) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Width, height and data of the picture, and of each frame of its own."""
    size, parts = (header.width, header.height), list[bytes]()
    for name, data in chunks:
        if name == b"fcTL":
            if parts:
                yield size, b"".join(parts)
            size, parts = _place(data)[:2], []
        elif name in {b"IDAT", b"fdAT"}:
            parts.append(data if name == b"IDAT" else data[4:])
    yield size, b"".join(parts)


def _check_data(header: _Header, size: tuple[int, int], data: bytes) -> None:
    wanted = header.num_bytes(*size)
    unpacker = zlib.decompressobj()
    found = 0
    try:
        while found < wanted and not unpacker.eof:
            rest = unpacker.unconsumed_tail or data
            part = unpacker.decompress(rest, min(wanted - found, PART))
            if not part:
                break
            found, data = found + len(part), b""
    except zlib.error:
        found = 0
    if found < wanted:
        raise DamagedImage(f"its data hold {found} of {wanted} bytes")


def _written(name: bytes, data: bytes) -> bytes:
    named = name + data
    return b"".join((UINT32.pack(len(data)), named, UINT32.pack(crc32(named))))


END = _written(b"IEND", b"")
