"""safetensors: the rows as one tensor called `rows`, float32 [N, *data_shape]."""

import json
from math import prod

from app.arrays import FLOAT_BYTES
from app.formats.answer import Head

ALIGNMENT = 8


def header(head: Head) -> bytes:
    """The length of a JSON object as 8 bytes, and the object: what is where, and whose it is."""
    shape = [head.num_rows, *head.row_shape]
    rows = {"dtype": "F32", "shape": shape, "data_offsets": [0, FLOAT_BYTES * prod(shape)]}
    # Its values are texts.
    metadata = {name: str(value) for name, value in head.origin.items()}
    metadata["seeds"] = ",".join(map(str, head.seeds))
    text = json.dumps({"__metadata__": metadata, "rows": rows}).encode()
    # Spaces, so that the numbers begin at a multiple of eight bytes.
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
