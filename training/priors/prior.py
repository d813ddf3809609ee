"""What a prior p(z) must be able to do; it knows latents, not data or networks.

`forward` and `log_density` go into the checkpoint where the prior is learned, so they keep to what
TorchScript understands.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn


class Setting(NamedTuple):
    """What a prior may be built from."""

    latent_dim: int
    components: int
    """Of a mixture."""
    encoder: nn.Module
    """[N, *data_shape] → [N, 2 · latent_dim], posterior mean and log-variance."""
    rows: int
    """How many training rows there are."""
    take: Callable[[Tensor], Tensor]
    """Those of some numbers [K], as the encoder sees them: → [K, *data_shape]."""


class Prior(nn.Module):
    """The distribution of latents before any data is seen."""

    learned: bool = False
    """Whether a checkpoint must carry it; without it, N(0, I) is understood."""

    def forward(self, noise: Tensor) -> Tensor:
        """Draws: `noise` [N, D] from N(0, I) → z [N, D]."""
        raise NotImplementedError

    def log_density(self, z: Tensor) -> Tensor:
        """log p(z) in nats: [N, D] → [N]."""
        raise NotImplementedError

    def rate(self, mean: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
        """KL(q(z | x) ‖ p(z)) in nats, estimated by the draws `z` from q: [N, D] each → [N]."""
        return log_normal(z, mean, log_var) - self.log_density(z)

    def published(self) -> "Prior":
        """What goes into a checkpoint in its place: the same distribution, with no more than that
        takes."""
        return self


def log_normal(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; mean, exp log_var) in nats: [N, D] → [N]."""
    standardized = (z - mean).square() * (-log_var).exp()
    return -0.5 * (standardized + log_var + math.log(2.0 * math.pi)).sum(1)
