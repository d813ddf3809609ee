"""What schemathesis has to be told of latentd: files that its media types mean, and one more check.

Loaded by schemathesis' own process (tests/fuzz/api.py).
"""

import base64
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image

from tests.fuzz.api import COMPRESSED

SIDE = 8


def _image(pixels: bytes, form: str) -> bytes:
    file = io.BytesIO()
    array = np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)
    Image.fromarray(array).save(file, form)
    return file.getvalue()


def _npy(pixels: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.frombuffer(pixels, np.uint8).reshape(-1, 1, SIDE, SIDE))
    return file.getvalue()


def _files(form: str) -> st.SearchStrategy[bytes]:
    return PIXELS.map(lambda pixels: _image(pixels, form))


PIXELS = st.binary(min_size=SIDE * SIDE, max_size=SIDE * SIDE)

for media_type in ("image/png", "image/jpeg", "image/webp"):
    schemathesis.openapi.media_type(media_type, _files(media_type.removeprefix("image/").upper()))
schemathesis.openapi.media_type("application/x-npy", PIXELS.map(_npy))
schemathesis.openapi.format("byte", _files("PNG").map(lambda file: base64.b64encode(file).decode()))
schemathesis.openapi.format("binary", _files("PNG"))
schemathesis.openapi.media_type(
    "application/x-latentd", st.just(Path(os.environ[COMPRESSED]).read_bytes())
)


@schemathesis.check
def what_the_schema_says_is_taken(
    _context: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """Valid data may break a rule across fields, or a limit, but no rule of a single field."""
    valid = case.meta is not None and case.meta.generation.mode.is_positive
    if response.status_code != 422 or not valid:
        return
    told = response.json()
    if told["type"] == "urn:latentd:problem:invalid-request":
        fields = [error["field"].rpartition(".")[2] for error in told["errors"]]
        alone = [field for field in fields if not (field.isdigit() or field in ACROSS)]
        assert not alone, f"what the document allows is refused: {told['errors']}"


# Where a rule across the fields of an object is told.
ACROSS = ("query", "body", "point")
