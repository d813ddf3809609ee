"""The ELBO with a rate that costs nothing up to a number of nats in every dimension."""

from training.objectives.objective import Drawn, Options, Terms
from training.priors.normal import kl_by_dimension


class FreeBits:
    """Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow" (NIPS 2016),
    appendix C.8: Σ_d max(λ, rate of dimension d over the batch) takes the place of the rate.

    A learned prior has no rate of a dimension: there all of them together are given λ each.
    """

    def __init__(self, options: Options) -> None:
        self._beta = options.beta
        self._free = options.free_bits

    def __call__(self, drawn: Drawn, warmth: float) -> Terms:
        """See Objective: while the run warms up, β rises."""
        rate, distortion = drawn.rate, drawn.distortion
        if drawn.prior.learned:
            paid = rate.clamp(min=self._free * drawn.mean.shape[1])
        else:
            by_dimension = kl_by_dimension(drawn.mean, drawn.log_var).mean(0)
            paid = by_dimension.clamp(min=self._free).sum()
        return Terms(distortion + warmth * self._beta * paid, rate, distortion)
