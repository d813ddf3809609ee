"""The classes of labelled rows, as the data set has them or as a file names them.

Knows names and numbers; no model.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.datasets import Dataset
from training.datasets.csv_dialect import dialect_of
from training.errors import DataError

WANTED = "a .npy file of whole numbers or text [N], or a .csv file and the name of its --column"


class Labels(NamedTuple):
    """The class of each row, and the names of all classes."""

    numbers: Tensor  # [N] int64, each the place of a name
    names: tuple[str, ...]

    @classmethod
    def of(cls, given: Sequence[str]) -> "Labels":
        """From the class of each row; whole numbers are in their order, else by alphabet."""
        every = set(given)
        whole = all(name.removeprefix("-").isdecimal() for name in every)
        names = sorted(every, key=int) if whole else sorted(every)
        place = {name: number for number, name in enumerate(names)}
        return cls(torch.tensor([place[name] for name in given]), tuple(names))


def labels_of(dataset: Dataset) -> Labels | None:
    """Those of the training rows, where the data set has them."""
    if dataset.train_labels is None:
        return None
    numbers = dataset.train_labels.tolist()
    return Labels.of(
        [dataset.classes[label] if dataset.classes else str(label) for label in numbers]
    )


def labels_from(file: Path, column: str | None, dataset: Dataset) -> Labels:
    """Those of the training rows, out of a file.

    It has a label for each row of the data in its order, those that are held out among them; where
    the test rows are a set of their own, for each training row. DataError where it does not.
    """
    labels = Labels.of(_read(file.expanduser(), column))
    apart = dataset.kept is None
    rows = len(dataset.train) + (0 if apart else len(dataset.test))
    if len(labels.numbers) != rows:
        what = "training rows" if apart else "rows, held-out ones among them"
        raise DataError(
            f"{file} has {len(labels.numbers)} labels, and {dataset.name} has {rows} {what}: give "
            "one label a row, in the order of the rows"
        )
    if dataset.kept is None:
        return labels
    numbers = labels.numbers[dataset.kept]
    absent = set(range(len(labels.names))) - set(numbers.tolist())
    if absent:
        raise DataError(
            f"{file}: class {labels.names[min(absent)]!r} has no training row, as all its rows are "
            "held out for testing: give more rows of it, or label them as another class"
        )
    return Labels(numbers, labels.names)


def _read(file: Path, column: str | None) -> list[str]:
    try:
        if file.suffix.lower() == ".npy":
            return _array(file)
        if file.suffix.lower() == ".csv":
            return _column(file, column)
    except (OSError, ValueError, EOFError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as {WANTED}: {error}") from error
    raise DataError(f"{file} is not {WANTED}")


def _array(file: Path) -> list[str]:
    array = np.lib.format.open_memmap(file, mode="r")
    if array.dtype.kind not in "buiU" or array.shape[:1] != (array.size,):
        raise ValueError(f"it holds {array.dtype} of shape {list(array.shape)}")
    flat = array.reshape(-1)
    return [str(label) for label in (flat if flat.dtype.kind == "U" else flat.astype(int))]


def _column(file: Path, column: str | None) -> list[str]:
    dialect = dialect_of(file)
    encoding = {"utf8": "utf-8-sig"}.get(dialect.encoding, dialect.encoding)
    with file.open(encoding=encoding, newline="") as text:
        for _ in range(dialect.skipped_lines):
            next(text)
        rows = csv.DictReader(text, delimiter=dialect.delimiter, strict=True)
        names = list(rows.fieldnames or [])
        if column is None and len(names) == 1:
            column = names[0]
        if column not in names:
            asked = "none is named with --column" if column is None else f"not {column!r}"
            raise ValueError(f"its columns are {', '.join(names)}, {asked}")
        labels = [(row[column] or "").strip() for row in rows]
    if "" in labels:
        raise ValueError(f"row {labels.index('')} (the first is 0) of {column!r} has no label")
    return labels
