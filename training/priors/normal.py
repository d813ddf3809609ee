"""The prior of Kingma & Welling 2014: N(0, I), which needs no weights."""

import math

from torch import Tensor

from training.priors.prior import Prior


class StandardNormal(Prior):
    """N(0, I)."""

    def forward(self, noise: Tensor) -> Tensor:
        """The noise itself."""
        return noise

    def log_density(self, z: Tensor) -> Tensor:
        """log N(z; 0, I)."""
        return standard_normal(z)

    def rate(self, mean: Tensor, log_var: Tensor, z: Tensor) -> Tensor:  # noqa: ARG002
        """The divergence itself, in closed form, whatever was drawn."""
        return kl_divergence(mean, log_var)


def standard_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I) in nats: [N, D] → [N]."""
    return -0.5 * (z.square() + math.log(2.0 * math.pi)).sum(1)


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp log_var) ‖ N(0, I)) in nats: [N, D] → [N].

    Kingma & Welling 2014, appendix B.
    """
    return kl_by_dimension(mean, log_var).sum(1)


def kl_by_dimension(mean: Tensor, log_var: Tensor) -> Tensor:
    """The same of every dimension alone: [N, D] → [N, D]."""
    return 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var)
