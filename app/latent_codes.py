"""How a prior's latents are coded: on a grid, under a density whose conditionals are known.

A latent's numbers are measured in standard deviations of the prior, and 64 buckets of a grid are
one of them. Under N(0, I) each number is coded by itself. A learned prior can be drawn from, and no
more; a mixture of normals with full covariances is fitted to its samples. Which component a latent
is of is coded by bits back too, so a latent costs no more than the mixture's density says.
"""

from typing import NamedTuple, Protocol

import numpy as np

from app.arrays import Doubles, Floats, read_only
from app.entropy_coder import FARTHEST, Stack, Symbols

REACH = 16  # standard deviations of the prior to either side
UNIT = FARTHEST / REACH  # buckets of one standard deviation
SAMPLES = 16_384  # that a mixture is fitted to
MOST_COMPONENTS = 32
# Fewer where latents are long: each has D² numbers, to be fitted in seconds to so many samples.
NUMBERS = 65_536
MOST_TOGETHER = 256  # numbers of a latent; those of longer ones are coded each by itself
ROUNDS = 12
BLOCK = 64  # rows of one product
RIDGE = 1e-3
# Parameters are rounded to so many parts of 1: the last bits of a long sum decide on nothing.
PARTS = 256


class LatentCode(Protocol):
    """Pushes and pops latents that are measured in standard deviations of their prior."""

    centre: Doubles
    """[D]"""
    scale: Doubles
    """[D]"""
    parameters: tuple[Doubles, ...]
    """All that was found out of the prior, by which one fit is told from another."""

    def push(self, stack: Stack, places: Symbols) -> None:
        """Buckets [n, D]."""

    def pop(self, stack: Stack, num_rows: int) -> Symbols:
        """[n, D]"""


class Normals:
    """A normal for each number."""

    def __init__(self, centre: Doubles, scale: Doubles) -> None:
        self.centre, self.scale = read_only(centre), read_only(scale)
        self.parameters: tuple[Doubles, ...] = (centre, scale)

    def push(self, stack: Stack, places: Symbols) -> None:
        """Buckets [n, D]."""
        stack.push_far(places.reshape(-1), *self._normal(len(places)))

    def pop(self, stack: Stack, num_rows: int) -> Symbols:
        """[n, D]"""
        return stack.pop_far(*self._normal(num_rows)).reshape(num_rows, -1)

    def _normal(self, num_rows: int) -> tuple[Doubles, Doubles]:
        count = num_rows * len(self.scale)
        return np.zeros(count), np.full(count, UNIT)


def standard(size: int) -> LatentCode:
    """N(0, I)."""
    return Normals(np.zeros(size), np.ones(size))


def fitted(drawn: Floats) -> LatentCode:
    """The code of a prior of which these are samples, SAMPLES of them: takes seconds."""
    samples = drawn.reshape(len(drawn), -1).astype(np.float64)
    centre = _rounded(samples.mean(0))
    scale = np.maximum(_rounded(samples.std(0)), 1 / PARTS)
    if len(centre) > MOST_TOGETHER:
        return Normals(centre, scale)
    return NormalMixture(centre, scale, (samples - centre) / scale)


class Components(NamedTuple):
    """Normals with means m; a number's mean given those before it is m + Σ from · (u − m)."""

    weights: Doubles  # [K]
    means: Doubles  # [K, D]
    before: Doubles  # [K, D, D], what each takes from those before it
    deviations: Doubles  # [K, D], given those before it

    def log_densities(self, u: Doubles) -> Doubles:
        """log w_k N_k(u), less a constant: [n, D] → [n, K]."""
        found = np.empty((len(u), len(self.weights)))
        parts = zip(self.weights, self.means, self.before, self.deviations, strict=True)
        for k, (weight, mean, before, deviation) in enumerate(parts):
            apart = u - mean
            standard = (apart - _in_blocks(apart, before.T)) / deviation
            found[:, k] = (
                np.log(weight) - np.log(deviation).sum() - 0.5 * np.square(standard).sum(1)
            )
        return found


