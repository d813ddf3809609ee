"""The average posterior of a few made-up rows, which are learned with the weights.

Tomczak & Welling, "VAE with a VampPrior" (AISTATS 2018), equation 10: the best prior of a VAE is
the average of its posteriors over all rows; that of `components` pseudo-inputs comes near it.
"""

import torch
from torch import Tensor, nn

from training.priors import mixture
from training.priors.mixture import Mixture
from training.priors.prior import Prior, Setting


class VampPrior(Prior):
    """A mixture whose components are the encoder's posteriors of the pseudo-inputs."""

    learned = True

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.encoder = setting.encoder
        count = min(setting.components, setting.rows)
        chosen = torch.randperm(setting.rows)[:count]
        self.pseudo_inputs = nn.Parameter(setting.take(chosen))  # [K, *data_shape]

    def forward(self, noise: Tensor) -> Tensor:
        """See `mixture.draw`."""
        return mixture.draw(noise, *self._components())

    def log_density(self, z: Tensor) -> Tensor:
        """See `mixture.log_density`."""
        return mixture.log_density(z, *self._components())

    @torch.no_grad()
    def published(self) -> Prior:
        """The components as they are now: who draws needs neither encoder nor pseudo-inputs."""
        return Mixture(*self._components())

    def _components(self) -> tuple[Tensor, Tensor, Tensor]:
        means, log_vars = self.encoder(self.pseudo_inputs).chunk(2, dim=1)
        weights = torch.full_like(means[:, 0], 1.0 / len(means))
        return weights, means, log_vars
