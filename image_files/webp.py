"""WebP by its chunks (RFC 9649, section 2)."""

import struct

from image_files.container import Container, check_count, check_frame
from image_files.errors import DamagedImage
from image_files.orientation import orientation_of

START = 12  # RIFF, a length, WEBP
ANIMATION, ALPHA = 0x02, 0x10
CHUNK = struct.Struct("<4sI")
BITSTREAMS = {b"VP8 ", b"VP8L"}
FRAME_HEAD = 16
LOSSLESS = 0x2F


def fits(file: bytes) -> bool:
    """Whether the bytes begin as WebP does."""
    return file[:4] == b"RIFF" and file[8:START] == b"WEBP"


def read(file: bytes) -> Container:
    """The picture's own chunks; DamagedImage where the file is cut off or a frame lies outside."""
    chunks = _chunks(file)
    exif = next((data for name, data in chunks if name == b"EXIF"), b"")
    orientation = orientation_of(exif)
    extended = [data for name, data in chunks if name == b"VP8X"]
    if not extended:
        name, data = _picture(chunks)
        return Container("WEBP", _size(name, data), _file([(name, data)]), 1, orientation)
    if len(extended) > 1 or len(extended[0]) < 10:
        raise DamagedImage("its header is cut short, or there twice")
    flags, size = extended[0][0], (_side(extended[0][4:7]), _side(extended[0][7:10]))
    header = (b"VP8X", struct.pack("<I", flags & (ANIMATION | ALPHA)) + extended[0][4:10])
    if flags & ANIMATION:
        frames = [data for name, data in chunks if name == b"ANMF"]
        for frame in frames:
            _check_frame(size, frame)
        if not frames:
            raise DamagedImage("it has no frame")
        moving = [chunk for chunk in chunks if chunk[0] in {b"ANIM", b"ANMF"}]
        return Container("WEBP", size, _file([header, *moving]), len(frames), orientation)
    name, data = _picture(chunks)
    if _size(name, data) != size:
        raise DamagedImage("its picture is of another size than its header says")
    alpha = [chunk for chunk in chunks if chunk[0] == b"ALPH"][:1]
    return Container("WEBP", size, _file([header, *alpha, (name, data)]), 1, orientation)


def _chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    """Names and data of all chunks; what stands behind the length that the file tells is left."""
    end = 8 + int.from_bytes(file[4:8], "little")
    if end > len(file):
        raise DamagedImage(f"it has {len(file)} of {end} bytes")
    chunks, place = [], START
    while place + CHUNK.size <= end:
        name, length = CHUNK.unpack_from(file, place)
        place += CHUNK.size
        if place + length > end:
            raise DamagedImage(f"its chunk at byte {place - CHUNK.size} is not whole")
        chunks.append((name, file[place : place + length]))
        place += length + length % 2
        check_count(len(chunks))
    return chunks


def _picture(chunks: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    for chunk in chunks:
        if chunk[0] in BITSTREAMS:
            return chunk
    raise DamagedImage("it has no picture")


def _size(name: bytes, data: bytes) -> tuple[int, int]:
    """Width and height in the head of a bitstream (section 2.5; RFC 6386, section 9.1)."""
    if len(data) < 10:
        raise DamagedImage("its picture is cut short")
    if name == b"VP8L":
        if data[0] != LOSSLESS:
            raise DamagedImage("its picture does not begin as one")
        bits = int.from_bytes(data[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 6)
    if data[3:6] != b"\x9d\x01\x2a" or not width & 0x3FFF or not height & 0x3FFF:
        raise DamagedImage("its picture does not begin as one")
    return width & 0x3FFF, height & 0x3FFF


def _check_frame(canvas: tuple[int, int], frame: bytes) -> None:
    if len(frame) < FRAME_HEAD:
        raise DamagedImage("a frame is cut short")
    x, y = (2 * (_side(frame[place : place + 3]) - 1) for place in (0, 3))
    check_frame(canvas, (x, y, _side(frame[6:9]), _side(frame[9:12])))


def _side(number: bytes) -> int:
    return 1 + int.from_bytes(number, "little")


def _file(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"WEBP"]
    for name, data in chunks:
        parts += [CHUNK.pack(name, len(data)), data, bytes(len(data) % 2)]
    whole = b"".join(parts)
    return CHUNK.pack(b"RIFF", len(whole)) + whole
