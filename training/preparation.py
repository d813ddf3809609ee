"""What must stand before the first step: device, threads, data and a fresh model."""

from pathlib import Path
from typing import NamedTuple

import torch

from training.config import RunConfig
from training.datasets import DATASETS, Dataset, Request
from training.datasets.gathering import Room
from training.datasets.rows import Rows, mean, mean_and_deviation, on_device, pieces
from training.errors import ConfigError, DataError
from training.evaluate import observed_once
from training.families import FAMILIES, Architecture
from training.likelihoods import LIKELIHOODS
from training.priors import PRIORS, Setting
from training.publication import refuse_too_large
from training.standardization import AsTheyAre, Standardized
from training.vae import VAE

# A column's spread beside its mean below which it is the rounding of sums: it holds one value.
LEAST_PART = 1e-13
# By less nothing can be divided in float32.
LEAST_DEVIATION = 1e-35
NAMED = 5  # so many columns are named in an error


class Prepared(NamedTuple):
    """The parts of a run; tensors and model on its device."""

    dataset: Dataset
    vae: VAE
    train: Rows
    test: Rows
    """The test rows as the likelihood is evaluated on: binarized once for a Bernoulli."""


def prepare(config: RunConfig, folder: Path | None = None) -> Prepared:
    """Settle threads and device, load the data, build the model; ConfigError or DataError.

    `folder` is where rows go that memory has no room for; without it, where temporary files go.
    """
    device = find_device(config.device)
    torch.set_num_threads(config.threads)
    dataset = load_data(config, folder)
    if config.publish:
        refuse_too_large(dataset)
    _refuse_one_row_repeated(dataset)
    vae = build_vae(config, dataset).to(device)
    test = observed_once(vae.likelihood, dataset.test, config.seed, _room(config, folder))
    return Prepared(dataset, vae, on_device(dataset.train, device), on_device(test, device))


def find_device(name: str) -> torch.device:
    """The device of that name, `auto` being CUDA where there is one; ConfigError if not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={name}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
            f"device(s) here: choose device=cpu or device=auto"
        )
    return device


def load_data(config: RunConfig, folder: Path | None = None) -> Dataset:
    """The rows of the configured source; `folder` as for `prepare`."""
    request = Request(
        path=config.data,
        size=config.size,
        channels=config.channels,
        ground=config.ground,
        held_out=config.held_out,
        seed=config.seed,
        columns=config.columns,
        unreadable=config.unreadable,
        room=_room(config, folder),
    )
    return DATASETS[config.source](request)


def _room(config: RunConfig, folder: Path | None) -> Room:
    return Room(int(config.memory * (1 << 30)), folder)


def _refuse_one_row_repeated(dataset: Dataset) -> None:
    first = dataset.train[:1]
    if all(bool((piece == first).all()) for piece in pieces(dataset.train, 1024)):
        raise DataError(
            f"{dataset.name}: all {len(dataset.train)} training rows are the same, so there is "
            "nothing to learn: look at what was read, and give rows that differ"
        )


def build_vae(config: RunConfig, dataset: Dataset) -> VAE:
    """A model with fresh weights, which depend on the seed and on the training rows' statistics."""
    likelihood = LIKELIHOODS[config.likelihood](dataset.kind, config.sigma)
    if dataset.kind == "image":
        units, average = AsTheyAre(), mean(dataset.train)
    else:
        units, average = _standardized(dataset), torch.zeros(dataset.shape)
    wanted = Architecture(
        latent_dim=config.latent_dim,
        encoder=config.encoder,
        decoder=config.decoder,
        activation=config.activation,
        start=likelihood.start(average),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        networks = FAMILIES[config.family](wanted)
        setting = Setting(
            config.latent_dim,
            config.components,
            networks.encoder,
            len(dataset.train),
            lambda which: units.standardize(dataset.train[which]),
        )
        prior = PRIORS[config.prior](setting)
    return VAE(networks.encoder, networks.decoder, likelihood, prior, units)


def _standardized(dataset: Dataset) -> Standardized:
    average, deviation = mean_and_deviation(dataset.train)
    flat = deviation <= LEAST_PART * average.abs()
    small = ~flat & (deviation < LEAST_DEVIATION)
    for those, fault in (
        (flat, "hold one value throughout, which has no density: leave out"),
        (small, "spread by less than float32 can divide by: give these other units:"),
    ):
        columns = those.nonzero()[:, 0].tolist()
        if columns:
            names = [dataset.columns[place] if dataset.columns else str(place) for place in columns]
            named = ", ".join(names[:NAMED]) + ", …" * (len(names) > NAMED)
            raise DataError(
                f"{dataset.name}: {len(columns)} of {len(deviation)} columns {fault} {named}"
            )
    return Standardized(average, deviation)
