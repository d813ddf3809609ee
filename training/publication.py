"""From a trained model to a published one: export, compare, describe, hand to the store."""

import math
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import model_store
from model_store import DataSpec, Draft, Figure, ModelId, Probe, TrainingFacts
from training import export
from training.config import PLACES, RunConfig
from training.datasets import Dataset
from training.errors import DataError, ExportError
from training.learned import Learned
from training.streams import stream
from training.vae import VAE

PROBE_ROWS = 4
COMPARED_ROWS = 64
# The rows of a probe come twice, in base64, and a manifest has at most 64 MiB.
MOST_NUMBERS = 1 << 20


class Trained(NamedTuple):
    """Everything that goes into a published model."""

    recipe: str
    config: RunConfig
    dataset: Dataset
    vae: VAE
    figures: tuple[Figure, ...]
    revision: str | None
    """The commit of the code that trained; None outside git."""
    learned: Learned


def refuse_too_large(dataset: Dataset) -> None:
    """DataError where the probe of a model of such rows would not fit into a manifest."""
    numbers = math.prod(dataset.shape)
    if numbers > MOST_NUMBERS:
        raise DataError(
            f"a row of shape {list(dataset.shape)} has {numbers} numbers, and models of at most "
            f"{MOST_NUMBERS} can be published: give a smaller size, or publish=false"
        )


def publish(trained: Trained, store: Path) -> ModelId:
    """Export, compare with the eager model on real rows, publish; ExportError or StoreError."""
    vae = export.for_export(trained.vae)
    scripted = export.script(vae)
    rows = trained.dataset.test[:COMPARED_ROWS]
    export.check_agreement(vae, scripted, rows, trained.config.seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.ts"
        try:
            export.write(scripted, file)
        except OSError as error:
            raise ExportError(
                f"the model cannot be written to {folder} ({error.strerror}): make room there, or "
                "name another folder by TMPDIR, then go on with resume=true"
            ) from error
        return model_store.publish(_draft(trained, vae, rows[:PROBE_ROWS]), file, store)


def _draft(trained: Trained, vae: VAE, rows: Tensor) -> Draft:
    config, dataset = trained.config, trained.dataset
    return Draft(
        name=config.name,
        family=config.family,
        likelihood=config.likelihood,
        support=vae.likelihood.support,
        data=DataSpec(
            kind=dataset.kind,
            shape=dataset.shape,
            value_range=(0.0, 1.0) if dataset.kind == "image" else None,
            columns=dataset.columns or None,
            ground=dataset.ground,
        ),
        latent_shape=(config.latent_dim,),
        capabilities=export.capabilities(vae, dataset.shape),
        training=TrainingFacts(
            dataset=dataset.name,
            dataset_sha256=dataset.digest(),
            recipe=trained.recipe,
            seed=config.seed,
            epochs=config.epochs,
            git_revision=trained.revision,
            # Places are of the machine that trained, and say nothing about the model.
            config=config.model_dump(mode="json", exclude=set(PLACES)),
        ),
        figures=trained.figures,
        scores=trained.learned.scores,
        directions=trained.learned.directions,
        probe=_probe(vae, rows, config),
    )


@torch.no_grad()
def _probe(vae: VAE, rows: Tensor, config: RunConfig) -> Probe:
    """A few test rows and draws of the prior, with the eager model's answers."""
    z = torch.randn(len(rows), config.latent_dim, generator=stream(config.seed, "probe", 1))
    mean, log_var = vae.encode(rows)
    return Probe.of(x=rows, z=z, mean=mean, log_var=log_var, decoded=vae.decode(z))


def git_revision() -> str | None:
    """The checked-out commit, marked where files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip() or None
