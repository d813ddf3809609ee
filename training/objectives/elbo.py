"""The evidence lower bound: distortion + β · rate. Kingma & Welling 2014, Higgins et al. 2017."""

from training.objectives.objective import Drawn, Options, Terms


class Elbo:
    """−ELBO for β = 1; β is that of Higgins et al., "β-VAE" (ICLR 2017), equation 4."""

    def __init__(self, options: Options) -> None:
        self._beta = options.beta

    def __call__(self, drawn: Drawn, warmth: float) -> Terms:
        """See Objective: while the run warms up, β rises (Bowman et al. 2016, section 3.1)."""
        rate, distortion = drawn.rate, drawn.distortion
        return Terms(distortion + warmth * self._beta * rate, rate, distortion)
