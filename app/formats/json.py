"""JSON: numbers as the shortest decimals that give the same float32 back, images as base64 PNGs."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

import numpy as np
import orjson
from numpy.typing import NDArray

from app.formats import png
from app.formats.answer import Answer, Buffer, check_finite

VERSION = f"orjson-{orjson.__version__}"

# Numbers that are written at a time: about a millisecond.
TOGETHER = 2**15


def write(answer: Answer) -> Sequence[Buffer]:
    """`{"model", "seeds", "images": [base64 PNG, …]}`, or `"rows": [[…], …]` for vectors."""
    head = answer.head
    if head.sheet is None:
        return (dump(head.origin | {"rows": answer.rows}),)
    images = [
        b64encode(png.encode(picture, png.label(head, row))).decode()
        for row, picture in enumerate(answer.pictures)
    ]
    return (dump(head.origin | {"images": images}),)


def dump(value: Mapping[str, object]) -> bytes:
    """JSON of `value`, in which arrays are nested lists. Raises NotFinite for NaN and infinity."""
    large = any(map(_is_large, value.values()))
    body = _in_parts(value) if large else _dumped(value)
    # orjson writes NaN and infinity as null, without a word; so it does None, and texts may say it.
    if b"null" in body:
        _check_finite(value)
    return body


def _check_finite(value: object) -> None:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            _check_finite(part)
    elif isinstance(value, float | np.floating):
        check_finite(np.array(value, np.float64))
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        check_finite(value)


def _in_parts(value: Mapping[str, object]) -> bytes:
    """The same JSON, whose arrays are written some rows at a time.

    orjson keeps the interpreter to itself while it writes; between parts other threads go on.
    """
    members = (_dumped(name) + b":" + b"".join(_parts(part)) for name, part in value.items())
    return b"{" + b",".join(members) + b"}"


def _parts(value: object) -> Iterator[bytes]:
    if not _is_large(value):
        yield _dumped(value)
        return
    rows = max(1, TOGETHER * len(value) // value.size)
    for start in range(0, len(value), rows):
        yield b"," if start else b"["
        yield _dumped(value[start : start + rows])[1:-1]
    yield b"]"


def _is_large(value: object) -> TypeGuard[NDArray[np.generic]]:
    return isinstance(value, np.ndarray) and value.size > TOGETHER


def _dumped(value: object) -> bytes:
    return orjson.dumps(value, default=_contiguous, option=orjson.OPT_SERIALIZE_NUMPY)


def _contiguous(value: object) -> object:
    # What orjson does not take of NumPy is an array whose numbers do not lie in one row.
    if isinstance(value, np.ndarray) and not value.flags.c_contiguous:
        return np.ascontiguousarray(value)
    raise TypeError(type(value).__name__)
