"""Strict reading of a zip archive in memory: one that could be read in two ways is refused.

Readers of zip files disagree on what lies before, between and after the entries, on headers that
contradict the directory, and on two entries of one name. Here the entries follow one another from
the first byte to the directory, every header agrees with it, and the file ends with its end record.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from model_store.errors import Fault

STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_WIDE = 0xFFFFFFFF  # stands for a number that is in the zip64 field
_DESCRIPTOR_FOLLOWS, _UTF8 = 0x8, 0x800
_ZIP64 = 1
# A descriptor's forms: with and without a signature, of 32 and of 64 bits.
_DESCRIPTORS = tuple(struct.Struct(form) for form in ("<4sL2L", "<L2L", "<4sL2Q", "<L2Q"))


class Entry(NamedTuple):
    """One entry as the directory has it."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int  # bytes in the file
    size: int  # bytes once unpacked
    header: int  # where its local header begins


def read_directory(content: memoryview, most: int) -> list[tuple[Entry, memoryview]]:
    """List the entries, at most `most`, each with its packed bytes, in their order in the file."""
    start, end, count = _directory_place(content)
    if not 1 <= count <= most:
        raise Fault(f"it holds {count} entries, the limit is {most}")
    entries = list(_central_entries(content[start:end], count))
    entries.sort(key=lambda entry: entry.header)
    ends = [entry.header for entry in entries[1:]] + [start]
    if entries[0].header != 0:
        raise Fault(f"{entries[0].header} bytes lie before its first entry")
    return [(entry, _packed(content, entry, end)) for entry, end in zip(entries, ends, strict=True)]


def unpack(entry: Entry, packed: memoryview) -> bytes | memoryview:
    """The content of an entry, whose size and checksum must hold."""
    content: bytes | memoryview = packed
    if entry.method == DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        content = inflater.decompress(packed, entry.size + 1)
        if not inflater.eof or inflater.unused_data:
            raise Fault(f"the entry {entry.name!r} does not unpack to the size that it says")
    if len(content) != entry.size:
        raise Fault(f"the entry {entry.name!r} has {len(content)} bytes where it says {entry.size}")
    if zlib.crc32(content) != entry.crc:
        raise Fault(f"the checksum of the entry {entry.name!r} does not hold")
    return content


def _directory_place(content: memoryview) -> tuple[int, int, int]:
    """Start and end of the directory and the number of its entries."""
    if len(content) < _END.size:
        raise Fault("it is no zip archive: it is too short")
    at = len(content) - _END.size
    mark, disk, first_disk, here, count, size, start, comment = _END.unpack_from(content, at)
    if mark != b"PK\5\6" or comment:
        raise Fault("it is no zip archive that ends with its own end record and no comment")
    if _has_locator(content, at):
        _, _, at64, disks = _LOCATOR64.unpack_from(content, at - _LOCATOR64.size)
        if disks != 1 or at64 != at - _LOCATOR64.size - _END64.size:
            raise Fault("its two end records do not follow one another")
        narrow = (here, count, size, start)
        mark, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack_from(
            content, at64
        )
        if (
            mark != b"PK\6\6"
            or length != _END64.size - 12
            or not _agree(narrow, (here, count, size, start))
        ):
            raise Fault("its two end records contradict one another")
        at = at64
    if disk or first_disk or here != count or start + size != at:
        raise Fault("its directory does not lie right before its end record")
    return start, at, count


def _has_locator(content: memoryview, end: int) -> bool:
    start = end - _LOCATOR64.size
    return start >= _END64.size and bytes(content[start : start + 4]) == b"PK\6\7"


