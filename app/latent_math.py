"""Noise from seeds, and draws of a posterior, as pure functions of float32 arrays."""

import numpy as np

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


def binarize(x: Floats, seed: int) -> Floats:
    """1 where a number drawn for it lies below `x` [n, …] in [0, 1], else 0.

    Row i depends on (seed, i) alone, and on no draw of `row_noise`: the key's other half differs.
    """
    draws = np.random.Generator(np.random.Philox(key=seed | 1 << 64))
    drawn: Floats = (draws.random(x.shape, np.float32) < x).astype(np.float32)
    return drawn


def draw_posterior(mean: Floats, log_var: Floats, noise: Floats) -> Floats:
    """z = mean + σ·noise with σ = exp(log_var / 2) (Kingma & Welling 2014, section 2.4)."""
    deviation: Floats = np.exp(np.float32(0.5) * log_var)
    return mean + deviation * noise
