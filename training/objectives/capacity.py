"""The distortion at a rate that is held at a number of nats."""

from training.objectives.objective import Drawn, Options, Terms


class Capacity:
    """Burgess et al., "Understanding disentangling in β-VAE" (2018, arXiv:1804.03599), equation 8:
    distortion + β · |rate − C|.
    """

    def __init__(self, options: Options) -> None:
        self._beta = options.beta
        self._capacity = options.capacity

    def __call__(self, drawn: Drawn, warmth: float) -> Terms:
        """See Objective: while the run warms up, C rises from 0."""
        rate, distortion = drawn.rate, drawn.distortion
        away = (rate - warmth * self._capacity).abs()
        return Terms(distortion + self._beta * away, rate, distortion)
