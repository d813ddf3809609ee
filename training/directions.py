"""Directions of a latent space by labelled rows: centroids of classes, and their differences.

Larsen et al., "Autoencoding beyond pixels using a learned similarity metric" (ICML 2016), section
3.2, and White, "Sampling Generative Networks" (2016), section 4. Knows a model by its encoder.
"""

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from model_store import MAX_DIRECTIONS, TensorRecord, legal_direction
from training.datasets.rows import Rows, Watch, pieces
from training.errors import DataError
from training.evaluate import CHUNK
from training.labels import Labels

# Of so many classes each pair has its difference: 45 of ten.
MOST_COMPARED = 10

Encoder = Callable[[Tensor], tuple[Tensor, Tensor]]


def class_directions(
    encode: Encoder,
    rows: Rows,
    labels: Labels,
    progress: Watch = iter,
) -> dict[str, TensorRecord]:
    """The centroid of each class by its name, and of few classes `a - b` of each pair.

    `rows` [N, *data_shape] are the data's own on the encoder's device, `labels` theirs. DataError
    where the classes are too many or cannot be named, or a centroid is no point.
    """
    pairs = list(combinations(labels.names, 2)) if len(labels.names) <= MOST_COMPARED else []
    _refuse_names([*labels.names, *(_difference(*pair) for pair in pairs)])
    points = centroids(encode, rows, labels, progress)
    if not bool(points.float().isfinite().all()):
        raise DataError("the encoder gives a training row a latent that is not finite")
    found = dict(zip(labels.names, points, strict=True))
    found |= {_difference(one, other): found[one] - found[other] for one, other in pairs}
    return {name: TensorRecord.of(direction) for name, direction in found.items()}


def _difference(one: str, other: str) -> str:
    return f"{one} - {other}"


def _refuse_names(names: list[str]) -> None:
    if len(names) > MAX_DIRECTIONS:
        raise DataError(
            f"{len(names)} classes are more than the {MAX_DIRECTIONS} directions that a model may "
            "have: give labels of fewer classes"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{twice!r} is a class and the difference of two: name the class otherwise")
    for name in names:
        try:
            legal_direction(name)
        except ValueError as error:
            raise DataError(f"{error}; that is the name of a class, or of two") from error


@torch.no_grad()
def centroids(
    encode: Encoder,
    rows: Rows,
    labels: Labels,
    progress: Watch = iter,
) -> Tensor:
    """The mean over each class's rows of E[z | x]: → [classes, *latent_shape], float64."""
    sums = torch.zeros(0)
    chunks = zip(progress(pieces(rows, CHUNK)), torch.split(labels.numbers, CHUNK), strict=True)
    for chunk, classes in chunks:
        mean = encode(chunk)[0].double().cpu()
        if not len(sums):
            sums = torch.zeros(len(labels.names), *mean.shape[1:], dtype=torch.float64)
        sums.index_add_(0, classes, mean)
    counts = labels.numbers.bincount(minlength=len(labels.names))
    return sums / counts.view(-1, *(1 for _ in sums.shape[1:]))
