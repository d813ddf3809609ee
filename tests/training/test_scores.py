"""The distribution of the training rows' scores, against one that is computed row by row."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from tests.training.small import GREY, VECTOR, model, rows
from training import scores
from training.datasets.rows import Streamed
from training.evaluate import estimate, observed_once
from training.scores import DRAWS, scores_of
from training.streams import stream
from training.vae import VAE

SEED = 3


@torch.no_grad()
def by_hand(vae: VAE, x: Tensor, seed: int) -> list[float]:
    """The -ELBO of each row in nats, by torch's own densities and the same noise."""
    mean, log_var = vae.encode(x)
    noise = torch.randn(DRAWS, *mean.shape, generator=stream(seed, "evaluation", 0))
    found = []
    for row in range(len(x)):
        posterior = Normal(mean[row], (0.5 * log_var[row]).exp())
        z = mean[row] + posterior.stddev * noise[:, row]
        log_p = Bernoulli(vae.decode(z)).log_prob(x[row])  # type: ignore[no-untyped-call]
        rate = kl_divergence(posterior, Normal(0.0, 1.0)).sum()
        found.append(float(rate - log_p.flatten(1).sum(1).mean()))
    return found


def test_the_quantiles_are_those_of_the_rows_scores() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(60, GREY)
    found = scores_of(vae, vae.likelihood, x, SEED)
    assert found is not None
    observed = observed_once(vae.likelihood, x, SEED)[:]
    assert {float(pixel) for pixel in observed.flatten()} == {0.0, 1.0}
    wanted = np.quantile(by_hand(vae, observed, SEED), np.arange(101) / 100)
    assert found.quantiles == pytest.approx(wanted.tolist(), rel=1e-5)
    assert (found.rows, found.draws, found.seed) == (60, DRAWS, SEED)


@pytest.mark.parametrize("prior", ["normal", "flow"])
def test_the_scores_average_to_the_negative_elbo(prior: str) -> None:
    vae, x = model("mlp", "gaussian", VECTOR, prior), rows(600, VECTOR)
    found = estimate(vae, x, samples=3)
    assert found.negative_elbos.shape == (600,)
    assert float(found.negative_elbos.mean()) == pytest.approx(found.negative_elbo)


def test_of_many_rows_some_are_chosen_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_ROWS", 20)
    vae, x = model("mlp", "gaussian", VECTOR), rows(50, VECTOR)
    first, again, other = (scores_of(vae, vae.likelihood, x, seed) for seed in (0, 0, 1))
    assert first is not None
    assert first == again != other
    assert first.rows == 20
    streamed = scores_of(vae, vae.likelihood, Streamed(x.numpy()), 0)
    assert streamed == first
    # They are rows of the set: the spread is that of all of them.
    every = estimate(vae, x, DRAWS).negative_elbos
    assert every.min() - 1 < first.quantiles[0] < first.quantiles[100] < every.max() + 1


def test_one_row_has_one_score() -> None:
    vae = model("mlp", "gaussian", VECTOR)
    found = scores_of(vae, vae.likelihood, rows(1, VECTOR), 0)
    assert found is not None
    assert len(set(found.quantiles)) == 1


def test_where_a_row_has_no_finite_score_there_is_no_scale() -> None:
    vae, x = model("mlp", "gaussian", VECTOR), rows(9, VECTOR)
    x[4] = 1e30
    assert scores_of(vae, vae.likelihood, x, 0) is None
