"""Noise from seeds, and draws of a posterior, as pure functions of float32 arrays."""

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike

from app.arrays import Floats

# The counter that a stream starts at. Philox copies it, and takes twice as long to make its own.
_START = np.zeros(4, np.uint64)
_START.flags.writeable = False
# The other half of the key, which keeps one kind of draws apart from another of the same seed.
_ROWS, _LEVELS = 0, 1


class _Key(ISeedSequence):
    """A key as it stands: NumPy's own way asks the system for entropy first, and drops it."""

    __slots__ = ("_words",)

    def __init__(self, seed: int, purpose: int) -> None:
        self._words = (seed, purpose)

    def generate_state(  # type: ignore[override]  # Philox takes any two numbers
        self, n_words: int, dtype: DTypeLike = np.uint32
    ) -> tuple[int, int]:
        del n_words, dtype
        return self._words


def _stream(seed: int, purpose: int) -> np.random.Generator:
    """Philox4x64 (Salmon et al. 2011), keyed by the seed, before its first number.

    Whoever draws makes one: a stream is a state that changes, so nobody shares it.
    """
    return np.random.Generator(np.random.Philox(_Key(seed, purpose), _START))  # type: ignore[arg-type]


class Noise:
    """Standard normal rows [n, *shape] of one seed, drawn in as many parts as one likes.

    Row i depends on (seed, i) alone: rows are drawn one after another from one stream (NumPy's
    ziggurat), so a longer draw starts with the shorter one: row 3 of 4 is row 3 of 64. (A seeded
    `torch.randn` has no such property.) `0 <= seed < 2**63`. Belongs to one request.
    """

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self._generator = _stream(seed, _ROWS)
        self._shape = shape

    def rows(self, num_rows: int) -> Floats:
        """The next rows, [num_rows, *shape]."""
        return self._generator.standard_normal((num_rows, *self._shape), dtype=np.float32)


def row_noise(seed: int, num_rows: int, shape: tuple[int, ...]) -> Floats:
    """The first `num_rows` rows of `Noise(seed, shape)`. Pure: to be called from any thread."""
    return _stream(seed, _ROWS).standard_normal((num_rows, *shape), dtype=np.float32)


def binarize(x: Floats, seed: int) -> Floats:
    """1 where a number drawn for it lies below `x` [n, …] in [0, 1], else 0.

    Row i depends on (seed, i) alone, and on no draw of `row_noise`.
    """
    drawn: Floats = (_stream(seed, _LEVELS).random(x.shape, np.float32) < x).astype(np.float32)
    return drawn


def temper(noise: Floats, temperature: float) -> Floats:
    """The noise times the temperature, which is 1 for most."""
    return noise if temperature == 1 else noise * np.float32(temperature)


def draw_posterior(mean: Floats, log_var: Floats, noise: Floats) -> Floats:
    """z = mean + σ·noise with σ = exp(log_var / 2) (Kingma & Welling 2014, section 2.4).

    Not finite where σ is no float32: whoever computes or writes with it refuses that.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        deviation: Floats = np.exp(np.float32(0.5) * log_var)
        return mean + deviation * noise
