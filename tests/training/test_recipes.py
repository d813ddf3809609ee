"""Every recipe builds the model that it promises."""

import pytest
import torch
from torch import nn

from training.datasets import DATASETS, Dataset, Request
from training.preparation import build_vae
from training.recipes import RECIPES
from training.vae import VAE

FIGURES = {"nll", "negative_elbo", "rate", "distortion", "nll_bits"}
EMBEDDED = {"digits", "curved_surface"}


def data_of(name: str) -> Dataset:
    """The recipe's own data where it is embedded, else a few grey rows of its shape."""
    config = RECIPES[name].config
    if config.source in EMBEDDED:
        return DATASETS[config.source](Request())
    shape = (3, 64, 64) if config.source == "image_folder" else (1, 28, 28)
    rows = torch.full((4, *shape), 0.5)
    return Dataset(name="grey", kind="image", train=rows, test=rows)


def built(name: str) -> VAE:
    return build_vae(RECIPES[name].config, data_of(name))


def widths(network: nn.Module) -> list[int]:
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [linear[0].in_features, *(layer.out_features for layer in linear)]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_and_takes_its_rows(name: str) -> None:
    vae, rows = built(name), data_of(name).test[:2]
    mean, _ = vae.encode(rows)
    assert mean.shape == (2, RECIPES[name].config.latent_dim)
    assert vae.decode(mean).shape == rows.shape


@pytest.mark.parametrize("name", RECIPES)
def test_every_target_is_a_figure_that_a_run_measures(name: str) -> None:
    assert {target.figure for target in RECIPES[name].targets} <= FIGURES


@pytest.mark.parametrize(
    ("name", "encoder", "decoder"),
    [
        ("mnist_classic", [784, 400, 2 * 20], [20, 400, 784]),
        ("mnist_deep", [784, 256, 128, 64, 2 * 64], [64, 64, 128, 256, 784]),
        ("vectors", [100, 32, 16, 2 * 2], [2, 16, 32, 2 * 100]),
    ],
)
def test_the_classical_networks_have_the_classical_widths(
    name: str, encoder: list[int], decoder: list[int]
) -> None:
    vae = built(name)
    assert (widths(vae.encoder), widths(vae.decoder)) == (encoder, decoder)


def test_the_classic_is_trained_by_cross_entropy_and_adam_at_a_thousandth() -> None:
    config = RECIPES["mnist_classic"].config
    assert (config.likelihood, config.learning_rate) == ("bernoulli_grey", 1e-3)
    assert (config.schedule, config.weight_decay, config.beta) == ("constant", 0.0, 1.0)


def test_the_bundled_model_is_small_enough_for_git() -> None:
    size = sum(4 * weights.numel() for weights in built("mnist").parameters())
    assert size < 4_000_000
