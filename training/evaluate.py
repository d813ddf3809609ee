"""How good a model is: the bound and its parts, and the log-likelihood by importance sampling.

Knows a model only as a few functions on tensors, so a model in training and a published one are
measured by the same code.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from training.datasets.gathering import Room, gather
from training.datasets.rows import Rows, Streamed, Watch, pieces
from training.likelihoods import DISCRETE, Likelihood
from training.posteriors import Posteriors
from training.priors.normal import kl_divergence, standard_normal
from training.streams import stream
from training.vae import reparameterize

# Rows of one call of the decoder: enough to keep it busy, and few enough for a CPU's cache; with
# four times as many an estimate on MNIST takes twice as long.
CHUNK = 1024


class Model(Protocol):
    """What evaluation needs of a model; one in training and a loaded checkpoint both have it."""

    @property
    def encode(self) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """[N, *data_shape] → posterior mean and log-variance, [N, latent_dim]."""

    @property
    def decode(self) -> Callable[[Tensor], Tensor]:
        """z [N, latent_dim] → E[x | z], [N, *data_shape]."""

    @property
    def prior_log_density(self) -> Callable[[Tensor], Tensor] | None:
        """z [N, latent_dim] → log p(z) in nats, [N]; None where the prior is N(0, I)."""

    @property
    def log_likelihood(self) -> Callable[[Tensor, Tensor], Tensor]:
        """x [N, *data_shape], z [N, latent_dim] → log p(x | z) in nats, [N]."""


class Estimate(NamedTuple):
    """Averages over the evaluated rows, in nats."""

    negative_elbo: float
    """rate + distortion, with the same posterior draws as the NLL."""
    rate: float
    distortion: float
    nll: float
    """Of -log p(x), estimated from above by the importance-weighted bound."""
    posteriors: Posteriors
    """Of every row; the rate to a learned prior is estimated by draws, like the distortion."""
    samples: int
    seed: int
    negative_elbos: Tensor  # [N], of which the first is the average; float64, on the CPU

    @property
    def rows(self) -> int:
        """How many were evaluated."""
        return len(self.posteriors.mean)

    @property
    def active_units(self) -> int:
        """Latent dimensions that tell rows apart."""
        return int(self.posteriors.active.sum())


def observed_once(likelihood: Likelihood, rows: Rows, seed: int, room: Room | None = None) -> Rows:
    """The rows that a model is evaluated on; binarized once, by `seed`, for a Bernoulli.

    Streamed rows stay streamed: those that differ from what is stored go where `room` says.
    """
    generator = stream(seed, "test rows", 0, rows.device)
    if isinstance(rows, Tensor):
        return likelihood.observe_once(rows, generator)
    if likelihood.support not in DISCRETE:
        return rows  # observed as they are
    observed = (likelihood.observe_once(piece, generator) for piece in pieces(rows))
    levels = (piece.mul(255).round().byte().numpy() for piece in observed)
    return Streamed(gather(levels, rows.shape[1:], np.uint8, room or Room()))


class _Weighed(NamedTuple):
    """What was found of some rows, each [N] but the posterior's mean and log-variance [N, D]."""

    rate: Tensor
    distortion: Tensor
    log_evidence: Tensor
    mean: Tensor
    log_var: Tensor


@torch.no_grad()
def estimate(
    model: Model,
    rows: Rows,
    samples: int,
    seed: int = 0,
    progress: Watch = iter,
) -> Estimate:
    """Measure a model on rows that are as its likelihood wants them: [N, *data_shape].

    The NLL is −log (1/K) Σₖ p(x, zₖ) / q(zₖ | x) with zₖ drawn from q(z | x): Burda, Grosse &
    Salakhutdinov, "Importance Weighted Autoencoders" (ICLR 2016), equation 8; it lies above the
    true value and falls towards it as K grows. `progress` may wrap the iteration over chunks.
    """
    chunks = pieces(rows, max(1, CHUNK // samples))
    found = []
    for number, chunk in enumerate(progress(chunks)):
        weighed = _weigh(model, chunk, samples, stream(seed, "evaluation", number, rows.device))
        found.append(_Weighed(*(part.double().cpu() for part in weighed)))
    every = _Weighed(*(torch.cat(parts) for parts in zip(*found, strict=True)))
    rate, distortion, log_evidence = (float(part.mean()) for part in every[:3])
    return Estimate(
        negative_elbo=rate + distortion,
        rate=rate,
        distortion=distortion,
        nll=-log_evidence,
        posteriors=Posteriors(every.mean, every.log_var, model.prior_log_density is not None),
        samples=samples,
        seed=seed,
        negative_elbos=every.rate + every.distortion,
    )


def _weigh(model: Model, x: Tensor, samples: int, generator: torch.Generator) -> _Weighed:
    """Per row: the rate, the mean distortion over the draws, and the log of the mean weight."""
    mean, log_var = model.encode(x)  # [N, D]
    rate, distortion = torch.zeros(2, len(x), device=x.device)
    done, weights = 0, []
    while done < samples:
        draws = min(samples - done, CHUNK)
        log_p, log_w = _draw(model, x, (mean, log_var), draws, generator)
        rate += (log_p - log_w).sum(0)
        distortion -= log_p.sum(0)
        weights.append(log_w.logsumexp(0))
        done += draws
    log_evidence = torch.stack(weights).logsumexp(0) - math.log(samples)
    exact = model.prior_log_density is None
    rate = kl_divergence(mean, log_var) if exact else rate / samples
    return _Weighed(rate, distortion / samples, log_evidence, mean, log_var)


def _draw(
    model: Model,
    x: Tensor,
    posterior: tuple[Tensor, Tensor],
    draws: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """log p(x | z) and log p(x, z) / q(z | x) of some draws: each [draws, N]."""
    mean, log_var = posterior
    noise = torch.randn(draws, *mean.shape, generator=generator, device=x.device)  # [K, N, D]
    z = reparameterize(mean, log_var, noise).flatten(0, 1)  # [K · N, D]
    repeated = x.expand(draws, *x.shape).flatten(0, 1)  # [K · N, *data_shape]
    log_p = model.log_likelihood(repeated, z).view(draws, len(x))
    log_prior = (model.prior_log_density or standard_normal)(z).view(draws, len(x))
    # The density of z is that of its noise over the volume that σ stretches it to.
    log_posterior = standard_normal(noise.flatten(0, 1)).view(draws, len(x)) - 0.5 * log_var.sum(1)
    return log_p, log_p + log_prior - log_posterior


@torch.no_grad()
def reconstruction_error(model: Model, rows: Rows, device: torch.device) -> float:
    """The mean squared error per dimension of decode(E[z | x]) against x: `rows` [N, *data_shape].

    To be taken of the data's own rows. Rows that were binarized by a draw differ from what was
    decoded by the noise of that draw above all.
    """
    total = 0.0
    for chunk in pieces(rows, CHUNK):
        x = chunk.to(device)
        decoded = model.decode(model.encode(x)[0])
        total += float((decoded - x).square().double().sum())
    return total / math.prod(rows.shape)


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """Nats of a whole row as bits for each of its dimensions."""
    return nats / (dimensions * math.log(2.0))
