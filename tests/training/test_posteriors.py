"""What posteriors say together, where the answer is known."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from training import posteriors
from training.posteriors import Posteriors, mutual_information

ROWS, DIMENSIONS = 300, 4


def random(*, learned: bool = False) -> Posteriors:
    fixed = torch.Generator().manual_seed(0)
    mean, log_var = torch.randn(2, ROWS, DIMENSIONS, generator=fixed, dtype=torch.float64)
    return Posteriors(mean, log_var - 1, learned)


def normals(found: Posteriors) -> Normal:
    return Normal(found.mean, torch.exp(0.5 * found.log_var))


def alike(mean: float, log_var: float) -> Posteriors:
    """Rows that the encoder cannot tell apart."""
    same = torch.ones(ROWS, DIMENSIONS).double()
    return Posteriors(mean * same, log_var * same, prior_learned=True)


def test_the_rates_are_the_divergences_of_torch_from_the_normal_prior() -> None:
    found = random()
    standard = Normal(torch.zeros(()).double(), torch.ones(()).double())
    wanted: Tensor = kl_divergence(normals(found), standard).mean(0)
    torch.testing.assert_close(found.rates, wanted)


def test_to_a_learned_prior_the_rates_are_to_the_best_normal_of_each_dimension() -> None:
    found = random(learned=True)
    middle, spread = found.mean.mean(0), found.mean.var(0, correction=0)
    best = Normal(middle, (spread + found.log_var.exp().mean(0)).sqrt())
    wanted: Tensor = kl_divergence(normals(found), best).mean(0)
    torch.testing.assert_close(found.rates, wanted)
    for other in (Normal(middle, 1.1 * best.stddev), Normal(middle + 0.2, best.stddev)):
        assert bool((kl_divergence(normals(found), other).mean(0) > wanted).all())


def test_to_a_learned_prior_neither_place_nor_scale_of_a_dimension_matters() -> None:
    found = random(learned=True)
    moved = Posteriors(3 * found.mean + 5, found.log_var + 2 * math.log(3), prior_learned=True)
    torch.testing.assert_close(found.rates, moved.rates)


def test_a_dimension_that_is_the_same_for_all_rows_tells_nothing() -> None:
    found = alike(mean=2.0, log_var=-3.0)
    assert found.rates.tolist() == pytest.approx([0.0] * DIMENSIONS, abs=1e-9)
    assert not bool(found.active.any())


def test_posteriors_that_never_meet_tell_which_row_it_was() -> None:
    places = 100.0 * torch.arange(ROWS).double()[:, None].expand(ROWS, DIMENSIONS)
    apart = Posteriors(places, torch.zeros(ROWS, DIMENSIONS).double(), prior_learned=False)
    assert mutual_information(apart, 0) == pytest.approx(math.log(ROWS), abs=1e-9)


def test_posteriors_that_are_all_the_same_tell_nothing_of_the_row() -> None:
    assert mutual_information(alike(mean=2.0, log_var=-3.0), 0) == pytest.approx(0.0, abs=1e-9)


def test_pairs_of_rows_that_share_a_posterior_lose_one_bit() -> None:
    places = 100.0 * (torch.arange(ROWS) // 2).double()[:, None]
    pairs = Posteriors(places, torch.zeros(ROWS, 1).double(), prior_learned=False)
    assert mutual_information(pairs, 0) == pytest.approx(math.log(ROWS / 2), abs=1e-9)


def test_the_mutual_information_is_what_torch_says_of_the_mixture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A chunk that does not divide the rows.
    monkeypatch.setattr(posteriors, "CHUNK", 70)
    found = random()
    z = found.draw(5, "mutual information")
    each = Independent(normals(found), 1)
    pairs: Tensor = each.log_prob(z[:, None])  # type: ignore[no-untyped-call]  # [draw, row]
    wanted = float((pairs.diagonal() - pairs.logsumexp(1)).mean()) + math.log(ROWS)
    assert mutual_information(found, 5) == pytest.approx(wanted, abs=1e-9)
    assert 0 < wanted < math.log(ROWS)


def test_of_very_many_rows_the_first_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posteriors, "COMPARED", 100)
    found = random()
    first = Posteriors(found.mean[:100], found.log_var[:100], prior_learned=False)
    assert found.compared == 100
    assert mutual_information(found, 0) <= math.log(100)
    assert mutual_information(first, 0) == pytest.approx(mutual_information(found, 0), abs=0.5)
