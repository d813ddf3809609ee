"""Laws that every prior in the registry keeps, alone and as a part of a model."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from model_store import load
from tests.training.small import GREY, LATENT, VECTOR, model, rows
from training import export
from training.config import RunConfig
from training.datasets import Dataset
from training.errors import ConfigError
from training.evaluate import estimate
from training.learned import NOTHING
from training.objectives import OBJECTIVES, Options, draw
from training.preparation import build_vae
from training.prior_fitting import FITTED, with_fitted_prior
from training.priors import PRIORS, Prior, Setting, mixture
from training.priors.normal import kl_divergence, standard_normal
from training.priors.prior import log_normal
from training.priors.two_layers import TwoLayers
from training.publication import Trained, publish

# A fitted mixture is no choice for training, but keeps the same laws.
ALL = pytest.mark.parametrize("name", [*PRIORS, "gaussian_mixture"])
TRAINED = pytest.mark.parametrize("name", PRIORS)
SMOOTH = pytest.mark.parametrize("name", ["normal", "flow", "two_layers"])


def setting(latent_dim: int) -> Setting:
    encoder = torch.nn.Linear(4, 2 * latent_dim)
    return Setting(latent_dim, 6, encoder, 20, rows(20, (4,)).__getitem__)


def bent(name: str, latent_dim: int) -> Prior:
    """A prior with weights away from where it starts."""
    generator = torch.Generator().manual_seed(0)
    if name == "gaussian_mixture":
        posterior = (
            torch.randn(2, 200, latent_dim, generator=generator)
            - torch.tensor([0.0, 2.0])[:, None, None]
        )
        return FITTED[name]((posterior[0], posterior[1]), 6, 0)
    prior = PRIORS[name](setting(latent_dim))
    scale = 0.6 if name == "vamp" else 0.12
    with torch.no_grad():
        for weights in prior.parameters():
            weights.copy_(scale * torch.randn(weights.shape, generator=generator))
    return prior


def noise(count: int, latent_dim: int = LATENT) -> Tensor:
    return torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(1))


@ALL
def test_the_density_integrates_to_one(name: str) -> None:
    assert float(masses(bent(name, 2)).sum()) == pytest.approx(1.0, abs=1e-3)


def masses(prior: Prior) -> Tensor:
    """Of the squares of a 16 × 16 chessboard over [-8, 8]², by integrating the density."""
    fine = (torch.arange(320) + 0.5) / 20 - 8
    with torch.no_grad():
        density = prior.log_density(torch.cartesian_prod(fine, fine)).exp()
    return density.view(16, 20, 16, 20).sum((1, 3)) / 20**2


@ALL
def test_draws_fall_where_the_density_is(name: str) -> None:
    prior, count = bent(name, 2), 100_000
    with torch.no_grad():
        squares = (prior(noise(count, 2)) + 8).floor().long().clamp(0, 15)
    found = torch.bincount(squares[:, 0] * 16 + squares[:, 1], minlength=256).view(16, 16)
    expected = masses(prior) * count
    # A count is Poisson; 256 of them stay within five standard deviations.
    assert float(((found - expected) / (expected + 1).sqrt()).abs().max()) < 5


@SMOOTH
@pytest.mark.parametrize("latent_dim", [2, 3, 8])
def test_draws_have_the_density_that_the_prior_says(name: str, latent_dim: int) -> None:
    prior, eps = bent(name, latent_dim), noise(20, latent_dim)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda row: prior(row[None])[0]))(eps)
    stretch = torch.linalg.slogdet(jacobians)[1]
    expected = standard_normal(eps) - stretch
    torch.testing.assert_close(prior.log_density(prior(eps)), expected, atol=1e-4, rtol=1e-4)


@ALL
def test_the_rate_is_the_divergence_or_comes_close_to_it_with_many_draws(name: str) -> None:
    prior = bent(name, LATENT)
    mean, log_var = torch.tensor([[0.5, -1.0, 0.2]]), torch.tensor([[-1.0, 0.0, -2.0]])
    many = 20_000
    z = mean + torch.exp(0.5 * log_var) * noise(many)
    rates = prior.rate(mean.expand(many, -1), log_var.expand(many, -1), z).detach()
    # KL(q ‖ p) = KL(q ‖ N(0, I)) + E[log N(z; 0, I) − log p(z)].
    expected = kl_divergence(mean, log_var) + (standard_normal(z) - prior.log_density(z)).mean()
    assert float(rates.mean()) == pytest.approx(float(expected.detach()), abs=0.05)


def narrow(log_var: float) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Draws of a mixture of narrow components that lie far from each other, and its parameters."""
    generator = torch.Generator().manual_seed(0)
    count, size = 100, 32
    means = 1.5 * torch.randn(count, size, generator=generator)
    log_vars = torch.full((count, size), log_var)
    chosen = torch.randint(count, (500,), generator=generator)
    noise = torch.randn(500, size, generator=generator)
    z = means[chosen] + math.exp(0.5 * log_var) * noise
    return z, (torch.full((count,), 1 / count), means, log_vars)