def _agree(narrow: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    """Whether each narrow number is the wide one, or all ones, which point to it."""
    marks = (0xFFFF, 0xFFFF, _WIDE, _WIDE)
    return all(n in (w, mark) for n, w, mark in zip(narrow, wide, marks, strict=True))


def _central_entries(directory: memoryview, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(directory):
            raise Fault("its directory ends early")
        fields = _CENTRAL.unpack_from(directory, at)
        mark, _, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, _, header = fields
        at += _CENTRAL.size
        name, extra, comment = _pieces(directory, at, lengths)
        at += sum(lengths)
        if mark != b"PK\1\2" or disk or comment:
            raise Fault("its directory does not read, or has comments")
        size, packed, header = _widened(extra, (size, packed, header))
        entry = Entry(_text(name), method, flags, crc, packed, size, header)
        _check_form(entry)
        yield entry
    if at != len(directory):
        raise Fault("its directory is longer than its entries")


def _check_form(entry: Entry) -> None:
    if entry.flags & ~(_DESCRIPTOR_FOLLOWS | _UTF8):
        raise Fault(f"the entry {entry.name!r} is encrypted or has another flag ({entry.flags:#x})")
    if entry.method not in (STORED, DEFLATED):
        raise Fault(f"the entry {entry.name!r} is packed by method {entry.method}, not 0 or 8")
    if entry.method == STORED and entry.size != entry.packed:
        raise Fault(f"the entry {entry.name!r} is not packed and has two sizes")


def _pieces(directory: memoryview, at: int, lengths: list[int]) -> Iterator[bytes]:
    for length in lengths:
        if at + length > len(directory):
            raise Fault("its directory ends early")
        yield bytes(directory[at : at + length])
        at += length


def _text(name: bytes) -> str:
    try:
        return name.decode("ascii")
    except UnicodeDecodeError:
        raise Fault(f"the entry name {name[:80]!r} is not ASCII") from None


def _widened(extra: bytes, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers, those that are all ones taken from the zip64 field."""
    fields = [data for kind, data in _extra_fields(extra) if kind == _ZIP64]
    wanted = sum(number == _WIDE for number in numbers)
    if len(fields) > 1 or (wanted and not fields) or (fields and len(fields[0]) != 8 * wanted):
        raise Fault("an entry's zip64 field does not fit it")
    wide = iter(struct.unpack(f"<{wanted}Q", fields[0]) if wanted else ())
    return tuple(next(wide) if number == _WIDE else number for number in numbers)


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            raise Fault("an entry's extra fields do not read")
        kind, length = struct.unpack_from("<2H", extra, at)
        data = extra[at + 4 : at + 4 + length]
        if len(data) != length:
            raise Fault("an entry's extra fields do not read")
        yield kind, data
        at += 4 + length


def _packed(content: memoryview, entry: Entry, end: int) -> memoryview:
    """The packed bytes of an entry, which its header precedes and nothing but a descriptor follows.

    `end` is where the next header, or the directory, begins.
    """
    if entry.header + _LOCAL.size > end:
        raise Fault(f"the header of {entry.name!r} does not fit in front of what follows it")
    mark, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack_from(
        content, entry.header
    )
    start = entry.header + _LOCAL.size + name
    found = bytes(content[entry.header + _LOCAL.size : start])
    start += extra
    stop = start + entry.packed
    if mark != b"PK\3\4" or stop > end or found != entry.name.encode():
        raise Fault(f"the header of {entry.name!r} is not the one that the directory means")
    if (flags, method) != (entry.flags, entry.method):
        raise Fault(f"the header of {entry.name!r} contradicts the directory")
    known = (entry.crc, entry.packed, entry.size)
    later = bool(flags & _DESCRIPTOR_FOLLOWS)
    for here, there in zip((crc, packed, size), known, strict=True):
        if here != there and not (later and here == 0) and here != _WIDE:
            raise Fault(f"the header of {entry.name!r} contradicts the directory")
    if not _is_descriptor(bytes(content[stop:end]), known, later=later):
        raise Fault(f"{end - stop} bytes after the entry {entry.name!r} belong to none")
    return content[start:stop]


def _is_descriptor(rest: bytes, known: tuple[int, int, int], *, later: bool) -> bool:
    """Whether `rest` is what may follow an entry: its numbers once more, where its header waits."""
    if not later:
        return not rest
    forms = [form for form in _DESCRIPTORS if form.size == len(rest)]
    marked = [(form, (b"PK\7\10", *known)) for form in forms]
    return any(form.unpack(rest) in (numbers, numbers[1:]) for form, numbers in marked)
