"""Changes to bytes, drawn from a random generator, and the checksums made right again after them.

A reader that looks at a checksum first is never seen from inside by changes that break it.
"""

import hashlib
import random
import struct
import zlib
from collections.abc import Sequence

LARGEST = 65_536
INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
WORDS = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"{",
    b"[[",
    b"NaN",
    b"1e999",
    b"-",
    b"../",
    b"\r\n",
    b"9" * 30,
]
PNG = b"\x89PNG\r\n\x1a\n"
COMPRESSED, CHECKSUM = b"\x89latentd", 8


def mutated(data: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    """`data` with one to eight changes, parts of `others` among them."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        at = dice.randrange(len(changed) + 1)
        end = min(len(changed), at + dice.choice((1, 2, 4, 16, 200)))
        changed[at:end] = dice.choice(CHANGES)(bytes(changed[at:end]), others, dice)
        if dice.random() < 0.05:
            del changed[at:]
    return bytes(changed[:LARGEST])


def _flipped(part: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    return bytes(byte ^ (1 << dice.randrange(8)) for byte in part[:1]) + part[1:]


def _drawn(part: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    return dice.randbytes(len(part[:4])) + part[4:]


def _number(part: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    form = dice.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    return struct.pack(form, dice.choice(INTERESTING) & (256**size - 1)) + part[size:]


def _gone(_part: bytes, _others: Sequence[bytes], _dice: random.Random) -> bytes:
    return b""


def _again(part: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    return part * dice.choice((2, 2, 30))


def _word(part: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    return dice.choice(WORDS) + part


def _spliced(_part: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    other = dice.choice(others)
    start = dice.randrange(len(other) + 1)
    return other[start : start + dice.choice((4, 40, 400))]


CHANGES = (_flipped, _drawn, _number, _gone, _again, _word, _spliced)


def repaired(data: bytes) -> bytes:
    """`data` with the checksums of a PNG, a zip of stored files, or a file of `/compress` right."""
    if data.startswith(PNG):
        return _png(data)
    if data.startswith(b"PK\x03\x04"):
        return _zip(data)
    if data.startswith(COMPRESSED):
        body = data[:-CHECKSUM]
        return body + hashlib.sha256(body).digest()[:CHECKSUM]
    return data


def _png(data: bytes) -> bytes:
    """Each chunk as long as it says, as far as the data go (PNG specification, section 5.3)."""
    parts, at = [PNG], len(PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if at + 12 + size > len(data):
            break
        named = data[at + 4 : at + 8 + size]
        parts += [data[at : at + 4], named, zlib.crc32(named).to_bytes(4)]
        at += 12 + size
    return b"".join((*parts, data[at:]))


def _zip(data: bytes) -> bytes:
    """The checksums of stored files in the list at the end (APPNOTE.TXT 6.3.10, section 4.3.12)."""
    changed, at = bytearray(data), data.find(b"PK\x01\x02")
    while at >= 0 and at + 46 <= len(data):
        method, size = int.from_bytes(data[at + 10 : at + 12], "little"), _uint32(data, at + 24)
        start = _uint32(data, at + 42)
        names = sum(int.from_bytes(data[start + n : start + n + 2], "little") for n in (26, 28))
        begin = start + 30 + names
        if method == 0 and begin + size <= len(data):
            changed[at + 16 : at + 20] = struct.pack("<I", zlib.crc32(data[begin : begin + size]))
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def _uint32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
