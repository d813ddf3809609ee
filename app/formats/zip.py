"""zip: one PNG a row, `000000.png` and on; the pictures are stored, being compressed already.

The standard library's archive keeps a kilobyte for every file until it is closed, which a million
rows would feel; all that the list at an archive's end needs of a file is 56 bytes.
"""

import struct
import zlib
from collections.abc import Sequence

from app.arrays import Rows
from app.formats import png
from app.formats.answer import Answer, Buffer, Head

# Records of PKWARE's APPNOTE.TXT 6.3.10, by their sections.
LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
END = struct.Struct("<4s4H2LH")  # 4.3.16
END_64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
LOCATOR_64 = struct.Struct("<4sLQL")  # 4.3.15
EXTRA_64 = struct.Struct("<2HQ")  # 4.5.3, with an offset alone

VERSION, VERSION_64 = 20, 45  # of the format, that is needed to read it
UNIX = 3 << 8  # who wrote it
READABLE = 0o600 << 16  # to its owner
# Entries carry a date; one that does not change keeps equal answers equal. 1980-01-01, 00:00.
DATE = 0, (1 << 5) + 1
MOST, MOST_FILES = 2**32 - 1, 2**16 - 1  # without the records of 64 bits


class Archive:
    """What stands in an archive before, between and behind the files of it; begins at `start`."""

    def __init__(self, start: int = 0) -> None:
        self.count = 0
        self._offset = start
        self._list = bytearray()

    def entry(self, name: bytes, data: bytes) -> bytes:
        """The next file, stored."""
        about = (0, 0, *DATE, zlib.crc32(data), len(data), len(data), len(name))
        far = self._offset >= MOST
        extra = EXTRA_64.pack(1, 8, self._offset) if far else b""
        version = VERSION_64 if far else VERSION
        offset = min(self._offset, MOST)
        self._list += CENTRAL.pack(
            *(b"PK\x01\x02", UNIX + version, version, *about, len(extra), 0, 0, 0, READABLE, offset)
        )
        self._list += name + extra
        self.count += 1
        entry = LOCAL.pack(b"PK\x03\x04", VERSION, *about, 0) + name + data
        self._offset += len(entry)
        return entry

    def end(self) -> bytes:
        """The list of all of them."""
        size, offset, count = len(self._list), self._offset, self.count
        if count >= MOST_FILES or size >= MOST or offset >= MOST:
            version = (UNIX + VERSION_64, VERSION_64)
            place = offset + size
            self._list += END_64.pack(
                *(b"PK\x06\x06", END_64.size - 12, *version, 0, 0, count, count, size, offset)
            )
            self._list += LOCATOR_64.pack(b"PK\x06\x07", 0, place, 1)
        files = min(count, MOST_FILES)
        self._list += END.pack(
            *(b"PK\x05\x06", 0, 0, files, files, min(size, MOST), min(offset, MOST), 0)
        )
        return bytes(self._list)


class Pictures:
    """The archive of one answer."""

    length: int | None = None

    def __init__(self, head: Head) -> None:
        self._head = head
        self._archive = Archive()

    def begin(self) -> Buffer:
        """Nothing stands before the first file."""
        return b""

    def part(self, rows: Rows) -> Buffer:
        """The next pictures."""
        entries = []
        for picture in Answer(self._head, rows).pictures:
            row = self._archive.count
            file = png.encode(picture, png.label(self._head, row))
            entries.append(self._archive.entry(b"%06d.png" % row, file))
        return b"".join(entries)

    def end(self) -> Buffer:
        """The list of all of them."""
        return self._archive.end()


def write(answer: Answer) -> Sequence[Buffer]:
    """The rows of an answer that is all there."""
    pictures = Pictures(answer.head)
    return (pictures.part(answer.rows), pictures.end())
