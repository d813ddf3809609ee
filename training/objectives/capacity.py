"""The distortion at a rate that is held at a number of nats."""

from torch import Tensor

from training.objectives.objective import Options, Terms, draw
from training.vae import VAE


class Capacity:
    """Burgess et al., "Understanding disentangling in β-VAE" (2018, arXiv:1804.03599), equation 8:
    distortion + β · |rate − C|.
    """

    def __init__(self, options: Options) -> None:
        self._beta = options.beta
        self._capacity = options.capacity

    def __call__(self, vae: VAE, x: Tensor, noise: Tensor, warmth: float) -> Terms:
        """See Objective: while the run warms up, C rises from 0."""
        drawn = draw(vae, x, noise)
        rate, distortion = drawn.rate(vae), drawn.distortion
        away = (rate - warmth * self._capacity).abs()
        return Terms(distortion + self._beta * away, rate, distortion)
