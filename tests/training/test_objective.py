"""The bound and its parts against torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl

from tests.training.small import GREY, LATENT, model, rows
from training.objective import bits_per_dimension, elbo, warm_up
from training.priors.normal import kl_divergence


def test_the_rate_is_the_kl_divergence_from_the_prior() -> None:
    mean, log_var = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    posterior = Independent(Normal(mean, (0.5 * log_var).exp()), 1)
    prior = Independent(Normal(torch.zeros(7, 4), torch.ones(7, 4)), 1)
    torch.testing.assert_close(kl_divergence(mean, log_var), kl.kl_divergence(posterior, prior))


def test_the_loss_is_summed_over_pixels_and_averaged_over_the_batch() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(4, GREY).round()
    noise = torch.zeros(4, LATENT)
    whole = elbo(vae, x, noise, beta=1.0)
    singles = [elbo(vae, x[i : i + 1], noise[i : i + 1], beta=1.0).loss for i in range(4)]
    torch.testing.assert_close(whole.loss, torch.stack(singles).mean())


def test_beta_weighs_the_rate() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(4, GREY)
    parts = elbo(vae, x, torch.zeros(4, LATENT), beta=3.0)
    torch.testing.assert_close(parts.loss, parts.distortion + 3.0 * parts.rate)


def test_the_warm_up_rises_to_beta_and_stays() -> None:
    assert [warm_up(2.0, epoch, 4.0) for epoch in (0.0, 1.0, 2.0, 4.0, 9.0)] == [0, 0.5, 1, 2, 2]
    assert warm_up(2.0, 0.0, 0.0) == 2.0


def test_bits_per_dimension_divide_by_the_dimensions_and_log_2() -> None:
    assert bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1.0)
