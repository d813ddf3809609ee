"""Open a published model with data that it takes, from the store alone, and measure it again.

No architecture is built here.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch

import model_store
from model_store import Checkpoint, Figure, ModelId
from training.config import RunConfig
from training.datasets import Dataset
from training.datasets.image_file import CHANNELS
from training.datasets.rows import Watch, on_device, take
from training.errors import ConfigError, DataError
from training.evaluate import estimate, observed_once, reconstruction_error
from training.figures import figures_of
from training.likelihoods import LIKELIHOODS, Likelihood
from training.posteriors import Posteriors
from training.preparation import find_device, load_data


class Given(NamedTuple):
    """What data to read, and where to compute."""

    data: Path | None = None
    source: str | None = None
    """The source named in the manifest where None."""
    device: str = "auto"
    threads: int = 1


class Opened(NamedTuple):
    """A published model, loaded as the service does, and data of the shape that it takes."""

    checkpoint: Checkpoint
    config: RunConfig
    """That it was trained with."""
    dataset: Dataset

    @property
    def model(self) -> ModelId:
        """Its name and version."""
        return self.checkpoint.manifest.model

    @property
    def likelihood(self) -> Likelihood:
        """That of its rows; its weights, where it has any, are in the checkpoint."""
        return LIKELIHOODS[self.config.likelihood](self.dataset.kind, self.config.sigma)

    def same_data(self) -> bool:
        """Whether the rows are those that it was trained and tested on, by their digest."""
        return self.dataset.digest() == self.checkpoint.manifest.training.dataset_sha256


def open_published(reference: str, store: Path, given: Given) -> Opened:
    """Load a model and data for it; TrainingError or StoreError."""
    device = find_device(given.device)
    torch.set_num_threads(given.threads)
    model = model_store.find(store, reference)
    checkpoint = model_store.load(store, model, device)
    config = _config(checkpoint, given)
    dataset = load_data(config)
    wanted = checkpoint.manifest.data
    if dataset.shape != wanted.shape or dataset.kind != wanted.kind:
        raise DataError(
            f"{model} takes {wanted.kind} of shape {list(wanted.shape)}, and {dataset.name} holds "
            f"{dataset.kind} of shape {list(dataset.shape)}: give other data with --data"
        )
    return Opened(checkpoint, config, dataset)


class Measurement(NamedTuple):
    """What a published model reaches now."""

    figures: tuple[Figure, ...]
    posteriors: Posteriors


def measure(
    opened: Opened,
    samples: int,
    rows: int | None,
    progress: Watch,
) -> Measurement:
    """Estimate its figures on the test rows, or on the first so many of them."""
    config, dataset, likelihood = opened.config, opened.dataset, opened.likelihood
    device = opened.checkpoint.device
    chosen = torch.arange(len(dataset.test))[:rows]
    test = on_device(take(observed_once(likelihood, dataset.test, config.seed), chosen), device)
    scored = Scored(opened.checkpoint)
    found = estimate(scored, test, samples, config.seed, progress)
    error = reconstruction_error(scored, take(dataset.test, chosen), device)
    figures = figures_of(found, error, likelihood, math.prod(dataset.shape))
    return Measurement(figures, found.posteriors)


def _config(checkpoint: Checkpoint, given: Given) -> RunConfig:
    """The configuration it was trained with, reading the data that the caller names."""
    manifest = checkpoint.manifest
    known = {
        key: value
        for key, value in manifest.training.config.items()
        if key in RunConfig.model_fields
    }
    source = given.source or known.get("source", "digits")
    now: dict[str, object] = {"data": given.data, "source": source}
    # Where the form of the data is a choice, it is that which the model takes.
    if manifest.data.kind == "image":
        channels, *size = manifest.data.shape
        now |= {"size": size, "channels": channels if channels in CHANNELS else None}
        if manifest.data.ground is not None:
            now["ground"] = manifest.data.ground
    try:
        return RunConfig.model_validate(known | now | {"columns": manifest.data.columns or ()})
    except ValueError as error:
        raise ConfigError(f"{manifest.model} was trained by another release: {error}") from error


class Scored:
    """A checkpoint as evaluation wants a model: one whose log-likelihood is there; ConfigError."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        if checkpoint.log_likelihood is None:
            raise ConfigError(
                f"{checkpoint.manifest.model} does not export log_likelihood, so it cannot be "
                "measured from the store: export it at training"
            )
        self.encode = checkpoint.encode
        self.decode = checkpoint.decode
        self.prior_log_density = checkpoint.prior_log_density
        self.log_likelihood = checkpoint.log_likelihood
