"""The estimators against a model whose log p(x) is known in closed form."""

import math
import re

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from model_store import Figure
from tests.training.small import GREY, model, rows
from training import evaluate
from training.evaluate import estimate, observed_once, reconstruction_error
from training.figures import figures_of
from training.likelihoods import LIKELIHOODS
from training.priors.normal import StandardNormal
from training.vae import VAE

SIGMA = 0.5
DIMENSIONS, LATENT = 5, 2


class _PosteriorOfALinearModel(nn.Module):
    """The exact q(z | x) of z ~ N(0, I), x ~ N(W z, σ² I), or one that is too wide by a factor."""

    def __init__(self, weight: Tensor, widened: float) -> None:
        super().__init__()
        precision = weight.T @ weight / SIGMA**2 + torch.eye(LATENT)
        self.gain = precision.inverse() @ weight.T / SIGMA**2
        self.log_var = precision.inverse().diagonal().log() + 2 * math.log(widened)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x @ self.gain.T, self.log_var.expand(len(x), LATENT)], 1)


def linear_model(widened: float) -> tuple[VAE, Tensor, float]:
    """A VAE, rows, and the exact −log p(x) of the rows, averaged."""
    # Orthogonal columns, so that the exact posterior has a diagonal covariance.
    weight = torch.linalg.qr(torch.randn(DIMENSIONS, LATENT, generator=torch.Generator()))[0]
    linear = nn.Linear(LATENT, DIMENSIONS, bias=False)
    with torch.no_grad():
        linear.weight.copy_(weight)
    decoder = nn.Sequential(linear, nn.Unflatten(1, (1, DIMENSIONS)))
    likelihood = LIKELIHOODS["gaussian"]("vectors", SIGMA)
    vae = VAE(_PosteriorOfALinearModel(weight, widened), decoder, likelihood, StandardNormal())
    covariance = weight @ weight.T + SIGMA**2 * torch.eye(DIMENSIONS)
    evidence = MultivariateNormal(torch.zeros(DIMENSIONS), covariance)
    x = torch.randn(50, DIMENSIONS, generator=torch.Generator().manual_seed(3))
    log_evidence: Tensor = evidence.log_prob(x)  # type: ignore[no-untyped-call]  # has no hints
    return vae, x, -float(log_evidence.mean())


def test_with_the_exact_posterior_one_sample_gives_the_exact_likelihood() -> None:
    vae, x, exact = linear_model(widened=1.0)
    found = estimate(vae, x, samples=1)
    assert found.nll == pytest.approx(exact, abs=1e-4)


def test_with_a_wrong_posterior_the_elbo_falls_short_and_the_estimate_comes_close() -> None:
    vae, x, exact = linear_model(widened=1.5)
    found = estimate(vae, x, samples=2000)
    # KL(q ‖ exact posterior) of two dimensions that are too wide by 1.5.
    gap = LATENT * 0.5 * (1.5**2 - 1 - 2 * math.log(1.5))
    assert found.negative_elbo == pytest.approx(exact + gap, abs=0.03)
    assert found.nll == pytest.approx(exact, abs=0.02)
    assert found.negative_elbo == pytest.approx(found.rate + found.distortion)


def test_more_samples_bring_the_estimate_down_towards_the_truth() -> None:
    vae, x, exact = linear_model(widened=3.0)
    few, some, many = (estimate(vae, x, samples).nll for samples in (1, 10, 1000))
    assert few > some > many > exact - 0.02


def test_draws_beyond_a_chunk_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, x, exact = linear_model(widened=1.5)
    monkeypatch.setattr(evaluate, "CHUNK", 300)
    assert estimate(vae, x[:5], samples=1000).nll == pytest.approx(
        float(estimate(vae, x[:5], samples=299).nll), abs=0.1
    )
    assert estimate(vae, x, samples=1000).nll == pytest.approx(exact, abs=0.02)


def test_the_estimate_is_a_function_of_model_rows_and_seed() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(20, GREY).round()
    first, again, other = (estimate(vae, x, 10, seed=seed).nll for seed in (1, 1, 2))
    assert first == again != other


def figures(vae: VAE, x: Tensor) -> dict[str, Figure]:
    found = estimate(vae, x, samples=10, seed=7)
    error = reconstruction_error(vae, x, x.device)
    return {
        figure.name: figure for figure in figures_of(found, error, vae.likelihood, x[0].numel())
    }


def test_the_figures_say_by_how_many_samples_and_rows_and_by_which_seed() -> None:
    found = figures(model("mlp", "bernoulli", GREY), rows(20, GREY).round())
    for name in ("nll", "nll_bits", "negative_elbo", "distortion"):
        assert re.search("10 .* a row, 20 test rows, seed 7", found[name].estimator)
    assert found["rate"].estimator == "closed form, 20 test rows"
    assert "20 test rows, 1 draw a row, seed 7; at most ln" in found["mutual_information"].estimator


def test_the_rate_to_a_learned_prior_says_that_it_was_drawn() -> None:
    found = figures(model("mlp", "bernoulli", GREY, "flow"), rows(20, GREY).round())
    assert found["rate"].estimator == found["distortion"].estimator


def test_the_rates_of_the_dimensions_sum_to_the_rate() -> None:
    found = estimate(model("mlp", "bernoulli", GREY), rows(20, GREY), samples=1)
    assert float(found.posteriors.rates.sum()) == pytest.approx(found.rate)


def test_the_mutual_information_is_a_part_of_the_rate() -> None:
    # The rest is KL(q(z) ‖ p(z)).
    vae, x, _ = linear_model(widened=1.0)
    found = figures(vae, x)
    assert 0 < found["mutual_information"].value < found["rate"].value


def test_the_reconstruction_error_is_the_mean_square_per_dimension() -> None:
    vae, x, _ = linear_model(widened=1.0)
    with torch.no_grad():
        wanted = nn.functional.mse_loss(vae.decode(vae.encode(x)[0]), x)
    assert reconstruction_error(vae, x, x.device) == pytest.approx(float(wanted))
    # What three of five dimensions hold is not in the latent, and is lost.
    assert 0.5 < float(wanted) < 1.0


def test_test_rows_are_binarized_once_by_the_seed() -> None:
    likelihood = LIKELIHOODS["bernoulli"]("image", 1.0)
    x = rows(20, GREY)
    first, again, other = (observed_once(likelihood, x, seed)[:] for seed in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)


def test_active_units_are_those_that_the_encoder_uses() -> None:
    vae, x, _ = linear_model(widened=1.0)
    assert estimate(vae, x, samples=1).active_units == LATENT
    encoder = vae.encoder
    assert isinstance(encoder, _PosteriorOfALinearModel)
    encoder.gain[0] = 0.0
    assert estimate(vae, x, samples=1).active_units == LATENT - 1
    encoder.gain[1] *= 0.01
    assert estimate(vae, x, samples=1).active_units == 0