class NormalMixture:
    """A mixture fitted to samples of a prior."""

    def __init__(self, centre: Doubles, scale: Doubles, samples: Doubles) -> None:
        """`samples` [n, D] less the centre [D], over the scale [D]."""
        self.centre, self.scale = read_only(centre), read_only(scale)
        self.parts = Components(*map(read_only, _fit(samples)))
        self.parameters: tuple[Doubles, ...] = (centre, scale, *self.parts)

    def push(self, stack: Stack, places: Symbols) -> None:
        """Buckets [n, D]."""
        chosen = stack.pop_choices(self._responsibilities(places))
        for number in reversed(range(places.shape[1])):
            stack.push_far(places[:, number].copy(), *self._given(chosen, places, number))
        stack.push_choices(chosen, np.tile(self.parts.weights, (len(places), 1)))

    def pop(self, stack: Stack, num_rows: int) -> Symbols:
        """[n, D]"""
        chosen = stack.pop_choices(np.tile(self.parts.weights, (num_rows, 1)))
        places = np.zeros((num_rows, len(self.scale)), np.int32)
        for number in range(places.shape[1]):
            places[:, number] = stack.pop_far(*self._given(chosen, places, number))
        stack.push_choices(chosen, self._responsibilities(places))
        return places

    def _given(self, chosen: Symbols, places: Symbols, number: int) -> tuple[Doubles, Doubles]:
        """Mean and standard deviation [n] of a number, in buckets, given those before it."""
        means = self.parts.means[chosen]
        apart = places[:, :number] / UNIT - means[:, :number]
        mean = means[:, number] + (self.parts.before[chosen, number, :number] * apart).sum(1)
        return mean * UNIT, self.parts.deviations[chosen, number] * UNIT

    def _responsibilities(self, places: Symbols) -> Doubles:
        return _shares(self.parts.log_densities(places / UNIT))


def _fit(u: Doubles) -> Components:
    """Expectation maximization (Dempster et al. 1977) from the first samples as means."""
    size = u.shape[1]
    count = max(2, min(MOST_COMPONENTS, NUMBERS // size**2))
    weights, means = np.full(count, 1 / count), u[:count].copy()
    apart = u - u.mean(0)
    covariances = np.repeat(_over_rows(apart, apart)[None] / len(u), count, 0)
    for _ in range(ROUNDS):
        shares = _shares(_conditionals(weights, means, covariances).log_densities(u))
        totals = shares.sum(0) + RIDGE
        weights, means = totals / totals.sum(), _over_rows(shares, u) / totals[:, None]
        for k in range(count):
            apart = u - means[k]
            covariances[k] = _over_rows(apart * shares[:, k : k + 1], apart) / totals[k]
    found = _conditionals(weights, means, covariances)
    weights, means, before, deviations = map(_rounded, found)
    least = 1 / PARTS
    return Components(np.maximum(weights, least), means, before, np.maximum(deviations, least))


def _conditionals(weights: Doubles, means: Doubles, covariances: Doubles) -> Components:
    """By C = L·Lᵀ: with the diagonal of L taken out, I − L⁻¹ gives each from those before it."""
    identity = np.eye(means.shape[1])
    lower = np.linalg.cholesky(covariances + RIDGE * identity)
    deviations = np.diagonal(lower, axis1=1, axis2=2).copy()
    return Components(
        weights, means, identity - np.linalg.inv(lower / deviations[:, None, :]), deviations
    )


def _in_blocks(rows: Doubles, matrix: Doubles) -> Doubles:
    """rows · matrix, in products so small that BLAS keeps to one thread.

    So its sums are the same on any number of cores, and its threads wait for nobody's.
    """
    count = len(rows) - len(rows) % BLOCK
    blocks = rows[:count].reshape(-1, BLOCK, rows.shape[1]) @ matrix
    return np.concatenate([blocks.reshape(count, rows.shape[1]), rows[count:] @ matrix])


def _over_rows(left: Doubles, right: Doubles) -> Doubles:
    """leftᵀ · right likewise: the rows, a multiple of a block, are summed over."""
    lefts, rights = (part.reshape(-1, BLOCK, part.shape[1]) for part in (left, right))
    found: Doubles = (lefts.transpose(0, 2, 1) @ rights).sum(0)
    return found


def _shares(logs: Doubles) -> Doubles:
    """exp of each over their sum: [n, K]."""
    parts = np.exp(logs - logs.max(1, keepdims=True))
    found: Doubles = parts / parts.sum(1, keepdims=True)
    return found


def _rounded(numbers: Doubles) -> Doubles:
    found: Doubles = np.round(numbers * PARTS) / PARTS
    return found
