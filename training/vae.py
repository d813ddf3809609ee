"""The variational autoencoder: encoder, decoder, likelihood and prior; made to be scripted.

Kingma & Welling, "Auto-Encoding Variational Bayes" (ICLR 2014). Knows no data set and no optimizer.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from training.likelihoods import Likelihood
from training.priors import Prior
from training.standardization import AsTheyAre


class VAE(nn.Module):
    """The posterior is N(mean, exp(log_var)) with a diagonal covariance.

    Rows x are in the data's own units; networks and likelihood see them in those of `units`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        prior: Prior,
        units: AsTheyAre | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior = prior
        self.units = units or AsTheyAre()

    # TorchScript would compile a property; this one is for evaluation.
    __jit_unused_properties__ = ("prior_log_density",)

    @property
    def prior_log_density(self) -> Callable[[Tensor], Tensor] | None:
        """log p(z) of a learned prior; None where it is N(0, I)."""
        return self.prior.log_density if self.prior.learned else None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior q(z | x): `x` [N, *data_shape] → mean and log-variance, [N, latent_dim]."""
        mean, log_var = self.encoder(self.units.standardize(x)).chunk(2, dim=1)
        return mean, log_var

    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's mean E[x | z]: `z` [N, latent_dim] → [N, *data_shape]."""
        return self.units.restore(self.likelihood.mean(self.decoder(z)))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) in nats, summed over the data dimensions: → [N]."""
        log_prob = self.likelihood.log_prob(self.decoder(z), self.units.standardize(x))
        return self.units.log_density(log_prob)

    def level_probabilities(self, z: Tensor) -> Tensor:
        """p(xᵢ = k / 255 | z) of 8-bit pixels, k from 0 to 255: → [N, *data_shape, 256]."""
        return self.likelihood.level_probabilities(self.decoder(z))


def reparameterize(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """A draw from the posterior, differentiable in it: mean + σ · noise, noise from N(0, I)."""
    return mean + torch.exp(0.5 * log_var) * noise
