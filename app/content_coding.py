"""Compressed bodies (`Content-Encoding`), unpacked part by part, never beyond a limit."""

import zlib

from app.errors import BadBody, BodyTooLarge, UnsupportedCoding

CODINGS = ("gzip", "deflate")
# How zlib names them.
GZIP = 16 + zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS
MOST_FILES = 64  # of one gzip body: each is a new stream, and may be empty
_DEFLATED = 8  # in the low half of a zlib stream's first byte, where deflate's own have other bits


def coding_of(header: bytes) -> str | None:
    """What a body is packed in, by its Content-Encoding; raises UnsupportedCoding."""
    if not header:
        return None
    names = [name.strip().lower() for name in header.decode("latin-1").split(",")]
    packed = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
    if not packed:
        return None
    if len(packed) > 1 or packed[0] not in CODINGS:
        raise UnsupportedCoding(
            f"the body's Content-Encoding is {', '.join(packed)[:80]}; taken are "
            f"{', '.join(CODINGS)}, one of them once, or none: pack the body so, or not at all"
        )
    return packed[0]


class Unpacker:
    """One body, of which at most `max_bytes` come out."""

    def __init__(self, coding: str, max_bytes: int) -> None:
        self._coding = coding
        self._max_bytes = max_bytes
        self._unpacked = 0
        self._held = b""
        self._files = 0
        self._stream: zlib._Decompress | None = None

    def unpack(self, part: bytes, *, last: bool) -> bytes:
        """What the next part holds; raises BodyTooLarge, and BadBody for what is damaged or short.

        A gzip body may be several files, one behind the other (RFC 1952).
        """
        found = []
        data = self._held + part
        while data and (self._stream is not None or last or len(data) > 1):
            stream = self._stream = self._stream or self._begin(data)
            found.append(self._feed(stream, data))
            data = stream.unused_data
            if stream.eof:
                self._stream = None
        self._held = data  # a byte too few to tell zlib's stream from a bare one
        if last and self._stream is not None:
            raise self._damaged("it is cut off")
        return b"".join(found)

    def _begin(self, data: bytes) -> "zlib._Decompress":
        self._files += 1
        if self._files > (MOST_FILES if self._coding == "gzip" else 1):
            raise self._damaged("more follows where it ends")
        return zlib.decompressobj(self._window(data))

    def _feed(self, stream: "zlib._Decompress", data: bytes) -> bytes:
        room = self._max_bytes - self._unpacked
        try:
            unpacked = stream.decompress(data, room + 1)
        except zlib.error:
            raise self._damaged("it is damaged, or packed in another way") from None
        self._unpacked += len(unpacked)
        if len(unpacked) > room:
            raise BodyTooLarge(
                f"the body is larger than {self._max_bytes} bytes once it is unpacked "
                "(LATENTD_MAX_BODY_BYTES): send less at a time"
            )
        return unpacked

    def _window(self, data: bytes) -> int:
        if self._coding == "gzip":
            return GZIP
        # By the book deflate is a zlib stream; some clients have always sent the bare one.
        is_zlib = data[0] & 15 == _DEFLATED and int.from_bytes(data[:2]) % 31 == 0
        return zlib.MAX_WBITS if is_zlib else RAW

    def _damaged(self, how: str) -> BadBody:
        return BadBody(f"the body is not what its Content-Encoding says, {self._coding}: {how}")
