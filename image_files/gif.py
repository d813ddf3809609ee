"""GIF by its blocks (CompuServe's GIF89a specification, by its sections)."""

import struct

from image_files.container import Container, check_count, check_frame
from image_files.errors import DamagedImage

SIGNATURES = (b"GIF87a", b"GIF89a")
SCREEN_END = 13
IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
CONTROL = 0xF9
TABLE = 0x80


def read(file: bytes) -> Container:
    """Screen, tables, frames and what says how a frame is drawn; comments and the like are dropped.

    DamagedImage where the file ends before its trailer, or a frame lies outside of the screen. The
    first one may: then the screen is as large as that.
    """
    if len(file) < SCREEN_END:
        raise DamagedImage("it ends before its header")
    width, height, flags = struct.unpack_from("<HHB", file, 6)
    place = SCREEN_END + _table(flags)
    parts = [file[:place]]
    frames = blocks = 0
    while (kind := _byte(file, place)) != TRAILER:
        blocks += 1
        check_count(blocks)
        if kind == EXTENSION:
            end = _data_end(file, place + 2)
            if _byte(file, place + 1) == CONTROL:
                parts.append(file[place:end])
        elif kind == IMAGE and place + 10 <= len(file):
            x, y, wide, high, local = struct.unpack_from("<4HB", file, place + 1)
            if not frames:
                width, height = max(width, x + wide), max(height, y + high)
            check_frame((width, height), (x, y, wide, high))
            end = _data_end(file, place + 10 + _table(local) + 1)
            parts.append(file[place:end])
            frames += 1
        else:
            raise DamagedImage(f"its block at byte {place} is none that a GIF has")
        place = end
    if not frames:
        raise DamagedImage("it has no frame")
    return Container("GIF", (width, height), b"".join((*parts, b";")), frames)


def _table(flags: int) -> int:
    """Bytes of the colour table that follows (section 18)."""
    return 3 << (flags & 7) + 1 if flags & TABLE else 0


def _byte(file: bytes, place: int) -> int:
    if place >= len(file):
        raise DamagedImage(f"it ends at byte {len(file)}, before its picture does")
    return file[place]


def _data_end(file: bytes, place: int) -> int:
    """Where data that begin at `place` end: blocks with their length before them, the last 0."""
    while length := _byte(file, place):
        place += 1 + length
    return place + 1
