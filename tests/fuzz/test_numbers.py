"""Numbers from outside: what is taken is what was sent, and nothing else than a refusal comes."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes
from numpy.typing import NDArray

from app.arrays import LARGEST
from app.errors import BadBody, BadValue
from app.formats import npy
from app.routes.numbers import images_from_array, rows_from_array, rows_from_lists

SHAPE = (3,)
usable = st.floats(-LARGEST, LARGEST, allow_nan=False) | st.integers(-(10**20), 10**20)
leaves = st.none() | st.booleans() | st.text(max_size=3) | usable | st.floats()
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
odd_rows = st.lists(st.lists(usable, min_size=3, max_size=3) | anything, min_size=1, max_size=4)


def good(values: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether they are rows of SHAPE, each value a number within bounds."""
    return all(isinstance(row, list) and len(row) == SHAPE[0] for row in values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
        for row in values
        for value in row
    )


def taken(read: Callable[[], NDArray[Any]]) -> tuple[NDArray[Any] | None, str]:
    """What was read, or why it was refused: shortly, whatever was sent."""
    try:
        return read(), ""
    except (BadBody, BadValue) as refusal:
        said = str(refusal)
    assert len(said) < 500
    return None, said


@given(values=odd_rows)
@example(values=[[1, 2, 3], [1, 2]])
@example(values=[[10**400, 0, 0]])
@example(values=[[[1], [2], [3]]])
@example(values=[1, 2, 3])
def test_lists_are_taken_as_they_are_or_refused(values: list[Any]) -> None:
    rows, refusal = taken(lambda: rows_from_lists(values, SHAPE, "rows"))
    if rows is None:
        assert not good(values), refusal
        return
    assert rows.dtype == np.float32
    assert rows.shape == (len(values), *SHAPE)
    assert (abs(rows) <= LARGEST).all()
    assert good(values)
    assert np.array_equal(rows, np.array([[np.float32(v) for v in row] for row in values]))


@given(values=st.lists(st.lists(usable, min_size=3, max_size=3), min_size=1, max_size=4))
def test_json_of_numbers_is_read_as_it_was_written(values: list[list[float]]) -> None:
    again = json.loads(json.dumps(values))
    assert np.array_equal(rows_from_lists(again, SHAPE, "rows"), np.array(values, np.float32))


@given(data=st.data())
def test_arrays_are_taken_or_refused(data: st.DataObject) -> None:
    shape = data.draw(st.just((2, *SHAPE)) | array_shapes(min_dims=0, max_dims=3, max_side=4))
    array = data.draw(arrays(scalar_dtypes(), shape))
    read = npy.read(saved(array))
    assert read.tobytes() == array.tobytes()
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    for take in (
        lambda: rows_from_array(read, SHAPE, "rows"),
        lambda: images_from_array(read, SHAPE),
    ):
        rows, _ = taken(take)
        if rows is not None:
            assert rows.dtype == np.float32
            assert (abs(rows) <= LARGEST).all()


@given(
    array=arrays(np.float32, (2, *SHAPE)),
    cut=st.integers(0, 200),
    flips=st.lists(st.tuples(st.integers(0, 127), st.integers(1, 255)), max_size=3),
)
def test_a_damaged_array_is_refused_or_whole(
    array: NDArray[np.float32], cut: int, flips: list[tuple[int, int]]
) -> None:
    file = bytearray(saved(array))
    for place, bits in flips:
        file[place] ^= bits
    whole = bytes(file[: len(file) - cut])
    read, _ = taken(lambda: npy.read(whole))
    if read is not None:
        assert not cut or read.nbytes < array.nbytes
        assert read.nbytes <= len(whole)


def saved(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
