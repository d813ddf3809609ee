"""A digest of what NumPy computes here on the way from a question to the device.

Its sines, sums and products are other kernels on another processor, which round otherwise.
"""

import hashlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app import latent_math, paths
from app.operations.dimensions import Dimensions, strongest
from app.operations.projection import nearest, principal

COUNT, SIZE = 48, 16


@cache
def fingerprint() -> str:
    """In hexadecimal digits; takes milliseconds, once a process."""
    noise = latent_math.row_noise(0, COUNT, (SIZE,))
    positions = np.linspace(0, COUNT - 1, 5 * COUNT)
    corners, sheet = noise[:4], np.linspace(0, 1, 7)
    where = principal(noise)
    known = Dimensions(strongest(noise, -noise.clip(min=0)), np.sort(noise, axis=0), SIZE)
    parts: list[NDArray[Any]] = [
        noise,
        latent_math.temper(noise, 0.7),
        *(paths.parts(COUNT, easing) for easing in paths.EASINGS),
        *(paths.along(noise, positions, method) for method in paths.METHODS),
        *(paths.across(corners, sheet, sheet, method) for method in paths.METHODS),
        paths.evenly(noise, paths.parts(COUNT, "in_out")),
        where,
        nearest(where, 5),
        np.array(known.strongest),
        known.quantiles(9, range(SIZE)),
        known._replace(drawn=None).quantiles(9, range(SIZE)),
    ]
    seen = hashlib.sha256(np.__version__.encode())
    for part in parts:
        seen.update(part.tobytes())
    return seen.hexdigest()
