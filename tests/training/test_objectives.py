"""Laws of the objectives: against torch's own distributions, and against each other."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl

from tests.training.small import GREY, LATENT, model, rows
from training.evaluate import bits_per_dimension, estimate
from training.objectives import OBJECTIVES, Options, Terms, draw
from training.priors import PRIORS
from training.priors.normal import kl_divergence
from training.schedules import warmth
from training.vae import VAE

ALL = pytest.mark.parametrize("name", OBJECTIVES)
PRIOR = pytest.mark.parametrize("prior", PRIORS)
WEIGHTED = pytest.mark.parametrize("name", ["iwae", "dreg"])


def noise(draws: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(draws, count, LATENT, generator=torch.Generator().manual_seed(seed))


def terms(
    name: str,
    vae: VAE,
    x: torch.Tensor,
    drawn: torch.Tensor,
    warm: float = 1.0,
    **options: float,
) -> Terms:
    return OBJECTIVES[name](Options(**options))(draw(vae, x, drawn), warm)


def gradient(vae: VAE, loss: torch.Tensor, part: str) -> torch.Tensor:
    """Of all weights of a part of the model, as one vector."""
    weights = list(getattr(vae, part).parameters())
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)])


def log_weights(vae: VAE, x: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """log p(x, z) / q(z | x) of every draw, by torch's distributions: [K, N]."""
    mean, log_var = vae.encode(x)
    posterior = Independent(Normal(mean, (0.5 * log_var).exp()), 1)
    z = mean + (0.5 * log_var).exp() * drawn
    log_posterior: torch.Tensor = posterior.log_prob(z)  # type: ignore[no-untyped-call]
    log_joint = [vae.log_likelihood(x, each) + vae.prior.log_density(each) for each in z]
    return torch.stack(log_joint) - log_posterior


def test_the_rate_is_the_kl_divergence_from_the_prior() -> None:
    mean, log_var = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    posterior = Independent(Normal(mean, (0.5 * log_var).exp()), 1)
    prior = Independent(Normal(torch.zeros(7, 4), torch.ones(7, 4)), 1)
    torch.testing.assert_close(kl_divergence(mean, log_var), kl.kl_divergence(posterior, prior))


@ALL
@PRIOR
def test_the_gradient_reaches_every_parameter(name: str, prior: str) -> None:
    vae = model("mlp", "bernoulli", GREY, prior=prior)
    x = rows(8, GREY).round()
    torch.autograd.backward(terms(name, vae, x, noise(3, 8), capacity=99).loss)
    for where, parameter in vae.named_parameters():
        assert parameter.grad is not None, where
        assert parameter.grad.isfinite().all(), where
        assert parameter.grad.abs().max() > 0, where


@pytest.mark.parametrize("name", ["elbo", "iwae", "dreg"])
def test_the_loss_is_summed_over_pixels_and_averaged_over_the_batch(name: str) -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY), rows(4, GREY).round(), noise(2, 4)
    singles = [terms(name, vae, x[i : i + 1], drawn[:, i : i + 1]).loss for i in range(4)]
    torch.testing.assert_close(terms(name, vae, x, drawn).loss, torch.stack(singles).mean())


def test_beta_weighs_the_rate_and_rises_with_the_warmth() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(4, GREY)
    parts = terms("elbo", vae, x, noise(1, 4), beta=3.0)
    torch.testing.assert_close(parts.loss, parts.distortion + 3.0 * parts.rate)
    parts = terms("elbo", vae, x, noise(1, 4), warm=0.5, beta=3.0)
    torch.testing.assert_close(parts.loss, parts.distortion + 1.5 * parts.rate)


def test_several_draws_are_averaged() -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY), rows(4, GREY).round(), noise(5, 4)
    singles = torch.stack([terms("elbo", vae, x, drawn[k : k + 1]).loss for k in range(5)])
    torch.testing.assert_close(terms("elbo", vae, x, drawn).loss, singles.mean())


@WEIGHTED
@PRIOR
def test_the_importance_weighted_bound_is_the_log_of_the_mean_weight(name: str, prior: str) -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY, prior), rows(6, GREY).round(), noise(7, 6)
    expected = -(log_weights(vae, x, drawn).logsumexp(0) - math.log(7)).mean()
    torch.testing.assert_close(terms(name, vae, x, drawn).loss, expected)


