"""Measure a published model again, from the store alone: no architecture is built here."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import model_store
from model_store import Checkpoint, Figure, ModelId
from training.config import RunConfig
from training.datasets.image_file import MODES
from training.datasets.rows import on_device, take
from training.errors import ConfigError, DataError
from training.evaluate import estimate, observed_once, reconstruction_error
from training.figures import figures_of
from training.likelihoods import LIKELIHOODS
from training.posteriors import Posteriors
from training.preparation import find_device, load_data


class Measurement(NamedTuple):
    """What a published model reaches now."""

    model: ModelId
    figures: tuple[Figure, ...]
    posteriors: Posteriors
    same_data: bool
    """Whether the rows are those that the model was trained and tested on, by their digest."""
    notes: tuple[str, ...]
    """What was decided or left out in reading them."""


class How(NamedTuple):
    """What to measure with."""

    samples: int = 5000
    rows: int | None = None
    """Only the first so many test rows; None for all."""
    data: Path | None = None
    source: str | None = None
    """The source named in the manifest where None."""
    device: str = "auto"
    threads: int = 1


def measure(
    reference: str, store: Path, how: How, progress: Callable[[Sequence[Tensor]], Iterable[Tensor]]
) -> Measurement:
    """Load a model as the service does and estimate its figures on test rows."""
    device = find_device(how.device)
    torch.set_num_threads(how.threads)
    model = model_store.find(store, reference)
    checkpoint = model_store.load(store, model, device)
    config = _config(checkpoint, how)
    dataset = load_data(config)
    wanted = checkpoint.manifest.data
    if dataset.shape != wanted.shape or dataset.kind != wanted.kind:
        raise DataError(
            f"{model} takes {wanted.kind} of shape {list(wanted.shape)}, and {dataset.name} holds "
            f"{dataset.kind} of shape {list(dataset.shape)}: give other data with --data"
        )
    likelihood = LIKELIHOODS[config.likelihood](dataset.kind, config.sigma)
    chosen = torch.arange(len(dataset.test))[: how.rows]
    test = on_device(take(observed_once(likelihood, dataset.test, config.seed), chosen), device)
    scored = _Scored(checkpoint)
    found = estimate(scored, test, how.samples, config.seed, progress)
    error = reconstruction_error(scored, take(dataset.test, chosen), device)
    figures = figures_of(found, error, likelihood, math.prod(dataset.shape))
    same = dataset.digest() == checkpoint.manifest.training.dataset_sha256
    return Measurement(model, figures, found.posteriors, same, dataset.notes)


def _config(checkpoint: Checkpoint, how: How) -> RunConfig:
    """The configuration it was trained with, reading the data that the caller names."""
    manifest = checkpoint.manifest
    known = {
        key: value
        for key, value in manifest.training.config.items()
        if key in RunConfig.model_fields
    }
    source = how.source or known.get("source", "digits")
    now: dict[str, object] = {"data": how.data, "source": source}
    # Where the form of the data is a choice, it is that which the model takes.
    if manifest.data.kind == "image":
        channels, *size = manifest.data.shape
        now |= {"size": size, "channels": channels if channels in MODES else None}
    try:
        return RunConfig.model_validate(known | now | {"columns": manifest.data.columns or ()})
    except ValueError as error:
        raise ConfigError(f"{manifest.model} was trained by another release: {error}") from error


class _Scored:
    """A checkpoint as evaluation wants a model: one whose log-likelihood is there."""

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