@pytest.mark.parametrize("log_var", [0.0, -2.0, -6.0, -8.0, -12.0])
def test_float32_knows_the_density_of_narrow_components(log_var: float) -> None:
    """To a thousandth of a nat, and its gradient to a thousandth of its size."""

    def taken(dtype: torch.dtype) -> list[Tensor]:
        z, parameters = narrow(log_var)
        leaves = [part.to(dtype).requires_grad_() for part in (z, *parameters)]
        density = mixture.log_density(leaves[0], leaves[1], leaves[2], leaves[3])
        gradients = torch.autograd.grad(density.sum(), leaves)
        return [density.detach().double(), *(part.double() for part in gradients)]

    z, (weights, means, log_vars) = narrow(log_var)
    parts = MixtureSameFamily(
        Categorical(weights.double()),
        Independent(Normal(means.double(), (0.5 * log_vars.double()).exp()), 1),
    )
    found, exact = taken(torch.float32), taken(torch.float64)
    wanted: Tensor = parts.log_prob(z.double())  # type: ignore[no-untyped-call]  # has no hints
    assert float((found[0] - wanted).abs().max()) < 1e-3
    for one, other in zip(found[1:], exact[1:], strict=True):
        assert float((one - other).abs().max()) < 1e-3 * float(other.abs().max())


@SMOOTH
def test_a_prior_starts_as_the_standard_normal(name: str) -> None:
    prior = PRIORS[name](setting(5))
    torch.testing.assert_close(prior.log_density(noise(9, 5)), standard_normal(noise(9, 5)))


@TRAINED
@pytest.mark.parametrize("shape", [GREY, VECTOR])
def test_the_gradient_reaches_every_parameter(name: str, shape: tuple[int, ...]) -> None:
    vae = model("mlp", "gaussian", shape, prior=name)
    torch.autograd.backward(
        OBJECTIVES["elbo"](Options())(draw(vae, rows(8, shape), noise(8)[None]), 1.0).loss
    )
    for where, parameter in vae.named_parameters():
        assert parameter.grad is not None, where
        assert parameter.grad.abs().max() > 0, where


@TRAINED
def test_scripted_equals_eager(name: str) -> None:
    vae = export.for_export(model("mlp", "bernoulli", GREY, prior=name))
    assert export.check_agreement(vae, export.script(vae), rows(16, GREY), 0) < export.TOLERANCE


@TRAINED
def test_a_published_model_has_its_prior_and_measures_the_same(name: str, tmp_path: Path) -> None:
    x = rows(40, GREY).round()
    dataset = Dataset(name="squares", kind="image", train=x, test=x)
    config = RunConfig(name="priors", prior=name, latent_dim=LATENT, encoder=(8,), decoder=(8,))
    vae = build_vae(config, dataset)
    with torch.no_grad():
        for weights in vae.prior.parameters():
            weights.add_(0.1)
    found = estimate(vae, x, samples=50)
    published = publish(Trained("none", config, dataset, vae, (), None, NOTHING), tmp_path)
    checkpoint = load(tmp_path, published)
    assert (checkpoint.prior is not None) == vae.prior.learned
    again = estimate(checkpoint, x, samples=50)  # type: ignore[arg-type]  # it has a likelihood
    assert again.nll == pytest.approx(found.nll, abs=1e-3)
    assert again.rate == pytest.approx(found.rate, abs=1e-3)
    if checkpoint.prior is not None:
        torch.testing.assert_close(checkpoint.prior(noise(7)), vae.prior(noise(7)).detach())


def test_a_flow_of_one_number_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"latent_dim=1.*prior=normal"):
        PRIORS["flow"](setting(1))


def test_a_vamp_prior_is_published_without_the_encoder() -> None:
    vae = export.for_export(model("mlp", "bernoulli", GREY, prior="vamp"))
    assert {name for name, _ in vae.prior.named_buffers()} == {"weights", "means", "log_vars"}
    assert not list(vae.prior.parameters())


def test_two_layers_weigh_like_those_of_burda() -> None:
    """log w by torch's distributions, in terms of both layers instead of the second's noise."""
    vae = model("two_layers", "bernoulli", GREY, prior="two_layers")
    prior, x = vae.prior, rows(5, GREY).round()
    assert isinstance(prior, TwoLayers)
    mean, log_var = vae.encode(x)
    z = mean + (0.5 * log_var).exp() * noise(5)
    h1 = z[:, : prior.below]
    up_mean, up_log_var = prior.up(h1).chunk(2, dim=1)
    h2 = up_mean + (0.5 * up_log_var).exp() * z[:, prior.below :]
    expected = (
        log_prob(h1, *prior.down(h2).chunk(2, dim=1))
        + log_prob(h2, torch.zeros_like(h2), torch.zeros_like(h2))
        - log_prob(h1, mean[:, : prior.below], log_var[:, : prior.below])
        - log_prob(h2, up_mean, up_log_var)
    )
    found = prior.log_density(z) - log_normal(z, mean, log_var)
    torch.testing.assert_close(found, expected)


def log_prob(value: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    density: Tensor = Normal(mean, (0.5 * log_var).exp()).log_prob(value).sum(1)  # type: ignore[no-untyped-call]
    return density


@pytest.mark.parametrize("name", FITTED)
def test_a_prior_fitted_after_training_lies_where_the_posteriors_do(name: str) -> None:
    vae = model("mlp", "bernoulli", GREY)
    with torch.no_grad():
        # Posteriors that N(0, I) is far from: narrow, and apart from each other.
        list(vae.encoder.parameters())[-1].add_(torch.tensor([1.0, -1, 2, -4, -4, -4]))
    x = rows(300, GREY).round()
    fitted = with_fitted_prior(vae, name, x, components=4, seed=0)
    before, after = estimate(vae, x, samples=20), estimate(fitted, x, samples=20)
    assert after.distortion == pytest.approx(before.distortion, abs=1e-6)
    assert after.rate < before.rate - 1
    again = with_fitted_prior(vae, name, x, components=4, seed=0)
    torch.testing.assert_close(fitted.prior(noise(5)), again.prior(noise(5)), atol=0, rtol=0)
