"""Laws that every likelihood in the registry keeps."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch

from tests.training.small import GREY, VECTOR, kind_of, rows, takes_vectors
from training.errors import ConfigError
from training.likelihoods import DISCRETE, LIKELIHOODS, Likelihood

ALL = pytest.mark.parametrize("name", LIKELIHOODS)
IMAGES_ONLY = [name for name in LIKELIHOODS if not takes_vectors("mlp", name)]
CASES = [
    (name, shape)
    for name in LIKELIHOODS
    for shape in (GREY, VECTOR)
    if shape == GREY or name not in IMAGES_ONLY
]
OF_LEVELS = [n for n in LIKELIHOODS if LIKELIHOODS[n]("image", 0.5).support == "levels"]
EVERYWHERE = pytest.mark.parametrize(("name", "shape"), CASES)
# How far the mean may lie from the expectation: a closed form for levels is exact to half of one.
TOLERANCE = {"binary": 1e-4, "levels": 0.5 / 255, "unit": 1e-4, "real": 1e-4}


def parameters(likelihood: Likelihood, count: int, shape: tuple[int, ...]) -> torch.Tensor:
    wanted = (count, likelihood.parameters_per_dimension, *shape)
    return torch.randn(wanted, generator=torch.Generator().manual_seed(1))


def values(likelihood: Likelihood) -> torch.Tensor:
    """The values of one dimension: all of them, or so many that sums are integrals."""
    return {
        "binary": torch.tensor([0.0, 1.0]),
        "levels": torch.arange(256) / 255,
        "unit": torch.linspace(0, 1, 20001),
        "real": torch.linspace(-30, 30, 20001),
    }[likelihood.support]


def expectation(
    likelihood: Likelihood, given: torch.Tensor, of: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """E[of(x)] of one dimension, by its density or probabilities: `given` [1, P, 1 …]."""
    x = values(likelihood)
    rows_of_one = x.reshape(-1, *given.shape[2:])
    weight = likelihood.log_prob(given.expand(len(x), *given.shape[1:]), rows_of_one).exp() * of(x)
    return weight.sum() if likelihood.support in DISCRETE else torch.trapezoid(weight, x)


@pytest.mark.parametrize("stretch", [1.0, 4.0])
@EVERYWHERE
def test_probabilities_sum_to_one_and_densities_integrate_to_one(
    name: str, shape: tuple[int, ...], stretch: float
) -> None:
    likelihood = LIKELIHOODS[name](kind_of(shape), 0.5)
    for row in parameters(likelihood, 8, (1,) * len(shape)):
        given = stretch * row[None]
        if likelihood.support == "real":
            given = given.clamp(-2, 1)  # where the grid sees all of the density
        total = expectation(likelihood, given, torch.ones_like)
        assert float(total.detach()) == pytest.approx(1.0, abs=1e-4)


def test_probabilities_of_several_pixels_are_products() -> None:
    likelihood = LIKELIHOODS["bernoulli"]("image", 0.5)
    tiny = (1, 2, 3)
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6))).reshape(-1, *tiny)
    given = parameters(likelihood, 1, tiny).expand(len(every), -1, *tiny)
    total = likelihood.log_prob(given, every).exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-4)


@EVERYWHERE
def test_the_mean_is_the_expectation_under_the_likelihood(
    name: str, shape: tuple[int, ...]
) -> None:
    likelihood = LIKELIHOODS[name](kind_of(shape), 0.5)
    for row in parameters(likelihood, 8, (1,) * len(shape)):
        given = row[None]
        mean, expected = likelihood.mean(given), expectation(likelihood, given, torch.clone)
        close = pytest.approx(float(expected.detach()), abs=TOLERANCE[likelihood.support], rel=1e-4)
        assert float(mean.detach()) == close


@pytest.mark.parametrize(
    "name", [name for name, _ in CASES if LIKELIHOODS[name]("image", 0.5).support == "levels"]
)
@pytest.mark.parametrize("stretch", [1.0, 10.0, 1000.0])
def test_probabilities_of_levels_are_those_of_each_pixel(name: str, stretch: float) -> None:
    likelihood = LIKELIHOODS[name]("image", 0.5)
    given = stretch * parameters(likelihood, 2, GREY)
    found = likelihood.level_probabilities(given)
    assert found.shape == (2, *GREY, 256)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, *GREY))
    pixel = given[:1, :, :, 2:3, 4:5]
    x = values(likelihood).reshape(-1, 1, 1, 1)
    expected = likelihood.log_prob(pixel.expand(256, *pixel.shape[1:]), x).exp()
    torch.testing.assert_close(found[0, 0, 2, 4], expected, rtol=1e-4, atol=1e-6)


@ALL
def test_gradients_stay_finite_far_out(name: str) -> None:
    likelihood = LIKELIHOODS[name]("image", 0.5)
    for size in (0.0, 1e-3, 1.0, 30.0, 300.0):
        given = (size * parameters(likelihood, 4, GREY)).requires_grad_()
        for x in (torch.zeros(4, *GREY), torch.ones(4, *GREY)):
            log_prob = likelihood.log_prob(given, likelihood.observe_once(x, torch.Generator()))
            (gradient,) = torch.autograd.grad(log_prob.sum(), given)
            assert log_prob.isfinite().all()
            assert gradient.isfinite().all()


@EVERYWHERE
def test_log_prob_sums_over_dimensions_and_keeps_rows_apart(
    name: str, shape: tuple[int, ...]
) -> None:
    likelihood = LIKELIHOODS[name](kind_of(shape), 0.5)
    given, x = parameters(likelihood, 4, shape), rows(4, shape)
    together = likelihood.log_prob(given, x)
    alone = torch.cat([likelihood.log_prob(given[i : i + 1], x[i : i + 1]) for i in range(4)])
    assert together.shape == (4,)
    torch.testing.assert_close(together, alone)


@ALL
def test_the_mean_of_an_image_lies_between_black_and_white(name: str) -> None:
    likelihood = LIKELIHOODS[name]("image", 1.0)
    mean = likelihood.mean(100 * parameters(likelihood, 8, GREY))
    assert mean.shape == (8, *GREY)
    assert float(mean.detach().min()) >= 0.0
    assert float(mean.detach().max()) <= 1.0


@EVERYWHERE
def test_training_sets_out_from_the_average_row(name: str, shape: tuple[int, ...]) -> None:
    likelihood = LIKELIHOODS[name](kind_of(shape), 1.0)
    average = 0.1 + 0.8 * rows(1, shape)[0]
    start = likelihood.start(average)
    assert start.shape == (likelihood.parameters_per_dimension, *shape)
    torch.testing.assert_close(likelihood.mean(start[None])[0], average)


@ALL
def test_an_average_of_pure_black_or_white_starts_at_finite_parameters(name: str) -> None:
    likelihood = LIKELIHOODS[name]("image", 1.0)
    for value in (0.0, 1.0):
        assert likelihood.start(torch.full(GREY, value)).isfinite().all()


@pytest.mark.parametrize("name", IMAGES_ONLY)
def test_a_likelihood_of_pixels_refuses_vectors_and_names_what_takes_them(name: str) -> None:
    with pytest.raises(ConfigError, match="gaussian_learned"):
        LIKELIHOODS[name]("vectors", 1.0)


def test_dynamic_binarization_is_fair_and_new_at_each_step() -> None:
    likelihood = LIKELIHOODS["bernoulli"]("image", 1.0)
    stream = torch.Generator().manual_seed(0)
    x = torch.full((4000, 1, 1, 1), 0.3)
    first, second = likelihood.observe(x, stream), likelihood.observe(x, stream)
    assert set(first.flatten().tolist()) == {0.0, 1.0}
    assert float(first.mean()) == pytest.approx(0.3, abs=0.03)
    assert not first.equal(second)


def test_black_stays_black_and_white_stays_white_under_binarization() -> None:
    likelihood = LIKELIHOODS["bernoulli"]("image", 1.0)
    x = torch.tensor([0.0, 1.0]).repeat(5000).reshape(-1, 1, 1, 1)
    assert likelihood.observe(x, torch.Generator()).equal(x)


def test_grey_training_sees_grey_and_is_evaluated_on_black_and_white() -> None:
    likelihood = LIKELIHOODS["bernoulli_grey"]("image", 1.0)
    x = rows(4, GREY)
    assert likelihood.observe(x, torch.Generator()).equal(x)
    assert set(likelihood.observe_once(x, torch.Generator()).flatten().tolist()) == {0.0, 1.0}


def test_the_learned_spread_finds_the_spread_of_the_residuals() -> None:
    likelihood = LIKELIHOODS["gaussian_learned"]("vectors", 1.0)
    x = 0.25 * torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = -likelihood.log_prob(torch.zeros(2000, 1, 5), x).mean()
        torch.autograd.backward(loss)
        optimizer.step()
    # At the optimum the density is that of N(0, 0.25²): entropy ½ log(2πe · 0.25²) a dimension.
    entropy = 5 * 0.5 * math.log(2 * math.pi * math.e * 0.25**2)
    assert float(loss.detach()) == pytest.approx(entropy, abs=0.05)
