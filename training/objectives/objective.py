"""What a training step minimizes: a bound on -log p(x), of one batch. Pure functions of tensors."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from training.priors.prior import Prior, log_normal
from training.vae import VAE, reparameterize


class Terms(NamedTuple):
    """The parts of a batch's bound, each a scalar tensor: nats, averaged over the rows."""

    loss: Tensor
    """What the gradient is taken of."""
    rate: Tensor
    """KL(q(z | x) ‖ p(z)), or its estimate by the draws: what the latent says about the row."""
    distortion: Tensor
    """-E[log p(x | z)]: what the latent leaves open about the row."""


class Options(NamedTuple):
    """What a run's configuration says about its objective; nats where it has a unit."""

    beta: float = 1.0
    free_bits: float = 0.0  # a dimension
    capacity: float = 0.0  # of the whole latent


class Drawn(NamedTuple):
    """K draws a row from the posterior, and what the model says to them."""

    mean: Tensor  # [N, D]
    log_var: Tensor  # [N, D]
    z: Tensor  # [K · N, D]
    log_likelihood: Tensor  # log p(x | z), [K, N]
    prior: Prior

    def repeated(self, parameter: Tensor) -> Tensor:
        """A parameter of the posterior [N, D], for every draw: [K · N, D]."""
        if len(self.log_likelihood) == 1:
            return parameter
        return parameter.expand(len(self.log_likelihood), *parameter.shape).flatten(0, 1)

    @property
    def distortion(self) -> Tensor:
        """-E[log p(x | z)], averaged over draws and rows: → []."""
        return -self.log_likelihood.mean()

    @property
    def rate(self) -> Tensor:
        """KL(q(z | x) ‖ p(z)), in closed form where the prior has one, else by the draws: → []."""
        mean, log_var = self.repeated(self.mean), self.repeated(self.log_var)
        return self.prior.rate(mean, log_var, self.z).mean()

    def log_ratio(self, mean: Tensor, log_var: Tensor) -> Tensor:
        """log p(z) − log q(z | x) of every draw, q having these parameters [N, D]: → [K, N]."""
        log_posterior = log_normal(self.z, self.repeated(mean), self.repeated(log_var))
        return (self.prior.log_density(self.z) - log_posterior).view_as(self.log_likelihood)


class Objective(Protocol):
    """The objective of a run."""

    def __call__(self, drawn: Drawn, warmth: float) -> Terms:
        """The bound, by what was drawn of a batch.

        `warmth` rises from 0 to 1 while the run warms up: what keeps latents from being switched
        off before the decoder has learned to use them.
        """


def draw(vae: VAE, x: Tensor, noise: Tensor, precision: torch.dtype = torch.float32) -> Drawn:
    """Draw from the posterior and decode: `x` [N, *data_shape], `noise` [K, N, latent_dim].

    `precision` is that of the products within the two networks; all that is made of their answers
    is float32, because a bound of a hundred nats has no use for bfloat16's three digits.
    """
    lower = torch.autocast(x.device.type, precision, enabled=precision != torch.float32)
    with lower:
        mean, log_var = vae.encode(x)
    mean, log_var = mean.float(), log_var.float()
    z = reparameterize(mean, log_var, noise).flatten(0, 1)
    repeated = x.expand(len(noise), *x.shape).flatten(0, 1)
    with lower:
        log_likelihood = vae.log_likelihood(repeated, z).view(noise.shape[:2])
    return Drawn(mean, log_var, z, log_likelihood, vae.prior)
