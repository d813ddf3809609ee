"""JSON: numbers as the shortest decimals that give the same float32 back, images as base64 PNGs."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import orjson

from app.formats import png
from app.formats.answer import Answer, Buffer

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
    """JSON of `value`, in which arrays are nested lists.

    orjson writes NaN as null without a word: arrays are to be finite, which the engine sees to. It
    keeps the interpreter to itself while it writes, so large arrays are written some rows at a time
    and other threads go on meanwhile.
    """
    if not any(isinstance(part, np.ndarray) and part.size > TOGETHER for part in value.values()):
        return _dumped(value)
    members = (_dumped(name) + b":" + b"".join(_parts(part)) for name, part in value.items())
    return b"{" + b",".join(members) + b"}"


def _parts(value: object) -> Iterator[bytes]:
    if not isinstance(value, np.ndarray) or value.size <= TOGETHER:
        yield _dumped(value)
        return
    rows = max(1, TOGETHER * len(value) // value.size)
    for start in range(0, len(value), rows):
        yield b"," if start else b"["
        yield _dumped(value[start : start + rows])[1:-1]
    yield b"]"


def _dumped(value: object) -> bytes:
    return orjson.dumps(value, default=_contiguous, option=orjson.OPT_SERIALIZE_NUMPY)


def _contiguous(value: object) -> object:
    # What orjson does not take of NumPy is an array whose numbers do not lie in one row.
    if isinstance(value, np.ndarray) and not value.flags.c_contiguous:
        return np.ascontiguousarray(value)
    raise TypeError(type(value).__name__)
