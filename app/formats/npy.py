"""NumPy's `.npy`: the rows as they are, float32 [N, …], written and read."""

from io import BytesIO
from math import prod

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from app.errors import BadBody
from app.formats.answer import Head

READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
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
    """The array of a `.npy` file; no objects, and no memory beyond what the body holds.

    Raises BadBody where it is not such a file, or claims another size than it has.
    """
    file = BytesIO(body)
    try:
        version = npy_format.read_magic(file)
        shape, fortran_order, dtype = READERS[version](file)
    except Exception:  # noqa: BLE001 - numpy parses the header as Python, and fails in its ways
        raise BadBody("the body is not a .npy file (of format 1.0 or 2.0)") from None
    if dtype.hasobject:
        raise BadBody("the .npy file holds Python objects; save numbers (float32 or uint8)")
    claimed = f"the .npy file's header claims the shape {list(shape)} of {dtype}"[:MOST_CLAIMED]
    data = body[file.tell() :]
    if min(shape, default=0) < 0 or len(data) != prod(shape) * dtype.itemsize:
        raise BadBody(f"{claimed} and {len(data)} bytes follow: it was cut off or is not whole")
    try:
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
    except Exception:  # noqa: BLE001 - a header may claim what there is no array of
        raise BadBody(f"{claimed}, which is no array of numbers: save float32 or uint8") from None
