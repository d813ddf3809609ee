"""The importance-weighted bound −log (1/K) Σₖ wₖ, wₖ = p(x, zₖ) / q(zₖ | x), tighter with each k.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders" (ICLR 2016), equations 8 and 14.
"""

import math

import torch
from torch import Tensor

from training.objectives.objective import Drawn, Options, Terms


class ImportanceWeighted:
    """The bound and its own gradient; for one draw a row, −ELBO with a rate by the draws."""

    def __init__(self, options: Options) -> None:
        self._beta = options.beta

    def __call__(self, drawn: Drawn, warmth: float) -> Terms:
        """See Objective: while the run warms up, p(z) / q(z | x) is taken to a rising power β."""
        log_ratio = drawn.log_ratio(drawn.mean, drawn.log_var)
        bound = _bound(drawn.log_likelihood + warmth * self._beta * log_ratio)
        return Terms(bound, -log_ratio.mean(), drawn.distortion)


class DoublyReparameterized(ImportanceWeighted):
    """The same bound with a gradient for the encoder that does not drown in noise as K grows.

    Tucker et al., "Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives" (ICLR
    2019), equation 8: Σₖ w̃ₖ² ∂ log wₖ / ∂zₖ · ∂zₖ / ∂φ, w̃ being the normalized weights and q's
    parameters within wₖ constants.
    """

    def __call__(self, drawn: Drawn, warmth: float) -> Terms:
        """See ImportanceWeighted; it is the gradient alone that differs."""
        log_ratio = drawn.log_ratio(drawn.mean.detach(), drawn.log_var.detach())
        log_weight = drawn.log_likelihood + warmth * self._beta * log_ratio
        weight = torch.softmax(log_weight.detach(), 0)
        if drawn.z.requires_grad:
            # What comes back through z has been weighed once already.
            drawn.z.register_hook(  # type: ignore[no-untyped-call] # torch leaves it untyped
                lambda gradient: gradient * weight.flatten()[:, None]
            )
        weighed = -(weight * log_weight).sum(0).mean()
        # The bound's value, with the gradient of what was weighed.
        loss = weighed + (_bound(log_weight) - weighed).detach()
        return Terms(loss, -log_ratio.mean(), drawn.distortion)


def _bound(log_weight: Tensor) -> Tensor:
    """[K, N] → the bound's mean over the rows."""
    return (math.log(len(log_weight)) - log_weight.logsumexp(0)).mean()
