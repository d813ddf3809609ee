"""Numbers from outside to float32: JSON lists and `.npy` arrays, checked for shape and range."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.arrays import LARGEST, Floats
from app.errors import BadValue

# Below the square of the largest float32, and, summed up in float32, still finite: no number in it
# is beyond LARGEST.
SAFE_SQUARE = 1e38
# What JSON's numbers are read as.
NUMBERS = frozenset((int, float))
# Numbers that NumPy is given at a time: it keeps the interpreter to itself meanwhile.
BLOCK = 2**15
# That a message names of a shape.
MOST_DIMENSIONS = 8


def rows_from_lists(values: Sequence[object], row_shape: tuple[int, ...], what: str) -> Floats:
    """Nested lists of numbers as float32 [n, *row_shape]; `what` is the field's name.

    Every value is seen to be a number, and every list to be as long as its place says, before NumPy
    is given any: of anything else it makes arrays out of proportion, of texts as long as the
    longest for each. Raises BadValue.
    """
    if type(values[0]) in NUMBERS:
        check_shape((len(values),), row_shape, what)
    per_block = max(1, BLOCK // prod(row_shape))
    if len(values) <= per_block:
        return _block(values, row_shape, what, 0)
    rows: Floats = np.empty((len(values), *row_shape), np.float32)
    for start in range(0, len(values), per_block):
        end = start + per_block
        rows[start:end] = _block(values[start:end], row_shape, what, start)
    return rows


def _block(values: Sequence[object], row_shape: tuple[int, ...], what: str, first: int) -> Floats:
    for number, row in enumerate(values, first):
        if not _fits(row, row_shape):
            raise BadValue(_misfit(row, row_shape, f"{what}[{number}]"))
    try:
        array = np.array(values, np.float64)
    except OverflowError:  # a whole number beyond every float
        raise BadValue(
            f"{what} hold a whole number of hundreds of digits; numbers are to be from "
            f"-{LARGEST:g} to {LARGEST:g}"
        ) from None
    # Numbers like most are all there is to look at; the shape is seen to already.
    if np.vdot(array, array) < SAFE_SQUARE:
        return array.astype(np.float32)
    return rows_from_array(array, row_shape, what, first)


def _fits(value: object, shape: tuple[int, ...]) -> bool:
    """Whether it is lists of `shape`, of nothing but numbers; true and false are none."""
    if type(value) is not list or len(value) != shape[0]:
        return False
    if len(shape) == 1:
        return NUMBERS.issuperset(map(type, value))
    return all(_fits(part, shape[1:]) for part in value)


def rows_from_array(
    array: NDArray[Any], row_shape: tuple[int, ...], what: str, first: int = 0
) -> Floats:
    """An array [n, *row_shape] of numbers within ±1e30 as float32; its rows are counted from
    `first`. Raises BadValue.
    """
    if array.dtype.kind not in "iuf":
        raise BadValue(f"{what} are of type {str(array.dtype)[:80]}; send float32")
    check_shape(array.shape, row_shape, what)
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
            f"{what}[{first + place[0]}] holds {given}; numbers are to be from "
            f"-{LARGEST:g} to {LARGEST:g}"
        )
    return rows


def check_shape(shape: tuple[int, ...], row_shape: tuple[int, ...], what: str) -> None:
    """Raise BadValue where an array's shape is not [n, *row_shape] with n ≥ 1."""
    if len(shape) != 1 + len(row_shape) or not shape[0]:
        raise BadValue(
            f"{what}: the shape is {_words(shape)}; the model takes [n, "
            f"{_words(row_shape)[1:]} with n ≥ 1"
        )
    if shape[1:] != row_shape:
        raise BadValue(
            f"{what}: each has the shape {_words(shape[1:])}; the model takes {_words(row_shape)}"
        )


def images_from_array(array: NDArray[Any], data_shape: tuple[int, ...]) -> Floats:
    """An array of images, uint8 or floats in [0, 1], as float32 [n, C, H, W] in [0, 1]."""
    if array.dtype == np.uint8:
        check_shape(array.shape, data_shape, "images")
        levels: Floats = np.divide(array, np.float32(255), dtype=np.float32, order="C")
        return levels
    images = rows_from_array(array, data_shape, "images")
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        # As texts they have all the digits that tell them from 0 and 1.
        raise BadValue(
            f"images hold values from {low!s} to {high!s}; floats are to be in [0, 1]: divide by "
            "255, or send uint8"
        )
    return images


def _misfit(value: object, shape: tuple[int, ...], name: str) -> str:
    """What is wrong with a value that does not fit; looks at the first of each list alone."""
    seen: list[int] = []
    part = value
    while type(part) is list:
        seen.append(len(part))
        part = part[0] if part else 0.0
    if type(part) not in NUMBERS:
        return f"{name} holds something that is not a number; each is a list of numbers"
    if tuple(seen) != shape:
        return f"{name} has the shape {_words(tuple(seen))}; the model takes {_words(shape)}"
    return (
        f"{name} is ragged or holds something that is not a number; every list in it is to have "
        f"the same length, {_words(shape)} in all, and to hold numbers alone"
    )


def _words(shape: tuple[int, ...]) -> str:
    more = ", …" if len(shape) > MOST_DIMENSIONS else ""
    return "[" + ", ".join(map(str, shape[:MOST_DIMENSIONS])) + more + "]"
