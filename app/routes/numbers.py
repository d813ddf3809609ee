"""Numbers from outside to float32: JSON lists and `.npy` arrays, checked for shape and range."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.arrays import LARGEST, Floats
from app.errors import BadValue

# Below the square of the largest float32, and, summed up in float32, still finite: no number in it
# is beyond LARGEST.
SAFE_SQUARE = 1e38


def rows_from_lists(values: Sequence[Any], row_shape: tuple[int, ...], what: str) -> Floats:
    """Nested lists of numbers as float32 [n, *row_shape]; `what` is the field's name."""
    try:
        array = np.array(values)
    except ValueError:
        raise BadValue(_first_misshapen(values, row_shape, what)) from None
    if array.dtype.kind not in "iuf":
        raise BadValue(f"{what} holds something that is not a number; each is a list of numbers")
    return rows_from_array(array, row_shape, what)


def rows_from_array(array: NDArray[Any], row_shape: tuple[int, ...], what: str) -> Floats:
    """An array [n, *row_shape] of numbers within ±1e30 as float32. Raises BadValue."""
    if array.dtype.kind not in "iuf":
        raise BadValue(f"{what} are of type {str(array.dtype)[:80]}; send float32")
    if array.ndim != 1 + len(row_shape) or not len(array):
        raise BadValue(
            f"{what}: the shape is {_words(array.shape)}; the model takes [n, "
            f"{_words(row_shape)[1:]} with n ≥ 1"
        )
    if array.shape[1:] != row_shape:
        raise BadValue(
            f"{what}: each has the shape {_words(array.shape[1:])}; the model takes "
            f"{_words(row_shape)}"
        )
    # One product tells whether every number is finite and within bounds; where it does not say so,
    # each is looked at.
    if abs(float(np.vdot(array, array))) < SAFE_SQUARE and array.dtype.kind == "f":
        return array.astype(np.float32, order="C")
    with np.errstate(over="ignore"):
        rows: Floats = array.astype(np.float32, order="C")
    beyond = ~(abs(rows) <= LARGEST)
    if beyond.any():
        place = tuple(np.argwhere(beyond)[0])
        value = array[place]
        given = str(value) if np.isfinite(value) else "NaN or infinity"
        raise BadValue(
            f"{what}[{place[0]}] holds {given}; numbers are to be from -{LARGEST:g} to {LARGEST:g}"
        )
    return rows


def images_from_array(array: NDArray[Any], data_shape: tuple[int, ...]) -> Floats:
    """An array of images, uint8 or floats in [0, 1], as float32 [n, C, H, W] in [0, 1]."""
    if array.dtype == np.uint8:
        return rows_from_array(array, data_shape, "images") / np.float32(255)
    images = rows_from_array(array, data_shape, "images")
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        # As texts they have all the digits that tell them from 0 and 1.
        raise BadValue(
            f"images hold values from {low!s} to {high!s}; floats are to be in [0, 1]: divide by "
            "255, or send uint8"
        )
    return images


def _first_misshapen(values: Sequence[Any], row_shape: tuple[int, ...], what: str) -> str:
    """Which row of a ragged list is at fault."""
    for number, value in enumerate(values):
        try:
            shape = np.shape(value)
        except ValueError:
            return f"{what}[{number}] is ragged; every list in it is to have the same length"
        if shape != row_shape:
            return (
                f"{what}[{number}] has the shape {_words(shape)}; the model takes "
                f"{_words(row_shape)}"
            )
    return f"{what} are ragged; each is to have the shape {_words(row_shape)}"


def _words(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
