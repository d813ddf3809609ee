"""The kinds of arrays that go through the service: NumPy everywhere, torch on the device alone."""

import math
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

# Latents, noise, data: [N, *shape].
Floats: TypeAlias = NDArray[np.float32]
FLOAT_BYTES = 4
# Of numbers beyond it a model's sums are no float32 any more; latents of samples are some units.
LARGEST: Final = 1e30
# What sums and codes need more digits for.
Doubles: TypeAlias = NDArray[np.float64]
# Images as pictures have them, 0 … 255: [N, H, W, C], or one [H, W, C].
Levels: TypeAlias = NDArray[np.uint8]
NUM_LEVELS: Final = 256
# What an operation answers: numbers, or images as levels.
Rows: TypeAlias = Floats | Levels


Array = TypeVar("Array", bound=NDArray[Any])


def read_only(array: Array) -> Array:
    """The same array, which nobody writes to from here on: several requests have it.

    An array that it is a part of is made so too; what other views of that there are stays.
    """
    whole: object = array
    while isinstance(whole, np.ndarray):
        whole.flags.writeable = False
        whole = whole.base
    return array


def all_finite(numbers: Floats | Doubles) -> bool:
    """Whether none is NaN or infinite."""
    # One product tells, unless squares of finite numbers overflow.
    return math.isfinite(np.vdot(numbers, numbers)) or bool(np.isfinite(numbers).all())


def to_levels(images: Floats) -> Levels:
    """[B, C, H, W] in [0, 1] to the nearest of 256 levels, [B, H, W, C]."""
    levels = images * np.float32(255)
    levels += np.float32(0.5)
    np.fmax(levels, 0, out=levels)  # of NaN too, which is told as not finite, a number
    np.minimum(levels, 255, out=levels)
    return levels.transpose(0, 2, 3, 1).astype(np.uint8, order="C")
