"""JSON: numbers as the shortest decimals that give the same float32 back, images as base64 PNGs."""

from base64 import b64encode
from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from app.formats import png
from app.formats.answer import Answer, Buffer, check_finite

VERSION = f"orjson-{orjson.__version__}"


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
    body = orjson.dumps(value, default=_contiguous, option=orjson.OPT_SERIALIZE_NUMPY)
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


def _contiguous(value: object) -> object:
    # What orjson does not take of NumPy is an array whose numbers do not lie in one row.
    if isinstance(value, np.ndarray) and not value.flags.c_contiguous:
        return np.ascontiguousarray(value)
    raise TypeError(type(value).__name__)
