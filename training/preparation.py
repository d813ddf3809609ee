"""What must stand before the first step: device, threads, data and a fresh model."""

from typing import NamedTuple

import torch
from torch import Tensor

from training.config import RunConfig
from training.datasets import DATASETS, Dataset, Request
from training.errors import ConfigError
from training.evaluate import observed_once
from training.families import FAMILIES, Architecture
from training.likelihoods import LIKELIHOODS
from training.priors import PRIORS, Setting
from training.vae import VAE


class Prepared(NamedTuple):
    """The parts of a run; tensors and model on its device."""

    dataset: Dataset
    vae: VAE
    train: Tensor
    test: Tensor
    """The test rows as the likelihood is evaluated on: binarized once for a Bernoulli."""


def prepare(config: RunConfig) -> Prepared:
    """Settle threads and device, load the data, build the model; ConfigError or DataError."""
    device = find_device(config.device)
    torch.set_num_threads(config.threads)
    dataset = load_data(config)
    vae = build_vae(config, dataset).to(device)
    test = observed_once(vae.likelihood, dataset.test, config.seed).to(device)
    return Prepared(dataset, vae, dataset.train.to(device), test)


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


def load_data(config: RunConfig) -> Dataset:
    """The rows of the configured source."""
    request = Request(config.data, config.size, config.channels, config.held_out, config.seed)
    return DATASETS[config.source](request)


def build_vae(config: RunConfig, dataset: Dataset) -> VAE:
    """A model with fresh weights, which depend on the seed and on the average training row."""
    likelihood = LIKELIHOODS[config.likelihood](dataset.kind, config.sigma)
    wanted = Architecture(
        latent_dim=config.latent_dim,
        encoder=config.encoder,
        decoder=config.decoder,
        activation=config.activation,
        start=likelihood.start(dataset.train.mean(0)),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        networks = FAMILIES[config.family](wanted)
        setting = Setting(config.latent_dim, config.components, networks.encoder, dataset.train)
        prior = PRIORS[config.prior](setting)
    return VAE(networks.encoder, networks.decoder, likelihood, prior)
