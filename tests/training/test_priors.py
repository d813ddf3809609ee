"""Laws that every prior in the registry keeps, alone and as a part of a model."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from model_store import load
from tests.training.small import GREY, LATENT, VECTOR, model, rows
from training import export
from training.config import RunConfig
from training.datasets import Dataset
from training.errors import ConfigError
from training.evaluate import estimate
from training.objectives import OBJECTIVES, Options, draw
from training.preparation import build_vae
from training.priors import PRIORS, Prior
from training.priors.normal import kl_divergence, standard_normal
from training.publication import Trained, publish

ALL = pytest.mark.parametrize("name", PRIORS)


def bent(name: str, latent_dim: int) -> Prior:
    """A prior with weights away from where it starts."""
    prior = PRIORS[name](latent_dim)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in prior.parameters():
            weights.copy_(0.12 * torch.randn(weights.shape, generator=generator))
    return prior


def noise(count: int, latent_dim: int = LATENT) -> Tensor:
    return torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(1))


@ALL
def test_the_density_integrates_to_one(name: str) -> None:
    axis = torch.linspace(-8, 8, 201)
    plane = torch.cartesian_prod(axis, axis)
    density = bent(name, 2).log_density(plane).exp().detach()
    assert float(density.sum()) * float(axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=1e-3)


@ALL
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


@ALL
def test_a_prior_starts_as_the_standard_normal(name: str) -> None:
    prior = PRIORS[name](5)
    torch.testing.assert_close(prior.log_density(noise(9, 5)), standard_normal(noise(9, 5)))


@ALL
@pytest.mark.parametrize("shape", [GREY, VECTOR])
def test_the_gradient_reaches_every_parameter(name: str, shape: tuple[int, ...]) -> None:
    vae = model("mlp", "gaussian", shape, prior=name)
    torch.autograd.backward(
        OBJECTIVES["elbo"](Options())(draw(vae, rows(8, shape), noise(8)[None]), 1.0).loss
    )
    for where, parameter in vae.named_parameters():
        assert parameter.grad is not None, where
        assert parameter.grad.abs().max() > 0, where


@ALL
def test_scripted_equals_eager(name: str) -> None:
    vae = export.for_export(model("mlp", "bernoulli", GREY, prior=name))
    assert export.check_agreement(vae, export.script(vae), rows(16, GREY), 0) < export.TOLERANCE


@ALL
def test_a_published_model_has_its_prior_and_measures_the_same(name: str, tmp_path: Path) -> None:
    x = rows(40, GREY).round()
    dataset = Dataset(name="squares", kind="image", train=x, test=x)
    config = RunConfig(name="priors", prior=name, latent_dim=LATENT, encoder=(8,), decoder=(8,))
    vae = build_vae(config, dataset)
    with torch.no_grad():
        for weights in vae.prior.parameters():
            weights.add_(0.1)
    found = estimate(vae, x, samples=50)
    published = publish(Trained("none", config, dataset, vae, ()), tmp_path)
    checkpoint = load(tmp_path, published)
    assert (checkpoint.prior is not None) == vae.prior.learned
    again = estimate(checkpoint, x, samples=50)  # type: ignore[arg-type]  # it has a likelihood
    assert again.nll == pytest.approx(found.nll, abs=1e-3)
    assert again.rate == pytest.approx(found.rate, abs=1e-3)
    if checkpoint.prior is not None:
        torch.testing.assert_close(checkpoint.prior(noise(7)), vae.prior(noise(7)).detach())


def test_a_flow_of_one_number_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"latent_dim=1.*prior=normal"):
        PRIORS["flow"](1)
