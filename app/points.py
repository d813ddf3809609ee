"""Points of latent space as one may name them, and draws of the prior."""

from typing import NamedTuple

from app.arrays import Floats


class SeedPoint(NamedTuple):
    """The point that a sample of a seed has: the first one, at temperature 1, unless it is said."""

    seed: int
    row: int = 0
    temperature: float = 1.0


class LatentPoint(NamedTuple):
    """A point given by its latent [*latent_shape]."""

    latent: Floats


class DataPoint(NamedTuple):
    """A point given by data [*data_shape]: the mean of its posterior."""

    x: Floats


Point = SeedPoint | LatentPoint | DataPoint


class Draws(NamedTuple):
    """Samples of the prior; `temperature` scales its deviation: 1 is the model, 0 its centre."""

    num_samples: int
    seed: int
    temperature: float = 1.0
