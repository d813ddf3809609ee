"""JSON: numbers as the shortest decimals that give the same float32 back, images as base64 PNGs."""

from base64 import b64encode
from collections.abc import Mapping

import orjson
import torch
from torch import Tensor

from app.formats import png
from app.formats.answer import Answer
from app.layout import Sheet, arrange


def write(answer: Answer) -> bytes:
    """`{"model", "seeds", "images": [base64 PNG, …]}`, or `"rows": [[…], …]` for vectors."""
    if answer.sheet is None:
        return dump({"model": answer.model, "seeds": answer.seeds, "rows": answer.rows})
    alone = Sheet(columns=1, scale=answer.sheet.scale)
    images = [
        b64encode(png.encode(arrange(image, alone))).decode()
        for image in torch.split(answer.rows, 1)
    ]
    return dump({"model": answer.model, "seeds": answer.seeds, "images": images})


def dump(value: Mapping[str, object]) -> bytes:
    """JSON of `value`, in which tensors are nested lists.

    orjson writes NaN as null without a word: tensors are to be finite, which the service sees to.
    """
    return orjson.dumps(value, default=_tensor, option=orjson.OPT_SERIALIZE_NUMPY)


def _tensor(value: object) -> object:
    if isinstance(value, Tensor):
        return value.contiguous().numpy()
    raise TypeError(type(value).__name__)
