"""NumPy's `.npy`: the rows as they are, float32 [N, …], written and read."""

import re
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from app.errors import BadBody
from app.formats.answer import Head

MAGIC = b"\x93NUMPY"
# By version: how many bytes say how long the header is.
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
# NumPy's own writes some 120.
MOST_HEADER_BYTES = 1024
# The members of the dictionary that a header is, which may stand in any order. NumPy has Python
# parse it, which takes long on what no writer writes, and warns of it on the log.
MEMBERS = (
    re.compile(rb"'descr'\s*:\s*'([^'\\]*)'"),
    re.compile(rb"'fortran_order'\s*:\s*(True|False)"),
    re.compile(rb"'shape'\s*:\s*\(([\dL,\s]*)\)"),
)
BETWEEN_THEM = (b"{,,}", b"{,,,}")
# A header is as long as its writer likes.
MOST_CLAIMED = 200


def header(head: Head) -> bytes:
    """What stands before the numbers of a float32 array [N, *row_shape]."""
    file = BytesIO()
    shape = (head.num_rows, *head.row_shape)
    npy_format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def read(body: bytes) -> NDArray[np.generic]:
    """The array of a `.npy` file, whose numbers stay where they are in the body; no objects.

    Raises BadBody where it is not such a file, or claims another size than it has.
    """
    try:
        dtype, shape, fortran_order, start = _header(body)
    except (ValueError, TypeError):
        raise BadBody(
            "the body is not a .npy file (of format 1.0, 2.0 or 3.0) of one array of numbers"
        ) from None
    if dtype.hasobject:
        raise BadBody("the .npy file holds Python objects; save numbers (float32 or uint8)")
    claimed = f"the .npy file's header claims the shape {list(shape)} of {dtype}"[:MOST_CLAIMED]
    data = memoryview(body)[start:]
    if len(data) != prod(shape) * dtype.itemsize:
        raise BadBody(f"{claimed} and {len(data)} bytes follow: it was cut off or is not whole")
    try:
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
    except Exception:  # noqa: BLE001 - a header may claim what there is no array of
        raise BadBody(f"{claimed}, which is no array of numbers: save float32 or uint8") from None


def _header(body: bytes) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Type, shape, order, and where the numbers begin; raises ValueError or TypeError."""
    version = len(MAGIC) + 2
    if not body.startswith(MAGIC) or len(body) < version:
        raise ValueError
    length_bytes = LENGTH_BYTES.get((body[version - 2], body[version - 1]), 0)
    length = int.from_bytes(body[version : version + length_bytes], "little")
    start = version + length_bytes + length
    if not length_bytes or length > MOST_HEADER_BYTES or start > len(body):
        raise ValueError
    rest = body[start - length : start].replace(b'"', b"'")
    found = []
    for member in MEMBERS:
        match = member.search(rest)
        if match is None:
            raise ValueError
        found.append(match[1].decode("latin-1"))
        rest = rest[: match.start()] + rest[match.end() :]
    if b"".join(rest.split()) not in BETWEEN_THEM:
        raise ValueError
    descr, fortran_order, shape = found
    # Python 2 wrote whole numbers with an L.
    sides = tuple(int(side.replace("L", "")) for side in shape.split(",") if side.strip())
    if "," in descr:  # several fields
        raise ValueError
    return np.dtype(descr), sides, fortran_order == "True", start
