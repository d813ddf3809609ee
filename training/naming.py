"""Name directions of a published model, in its next version: the same module once more."""

from pathlib import Path
from typing import NamedTuple

from model_store import MAX_DIRECTIONS, Scores, publish_again
from training.datasets.rows import Rows, Watch, on_device
from training.directions import class_directions
from training.errors import DataError
from training.labels import Labels, labels_from, labels_of
from training.published import Opened, Scored
from training.scores import scores_of


class Labelled(NamedTuple):
    """Where the labels are: in a file, or without one in the data set."""

    file: Path | None = None
    column: str | None = None


def name_directions(opened: Opened, store: Path, labelled: Labelled, progress: Watch) -> list[str]:
    """Publish the model's next version with directions of the training rows' classes.

    Gives a line for each thing that was done.

    Directions of other names that it has already stay, and so do its scores; where it has none
    they are computed. TrainingError or StoreError.
    """
    labels = _labels(opened, labelled)
    before = opened.checkpoint.manifest
    rows = on_device(opened.dataset.train, opened.checkpoint.device)
    found = class_directions(opened.checkpoint.encode, rows, labels, progress)
    directions = {**before.directions, **found}
    if len(directions) > MAX_DIRECTIONS:
        raise DataError(
            f"{len(found)} directions beside those that {opened.model} has are {len(directions)}, "
            f"and a model may have {MAX_DIRECTIONS}: give labels of fewer classes, or name a "
            "version with fewer directions"
        )
    scores, why = _scores(opened, rows, progress)
    model = publish_again(store, opened.model, directions, scores)
    kept = len(directions) - len(found)
    return [
        f"{len(labels.names)} classes of {len(rows)} training rows: {', '.join(labels.names)}",
        f"{len(found)} directions, and {kept} of other names that stay",
        f"scores: {why}",
        f"published: {model} in {store}, the module of {opened.model} as it is",
    ]


def _labels(opened: Opened, labelled: Labelled) -> Labels:
    if labelled.file is not None:
        return labels_from(labelled.file, labelled.column, opened.dataset)
    labels = labels_of(opened.dataset)
    if labels is None:
        raise DataError(
            f"{opened.dataset.name} has no labels of its training rows: give them with "
            "--labels FILE.npy, or --labels FILE.csv --column NAME"
        )
    return labels


def _scores(opened: Opened, rows: Rows, progress: Watch) -> tuple[Scores | None, str]:
    """The model's scores, and how it came to them or why it has none."""
    manifest = opened.checkpoint.manifest
    if manifest.scores is not None:
        return manifest.scores, f"those of {manifest.model}"
    if "log_likelihood" not in manifest.capabilities or len(manifest.latent_shape) > 1:
        return None, "none, as they want an exported log_likelihood and latents that are vectors"
    if not opened.same_data():
        return None, "none, as these are not the rows that the model was trained on"
    seed = opened.config.seed
    scores = scores_of(Scored(opened.checkpoint), opened.likelihood, rows, seed, progress)
    if scores is None:
        return None, "none, as the -ELBO of a training row is not finite"
    return scores, f"of {scores.rows} training rows"
