"""Models of vectors see standardized numbers and speak the data's own units."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.small import GREY, kind_of, model
from training import export
from training.config import RunConfig
from training.datasets import DATASETS, Dataset, Request
from training.errors import DataError
from training.likelihoods import LIKELIHOODS
from training.preparation import build_vae
from training.priors.vamp import VampPrior
from training.standardization import Standardized
from training.vae import VAE

MEAN = torch.tensor([5.0, -3000.0])
DEVIATION = torch.tensor([0.01, 200.0])


def dataset(rows: torch.Tensor) -> Dataset:
    return Dataset("rows", kind_of(tuple(rows.shape[1:])), rows, rows[:2])


def raw_rows(count: int = 1000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return MEAN + DEVIATION * torch.randn(count, 2, generator=generator)


def fresh(likelihood: str, rows: torch.Tensor) -> VAE:
    config = RunConfig(likelihood=likelihood, encoder=(8,), decoder=(8,), latent_dim=2, sigma=0.5)
    return build_vae(config, dataset(rows))


VECTOR_LIKELIHOODS = ["gaussian", "gaussian_learned", "gaussian_per_dimension"]


@pytest.mark.parametrize("likelihood", VECTOR_LIKELIHOODS)
def test_the_density_of_raw_rows_integrates_to_one(likelihood: str) -> None:
    vae = fresh(likelihood, raw_rows())
    offsets = torch.linspace(-8, 8, 401)
    grid = torch.tensor(list(itertools.product(offsets.tolist(), repeat=2)))
    z = torch.randn(1, 2, generator=torch.Generator().manual_seed(1)).expand(len(grid), 2)
    with torch.no_grad():
        density = vae.log_likelihood(MEAN + DEVIATION * grid, z).double().exp()
    step = 16 / 400
    volume = float(density.sum()) * step**2 * math.prod(DEVIATION.tolist())
    assert volume == pytest.approx(1.0, abs=1e-3)


def test_the_log_likelihood_is_that_of_the_gaussian_in_raw_units_by_hand() -> None:
    rows = raw_rows()
    vae = fresh("gaussian", rows)
    z = torch.zeros(3, 2)
    with torch.no_grad():
        found = vae.log_likelihood(rows[:3], z)
        mean = vae.decode(z)
    sigma = 0.5 * rows.std(0, correction=0)
    expected = torch.distributions.Normal(mean, sigma).log_prob(rows[:3])  # type: ignore[no-untyped-call]  # has no hints
    torch.testing.assert_close(found, expected.sum(1), rtol=1e-4, atol=1e-4)


def test_a_model_sets_out_from_the_average_row_in_its_own_units() -> None:
    rows = raw_rows()
    decoded = fresh("gaussian_learned", rows).decode(torch.zeros(1, 2))[0].detach()
    assert float(((decoded - rows.mean(0)) / DEVIATION).abs().max()) < 1.0


def test_units_do_not_matter_to_the_networks() -> None:
    rows = raw_rows()
    other = rows * torch.tensor([1000.0, 0.001]) + torch.tensor([0.0, 7.0])
    one, two = fresh("gaussian_learned", rows), fresh("gaussian_learned", other)
    torch.testing.assert_close(one.encode(rows[:5]), two.encode(other[:5]), rtol=1e-3, atol=1e-3)


def test_pseudo_inputs_are_rows_as_the_networks_see_them() -> None:
    config = RunConfig(likelihood="gaussian", prior="vamp", encoder=(8,), latent_dim=2)
    prior = build_vae(config, dataset(raw_rows())).prior
    assert isinstance(prior, VampPrior)
    assert 0.5 < float(prior.pseudo_inputs.detach().std()) < 2.0


def test_the_statistics_travel_in_the_scripted_model(tmp_path: Path) -> None:
    vae = export.for_export(fresh("gaussian_learned", raw_rows()))
    export.write(export.script(vae), tmp_path / "model.ts")
    loaded = torch.jit.load(str(tmp_path / "model.ts"))  # type: ignore[no-untyped-call]  # has no hints
    x = raw_rows(5)
    torch.testing.assert_close(loaded.encode(x)[0], vae.encode(x)[0])
    torch.testing.assert_close(loaded.decode(torch.zeros(1, 2)), vae.decode(torch.zeros(1, 2)))
    assert {"vae.units.mean", "vae.units.deviation"} <= set(loaded.state_dict())


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_models_of_images_carry_no_statistics(likelihood: str) -> None:
    assert not [name for name in model("mlp", likelihood, GREY).state_dict() if "units" in name]


def test_the_statistics_are_those_of_the_training_rows() -> None:
    rows = raw_rows()
    units = fresh("gaussian", rows).units
    assert isinstance(units, Standardized)
    torch.testing.assert_close(units.mean, rows.double().mean(0).float())
    torch.testing.assert_close(units.deviation, rows.double().std(0, correction=0).float())


def test_columns_of_one_value_are_refused_by_number(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 8))
    rows[:, [0, 2, 3, 4, 5, 6]] = 7
    np.save(tmp_path / "rows.npy", rows)
    data = DATASETS["arrays"](Request(tmp_path / "rows.npy"))
    with pytest.raises(DataError, match=r"6 of 8 columns .*: leave out 0, 2, 3, 4, 5, …"):
        build_vae(RunConfig(likelihood="gaussian"), data)
