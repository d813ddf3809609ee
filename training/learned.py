"""What is published of the training rows beside the model that they gave."""

from functools import partial
from typing import NamedTuple

from model_store import Directions, Scores
from training.datasets import Dataset
from training.datasets.rows import Rows
from training.directions import class_directions
from training.errors import DataError
from training.labels import labels_of
from training.progress import bar
from training.scores import scores_of
from training.vae import VAE


class Learned(NamedTuple):
    """Directions of the rows' classes, and how the rows score."""

    directions: Directions
    scores: Scores | None
    notes: tuple[str, ...] = ()
    """Why there are none, where there might have been."""


NOTHING = Learned({}, None)


def learned_from(vae: VAE, dataset: Dataset, rows: Rows, seed: int) -> Learned:
    """Of the training rows on the model's device; what cannot be had is noted and stops nothing."""
    scores = scores_of(vae, vae.likelihood, rows, seed, partial(bar, what="scoring training rows"))
    notes = () if scores else ("no scores: the -ELBO of a training row is not finite",)
    labels = labels_of(dataset)
    if labels is None:
        return Learned({}, scores, notes)
    averaging = partial(bar, what="averaging classes")
    try:
        return Learned(class_directions(vae.encode, rows, labels, averaging), scores, notes)
    except DataError as error:
        return Learned({}, scores, (*notes, f"no directions: {error}"))
