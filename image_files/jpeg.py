"""JPEG by its segments (ITU-T T.81, annex B)."""

import re
import struct
from collections.abc import Iterator

from image_files.container import Container, check_count
from image_files.errors import DamagedImage
from image_files.orientation import EXIF_PREFIX, orientation_of

SIGNATURE = b"\xff\xd8\xff"
START, END = b"\xff\xd8", b"\xff\xd9"
# A marker is 0xFF, as often as one likes, and a byte that is neither 0 nor 0xFF (section B.1.1.2).
MARKER = re.compile(rb"\xff+([^\x00\xff])")
# The same behind a scan's head, where restarts are a part of the data.
MARKER_BEHIND_DATA = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
APP0, APP1, APP14, COMMENT = 0xE0, 0xE1, 0xEE, 0xFE
SCAN, END_OF_IMAGE = 0xDA, 0xD9
FRAMES = {0xC0 + kind for kind in range(16)} - {0xC4, 0xC8, 0xCC}
ALONE = {0x01, 0xD8, *range(0xD0, 0xD8)}  # markers without a segment
# Of a progressive file every scan goes over the whole picture; encoders write about ten.
MAX_SCANS = 128


def read(file: bytes) -> Container:
    """The picture's own segments through its end; DamagedImage where one is cut short.

    Kept of the application segments: how samples are to be understood (JFIF, Adobe), and how the
    camera was held. A second picture behind the first, as in MPO, is not looked at.
    """
    kept = [START]
    sizes: list[tuple[int, int]] = []
    exif: bytes | None = None
    scans = 0
    for marker, segment, data in _segments(file):
        if marker in FRAMES:
            sizes.append(_size(segment))
        elif marker == APP1 and exif is None and segment.startswith(EXIF_PREFIX):
            exif = segment
        needed = _without_ballast(marker, segment)
        if needed is not None:
            head = struct.pack(">BBH", 0xFF, marker, 2 + len(needed))
            kept.append(b"".join((head, needed, data)))
        scans += marker == SCAN
        if scans > MAX_SCANS:
            raise DamagedImage(f"it has more than {MAX_SCANS} scans")
    if len(sizes) != 1 or not scans:
        raise DamagedImage(f"it has {len(sizes)} headers and {scans} scans of a picture")
    kept.append(END)
    return Container("JPEG", sizes[0], b"".join(kept), 1, orientation_of(exif or b""))


def _segments(file: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each marker through the end of the image, its segment, and a scan's data behind that."""
    count, place = 0, len(START)
    while (found := MARKER.search(file, place)) is not None:
        marker, place = found[1][0], found.end()
        count += 1
        check_count(count)
        if marker == END_OF_IMAGE:
            return
        if marker in ALONE:
            continue
        segment = _segment(file, place)
        place += 2 + len(segment)
        data = b""
        if marker == SCAN:
            behind = MARKER_BEHIND_DATA.search(file, place)
            end = len(file) if behind is None else behind.start()
            data = file[place:end]
            place = end
        yield marker, segment, data
    raise DamagedImage("it ends before its picture does")


def _segment(file: bytes, place: int) -> bytes:
    length = int.from_bytes(file[place : place + 2])
    segment = file[place + 2 : place + length]
    if length < 2 or len(segment) != length - 2:
        raise DamagedImage(f"its segment at byte {place - 2} is not whole")
    return segment


def _size(segment: bytes) -> tuple[int, int]:
    if len(segment) < 6:
        raise DamagedImage("its header is cut short")
    _, height, width = struct.unpack_from(">BHH", segment)
    if not width or not height:
        raise DamagedImage(f"it is {width} × {height} pixels")
    return width, height


def _without_ballast(marker: int, segment: bytes) -> bytes | None:
    """The part of a segment that the picture needs, None if it needs none."""
    if marker == APP0 and segment.startswith(b"JFIF\0") and len(segment) >= 14:
        return segment[:12] + b"\0\0"  # without its thumbnail
    if marker == APP14 and segment.startswith(b"Adobe"):
        return segment[:12]
    return None if APP0 <= marker <= 0xEF or marker == COMMENT else segment
