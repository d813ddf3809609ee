"""What training minimizes: the β-weighted negative ELBO of one batch. Pure functions of tensors."""

from typing import NamedTuple

import torch
from torch import Tensor

from training.vae import VAE, reparameterize


class Elbo(NamedTuple):
    """The parts of a batch's bound, each a scalar tensor: nats, averaged over the rows."""

    loss: Tensor
    """distortion + β · rate, what the gradient is taken of."""
    rate: Tensor
    """KL(q(z | x) ‖ p(z)), or its estimate by one draw: what the latent says about the row."""
    distortion: Tensor
    """-E[log p(x | z)]: what the latent leaves open about the row."""


def elbo(vae: VAE, x: Tensor, noise: Tensor, beta: float) -> Elbo:
    """The bound with one posterior draw a row: `x` [N, *data_shape], `noise` [N, latent_dim].

    β is that of Higgins et al., "β-VAE" (ICLR 2017), equation 4; with β = 1 the loss is −ELBO.
    """
    mean, log_var = vae.encode(x)
    z = reparameterize(mean, log_var, noise)
    rate = vae.prior.rate(mean, log_var, z).mean()
    distortion = -vae.log_likelihood(x, z).mean()
    return Elbo(distortion + beta * rate, rate, distortion)


def warm_up(beta: float, epoch: float, warmup_epochs: float) -> float:
    """β at a moment of the run (in epochs, with its fraction): rises linearly from 0, then stays.

    Bowman et al. 2016, section 3.1; Sønderby et al. 2016, section 2.3: it keeps latent units from
    being switched off before the decoder has learned to use them.
    """
    if warmup_epochs <= 0:
        return beta
    return beta * min(1.0, epoch / warmup_epochs)


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """Nats of a whole row as bits for each of its dimensions."""
    return nats / (dimensions * float(torch.log(torch.tensor(2.0))))