@WEIGHTED
def test_the_bound_tightens_with_every_draw_towards_what_evaluation_says(name: str) -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(400, GREY).round()
    bounds = [float(terms(name, vae, x, noise(k, 400)).loss.detach()) for k in (1, 4, 16, 256)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == pytest.approx(estimate(vae, x, 2000).nll, abs=0.02)


def test_one_draw_of_the_weighted_bound_is_the_elbo_by_draws() -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY, "flow"), rows(6, GREY).round(), noise(1, 6)
    torch.testing.assert_close(terms("iwae", vae, x, drawn), terms("elbo", vae, x, drawn))


@pytest.mark.parametrize("part", ["decoder", "prior"])
def test_reparameterizing_twice_leaves_the_gradient_of_the_model_alone(part: str) -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY, "flow"), rows(6, GREY).round(), noise(8, 6)
    once, twice = (gradient(vae, terms(n, vae, x, drawn).loss, part) for n in ("iwae", "dreg"))
    # Weighed before they are summed or after, sums of float32 differ in their last digits.
    torch.testing.assert_close(once, twice, atol=2e-4, rtol=1e-3)


def test_reparameterizing_twice_gives_the_encoder_the_same_gradient_with_less_noise() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(4, GREY).round()
    found = {
        name: torch.stack(
            [
                gradient(vae, terms(name, vae, x, noise(16, 4, seed)).loss, "encoder")
                for seed in range(1500)
            ]
        )
        for name in ("iwae", "dreg")
    }
    # The same draws for both: what is left of the noise is that of the difference.
    difference = found["iwae"] - found["dreg"]
    error = difference.std(0) / math.sqrt(len(difference))
    assert float((difference.mean(0) / error.clamp(min=1e-9)).abs().max()) < 5
    assert float(found["dreg"].var(0).sum()) < 0.5 * float(found["iwae"].var(0).sum())


def test_free_bits_cost_nothing_and_are_not_pushed_down() -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY), rows(6, GREY).round(), noise(1, 6)
    plain = terms("free_bits", vae, x, drawn)
    torch.testing.assert_close(plain, terms("elbo", vae, x, drawn))
    free = terms("free_bits", vae, x, drawn, free_bits=50.0)
    torch.testing.assert_close(free.loss, free.distortion + 50.0 * LATENT)
    torch.testing.assert_close(
        gradient(vae, free.loss, "encoder"), gradient(vae, plain.distortion, "encoder")
    )


def test_the_capacity_holds_the_rate() -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY), rows(6, GREY).round(), noise(1, 6)
    for warm in (0.0, 0.5, 1.0):
        parts = terms("capacity", vae, x, drawn, warm, beta=7.0, capacity=2.0)
        away = (parts.rate - 2.0 * warm).abs()
        torch.testing.assert_close(parts.loss, parts.distortion + 7.0 * away)


def test_the_warm_up_rises_and_stays_once_or_in_cycles() -> None:
    once = [warmth(epoch, 10, 4.0, 1) for epoch in (0.0, 1.0, 2.0, 4.0, 9.0)]
    assert once == [0, 0.25, 0.5, 1, 1]
    twice = [warmth(epoch, 10, 2.0, 2) for epoch in (0.0, 1.0, 2.0, 4.5, 5.0, 6.0, 9.0)]
    assert twice == [0, 0.5, 1, 1, 0, 0.5, 1]
    assert warmth(0.0, 10, 0.0, 3) == 1.0


def test_bits_per_dimension_divide_by_the_dimensions_and_log_2() -> None:
    assert bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1.0)


@ALL
def test_half_precision_is_of_the_networks_alone(name: str) -> None:
    vae, x, drawn = model("mlp", "bernoulli", GREY), rows(64, GREY).round(), noise(4, 64)
    lower = OBJECTIVES[name](Options(capacity=9))(draw(vae, x, drawn, torch.bfloat16), 1.0)
    exact = terms(name, vae, x, drawn, capacity=9)
    for low, full in zip(lower, exact, strict=True):
        assert low.dtype == torch.float32
        assert 0 < abs(float(low.detach() - full.detach())) < 0.02
