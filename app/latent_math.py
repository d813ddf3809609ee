"""The mathematics of latent space as pure functions: noise from a seed, and paths between points.

All arrays are float32; S stands for the latent's shape.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.arrays import Floats

# Philox4x64 (Salmon et al. 2011), keyed by the seed; a stream is its state before the first number.
_BITS = np.random.Philox(key=0)
_START = _BITS.state
_DRAWS = np.random.Generator(_BITS)


class Noise:
    """Standard normal rows [n, *shape] of one seed, drawn in as many parts as one likes.

    Row i depends on (seed, i) alone: rows are drawn one after another from one stream (NumPy's
    ziggurat), so a longer draw starts with the shorter one: row 3 of 4 is row 3 of 64. (A seeded
    `torch.randn` has no such property.) `0 <= seed < 2**63`.
    """

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=seed))
        self._shape = shape

    def rows(self, num_rows: int) -> Floats:
        """The next rows, [num_rows, *shape]."""
        return self._generator.standard_normal((num_rows, *self._shape), dtype=np.float32)


def row_noise(seed: int, num_rows: int, shape: tuple[int, ...]) -> Floats:
    """The first `num_rows` rows of `Noise(seed, shape)`, at a fifth of the cost.

    To make a generator takes longer than to draw a latent, so one is set to the stream's start. It
    is shared: to be called from one thread alone.
    """
    _START["state"]["key"][0] = seed
    _BITS.state = _START
    return _DRAWS.standard_normal((num_rows, *shape), dtype=np.float32)


def draw_posterior(mean: Floats, log_var: Floats, noise: Floats) -> Floats:
    """z = mean + σ·noise with σ = exp(log_var / 2) (Kingma & Welling 2014, section 2.4)."""
    deviation: Floats = np.exp(np.float32(0.5) * log_var)
    return mean + deviation * noise


def linear(start: Floats, end: Floats, part: NDArray[np.float64]) -> Floats:
    """(1 - part)·start + part·end; `start`, `end` are [n, *S], `part` is [n, 1, …] in [0, 1]."""
    return ((1 - part) * start + part * end).astype(np.float32)


def slerp(start: Floats, end: Floats, part: NDArray[np.float64]) -> Floats:
    """Spherical interpolation (Shoemake 1985): the angle, not the chord, is divided evenly.

    Under a Gaussian prior the straight line runs through norms that samples never have; slerp keeps
    to norms between those of its ends (White 2016). Where the angle leaves the arc undefined
    (parallel, opposite or zero vectors) it is `linear`.
    """
    a, b = (ends.reshape(len(ends), -1).astype(np.float64) for ends in (start, end))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    # A zero vector has no direction; a cosine of 1 stands for it, which has no arc either.
    cosine = np.divide((a * b).sum(1), norms, out=np.ones_like(norms), where=norms > 0)
    angle = np.arccos(cosine.clip(-1, 1)).reshape(-1, *[1] * (start.ndim - 1))
    sine = np.sin(angle)
    arc = np.abs(sine) > 1e-4
    sine = np.where(arc, sine, 1.0)
    curved = (np.sin((1 - part) * angle) * start + np.sin(part * angle) * end) / sine
    return np.where(arc, curved.astype(np.float32), linear(start, end, part))


# A new method is one function and one line.
METHODS: dict[str, Callable[[Floats, Floats, NDArray[np.float64]], Floats]] = {
    "linear": linear,
    "slerp": slerp,
}


def path(points: Floats, steps: int, method: str) -> Floats:
    """`steps` latents [steps, *S], evenly spaced along the way through `points` [P, *S].

    P ≥ 2, steps ≥ 2. The first and the last are exactly the first and the last point, and a point
    that a step falls on is met exactly.
    """
    segments, intervals = len(points) - 1, steps - 1
    # Integers, so that a step which falls on a point has a part of exactly 0.
    position = np.arange(steps) * segments
    segment = (position // intervals).clip(max=segments - 1)
    part = (position - segment * intervals) / intervals  # [steps] in [0, 1]
    part = part.reshape(-1, *[1] * (points.ndim - 1))
    start, end = points[segment], points[segment + 1]
    between = METHODS[method](start, end, part)
    return np.where(part == 0, start, np.where(part == 1, end, between))
