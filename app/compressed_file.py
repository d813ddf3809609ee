"""The file of `/compress`: magic, version, a head in JSON, the words, a checksum of all that.

8 bytes  \x89latentd
1 byte   version of the format, 1
2 bytes  length of the head, little endian
…        the head, JSON in UTF-8
…        the words, 4 bytes each, little endian
8 bytes  the first of the SHA-256 of all bytes before
"""

import hashlib
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.entropy_coder import Words
from app.errors import BadBody, BadValue

NumLevels: TypeAlias = Literal[2, 256]

MAGIC = b"\x89latentd"
VERSION = 1
PREFIX = len(MAGIC) + 3
CHECKSUM = 8


class Head(BaseModel):
    """What a file is of, and by what it was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: Annotated[str, Field(max_length=200)]
    """name@version, for people; what counts is `sha256`, the digest of its file."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    precision: Literal["float32", "bfloat16", "float16"]
    host: Annotated[str, Field(max_length=16)]
    """A digest of what the writer's machine computed for fixed rows."""
    num_levels: NumLevels
    """That a number of an image has, from 0 to 1."""
    count: Annotated[int, Field(ge=1)]
    rows: Annotated[str, Field(max_length=32)]
    """A digest of the images."""


class Compressed(NamedTuple):
    """A file's parts."""

    head: Head
    words: Words

    def packed(self) -> bytes:
        """The file."""
        head = self.head.model_dump_json().encode()
        body = b"".join(
            (
                MAGIC,
                bytes([VERSION]),
                len(head).to_bytes(2, "little"),
                head,
                self.words.astype("<u4").tobytes(),
            )
        )
        return body + _checksum(body)


def unpack(file: bytes) -> Compressed:
    """Raises BadBody for what is no such file, or not whole; BadValue for another version."""
    if not file.startswith(MAGIC) or len(file) < PREFIX + CHECKSUM:
        raise BadBody(
            f"the body of {len(file)} bytes is no file of /compress, or only the beginning of one: "
            "send what /compress answered, all of it"
        )
    version = file[len(MAGIC)]
    if version != VERSION:
        raise BadValue(
            f"the file is of version {version}, this release reads version {VERSION}: read it with "
            "the release that wrote it"
        )
    body, end = file[:-CHECKSUM], PREFIX + int.from_bytes(file[PREFIX - 2 : PREFIX], "little")
    if _checksum(body) != file[-CHECKSUM:]:
        raise BadBody(
            f"the checksum of these {len(file)} bytes is not the one they end with: the file is "
            "damaged or cut off; send a whole copy of it"
        )
    try:
        head = Head.model_validate_json(body[PREFIX:end])
        return Compressed(head, np.frombuffer(body[end:], "<u4").astype(np.uint32))
    except (ValidationError, ValueError):
        raise BadBody("the file is whole, but no file that /compress writes") from None


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:CHECKSUM]
