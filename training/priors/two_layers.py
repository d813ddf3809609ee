"""A second stochastic layer above the first, as a prior: p(h₁, h₂) = p(h₁ | h₂) p(h₂).

The latent is z = (h₁, u): h₁ the first layer's, and u the noise with which h₂ is drawn from
q(h₂ | h₁) = N(mean, σ²), h₂ = mean(h₁) + σ(h₁) · u. In these coordinates the posterior of both
layers is normal with a diagonal covariance, like that of any other model here, and

    log p(z) = log p(h₂) + log p(h₁ | h₂) + log |∂h₂ / ∂u|

is exact: bounds and importance weights are those of the two-layer models of Burda et al. 2016.
"""

import torch
from torch import Tensor, nn

from training.layers import sizes
from training.priors.normal import standard_normal
from training.priors.prior import Prior, Setting, log_normal

WIDTH = 100  # of the two hidden layers each way, as in the paper


class TwoLayers(Prior):
    """p(h₁ | h₂), p(h₂) = N(0, I) and q(h₂ | h₁), the conditionals normal with learned networks."""

    learned = True

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.below, self.above = sizes(setting.latent_dim)
        self.down = _network(self.above, self.below)
        self.up = _network(self.below, self.above)

    def forward(self, noise: Tensor) -> Tensor:
        """h₂ from its prior, h₁ given it, and the u with which q would have drawn that h₂."""
        h2 = noise[:, self.below :]
        mean, log_var = self.down(h2).chunk(2, dim=1)
        h1 = mean + (0.5 * log_var).exp() * noise[:, : self.below]
        mean, log_var = self.up(h1).chunk(2, dim=1)
        return torch.cat([h1, (h2 - mean) * (-0.5 * log_var).exp()], 1)

    def log_density(self, z: Tensor) -> Tensor:
        """The sum above."""
        h1, u = z[:, : self.below], z[:, self.below :]
        mean, log_var = self.up(h1).chunk(2, dim=1)
        h2 = mean + (0.5 * log_var).exp() * u
        stretched = 0.5 * log_var.sum(1)
        mean, log_var = self.down(h2).chunk(2, dim=1)
        density: Tensor = standard_normal(h2) + log_normal(h1, mean, log_var) + stretched
        return density


def _network(inputs: int, outputs: int) -> nn.Sequential:
    """Mean and log-variance of a normal, N(0, I) at first."""
    last = nn.Linear(WIDTH, 2 * outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), last
    )
