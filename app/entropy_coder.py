"""A stack of bits: symbols go on it in as many bits as their probability says, and come off again.

Asymmetric numeral systems (Duda 2013), as the package constriction has them; the only file that
knows it. Probabilities become whole 2⁻²⁴ths there, alike for whoever pushes and whoever pops.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.arrays import Doubles, Floats
from app.errors import NotInstalled

try:
    import constriction  # type: ignore[import-untyped] # has no hints
except ImportError:  # an extra; who asks for it is told
    constriction = None

Words: TypeAlias = NDArray[np.uint32]
Symbols: TypeAlias = NDArray[np.int32]

FARTHEST = 1024  # buckets from the middle of a number's grid, to either side
# The coder gives every bucket a probability of 2⁻²⁴ or more. Of a whole grid that would be one
# number in some thousand which lies anywhere, so what is drawn lies at most so far from its mean.
NEAR = 256
NARROWEST = 1e-2  # buckets; a narrower normal lies within one
PART = 1024  # of a mask
HEAD_WORDS = 2  # the coder's own, which lie on top of the others


class Stack:
    """Words from below to above. What is popped is pushed again by the same numbers, exactly."""

    def __init__(self, words: Words) -> None:
        """Raises NotInstalled, or ValueError where the words are no stack."""
        if constriction is None:
            raise NotInstalled(
                "compression needs the package constriction, which is not installed here: have the "
                "operator install the extra compress (pip install '.[compress]' in the checkout)"
            )
        model = constriction.stream.model
        self._coder = constriction.stream.stack.AnsCoder(words)
        self._choices = model.Categorical(perfect=False)
        self._parts = model.Uniform(PART)
        self._far = model.QuantizedGaussian(-FARTHEST, FARTHEST)
        self._near = model.QuantizedGaussian(-NEAR, NEAR)
        self._lowest = len(words)

    def words(self) -> Words:
        """All that is on it."""
        found: Words = self._coder.get_compressed()
        return found

    @property
    def untouched(self) -> int:
        """How many words at the bottom were never looked at."""
        return max(0, self._lowest - HEAD_WORDS)

    def push_choices(self, chosen: Symbols, p: Doubles | Floats) -> None:
        """Whole numbers [n] below K, K being two or more, with probabilities `p` [n, K]."""
        self._coder.encode_reverse(chosen, self._choices, p)

    def pop_choices(self, p: Doubles | Floats) -> Symbols:
        """[n]"""
        return self._popped(self._choices, p)

    def push_far(self, places: Symbols, mean: Doubles, deviation: Doubles) -> None:
        """Buckets [n] of normals whose mean and standard deviation are in buckets too."""
        self._coder.encode_reverse(places, self._far, *_possible(mean, deviation, FARTHEST))

    def pop_far(self, mean: Doubles, deviation: Doubles) -> Symbols:
        """[n]"""
        return self._popped(self._far, *_possible(mean, deviation, FARTHEST))

    def push_near(self, places: Symbols, mean: Doubles, deviation: Doubles) -> None:
        """The same of normals within NEAR of their means; ValueError where a bucket lies beyond."""
        mean, deviation = _possible(mean, deviation, FARTHEST - NEAR - 1)
        middle = np.rint(mean)
        off = places - middle.astype(np.int32)
        if (np.abs(off) > NEAR).any():
            raise ValueError("a bucket that no pop_near gave")
        self._coder.encode_reverse(off, self._near, mean - middle, deviation)

    def pop_near(self, mean: Doubles, deviation: Doubles) -> Symbols:
        """[n]"""
        mean, deviation = _possible(mean, deviation, FARTHEST - NEAR - 1)
        middle = np.rint(mean)
        return self._popped(self._near, mean - middle, deviation) + middle.astype(np.int32)

    def mask(self, count: int, key: int) -> None:
        """Add pseudo-random numbers to the uppermost `count` parts of 10 bits, modulo 2¹⁰."""
        parts = self._popped(self._parts, count)
        self._coder.encode_reverse((parts + _keys(count, key)) % PART, self._parts)

    def unmask(self, count: int, key: int) -> None:
        """Take them away again."""
        parts = self._popped(self._parts, count)
        self._coder.encode_reverse((parts - _keys(count, key)) % PART, self._parts)

    def _popped(self, model: Any, *parameters: Any) -> Symbols:  # noqa: ANN401 - has no type
        symbols: Symbols = self._coder.decode(model, *parameters)
        self._lowest = min(self._lowest, self._coder.num_words())
        return symbols


def _keys(count: int, key: int) -> Symbols:
    """[count], the same on every machine."""
    return (np.random.Philox(key=key).random_raw(count) % PART).astype(np.int32)


def _possible(mean: Doubles, deviation: Doubles, farthest: int) -> tuple[Doubles, Doubles]:
    """The same where the grid has them; beyond, its end is the nearest."""
    return np.clip(mean, -farthest, farthest), np.clip(deviation, NARROWEST, farthest)
