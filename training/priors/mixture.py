"""A mixture of normals with diagonal covariances, drawn from by noise like every other prior."""

import math

import torch
from torch import Tensor

from training.priors.prior import Prior


class Mixture(Prior):
    """Σₖ wₖ N(meanₖ, exp log_varₖ) with fixed parameters, as a checkpoint carries it."""

    learned = True
    weights: Tensor
    means: Tensor
    log_vars: Tensor

    def __init__(self, weights: Tensor, means: Tensor, log_vars: Tensor) -> None:
        """Weights [K] that sum to 1, means and log-variances [K, D]."""
        super().__init__()
        self.register_buffer("weights", weights)
        self.register_buffer("means", means)
        self.register_buffer("log_vars", log_vars)

    def forward(self, noise: Tensor) -> Tensor:
        """See `draw`."""
        return draw(noise, self.weights, self.means, self.log_vars)

    def log_density(self, z: Tensor) -> Tensor:
        """See `log_density`."""
        return log_density(z, self.weights, self.means, self.log_vars)


def draw(noise: Tensor, weights: Tensor, means: Tensor, log_vars: Tensor) -> Tensor:
    """Draws of the mixture: `noise` [N, D] from N(0, I) → [N, D].

    The first number of a row's noise decides on the component, by where it lies among the
    quantiles of N(0, 1); its place between the two quantiles, brought back to N(0, 1), is the
    first number of the noise within the component. So a draw is a function of the noise alone.
    """
    # Quantiles in the tails need more digits than float32 has.
    ends = weights.double().cumsum(0)  # [K]
    below = torch.special.ndtr(noise[:, :1].double())  # [N, 1] in (0, 1)
    chosen = (below > ends[:-1]).sum(1)  # [N]
    weight = weights.double()[chosen]
    within = ((below[:, 0] - (ends[chosen] - weight)) / weight).clamp(1e-9, 1 - 1e-9)
    first = torch.special.ndtri(within).to(noise.dtype)
    inner = torch.cat([first[:, None], noise[:, 1:]], 1)
    return means[chosen] + (0.5 * log_vars[chosen]).exp() * inner


def log_density(z: Tensor, weights: Tensor, means: Tensor, log_vars: Tensor) -> Tensor:
    """log Σₖ wₖ N(z; meanₖ, exp log_varₖ) in nats: [N, D] → [N].

    The squares are multiplied out: two products of matrices where [N, K, D] numbers would not
    fit a cache. Their terms cancel, all but a part of exp(log_var), so they are float64: in float32
    log-variances of −12 cost whole nats.
    """
    wide, centres, log_var = z.double(), means.double(), log_vars.double()
    precision = (-log_var).exp()  # [K, D]
    squared = wide.square() @ precision.t() - 2.0 * wide @ (centres * precision).t()  # [N, K]
    constant = (centres.square() * precision + log_var).sum(1) + z.shape[1] * math.log(2 * math.pi)
    return (weights.double().log() - 0.5 * (squared + constant)).logsumexp(1).to(z.dtype)
