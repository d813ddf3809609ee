"""Fully connected networks for the first of two stochastic layers; the second is prior=two_layers.

Burda et al. 2016, section 5: the data depend on the first layer alone, and the posterior of the
second on the first alone.
"""

import torch
from torch import Tensor, nn

from training.families import mlp
from training.families.architecture import Architecture, Networks
from training.layers import sizes


def build(wanted: Architecture) -> Networks:
    """As `mlp` for the first layer's part of the latent; the rest is the noise of the second."""
    below, above = sizes(wanted.latent_dim)
    encoder, decoder = mlp.build(wanted._replace(latent_dim=below))
    return Networks(
        nn.Sequential(encoder, _StandardAbove(below, above)), nn.Sequential(_First(below), decoder)
    )


class _StandardAbove(nn.Module):
    """The posterior of the first layer, and N(0, I) of the noise of the second."""

    def __init__(self, below: int, above: int) -> None:
        super().__init__()
        self.below, self.above = below, above

    def forward(self, posterior: Tensor) -> Tensor:
        """[N, 2 · below] → [N, 2 · (below + above)], mean before log-variance in both."""
        mean, log_var = posterior.chunk(2, dim=1)
        zeros = torch.zeros_like(mean[:, :1]).expand(-1, self.above)
        return torch.cat([mean, zeros, log_var, zeros], 1)


class _First(nn.Module):
    """The first layer's numbers of a latent."""

    def __init__(self, below: int) -> None:
        super().__init__()
        self.below = below

    def forward(self, z: Tensor) -> Tensor:
        """[N, D] → [N, below]."""
        return z[:, : self.below]
