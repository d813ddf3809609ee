"""JSON: numbers as the shortest decimals that give the same float32 back, images as base64 PNGs."""

from base64 import b64encode
from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from app.formats import png
from app.formats.answer import Answer, Buffer

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
    """JSON of `value`, in which arrays are nested lists.

    orjson writes NaN as null without a word: arrays are to be finite, which the engine sees to.
    """
    return orjson.dumps(value, default=_contiguous, option=orjson.OPT_SERIALIZE_NUMPY)


def _contiguous(value: object) -> object:
    # What orjson does not take of NumPy is an array whose numbers do not lie in one row.
    if isinstance(value, np.ndarray) and not value.flags.c_contiguous:
        return np.ascontiguousarray(value)
    raise TypeError(type(value).__name__)
