"""What every source gives: rows to train on and rows to test on, scaled once and range checked."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from image_files import Ground
from training.datasets.gathering import Room
from training.datasets.rounding import Rounding
from training.datasets.rows import PIECE, Array, Rows, Streamed, pieces, take
from training.errors import DataError
from training.likelihoods import Kind
from training.streams import stream


class Request(NamedTuple):
    """What a source is asked for; each uses what concerns it."""

    path: Path | None = None
    size: tuple[int, int] | None = None
    """Height and width to bring images of a folder to; None: by what is there."""
    channels: int | None = 1
    """1 for grey, 3 for colour; for a folder of images. None: by what is there."""
    held_out: float = 0.1
    """The fraction kept for testing where the source has no test rows of its own."""
    seed: int = 0
    """Decides which rows are held out."""
    columns: tuple[str, ...] = ()
    """Of a table, in this order; none: all."""
    unreadable: float = 0.0
    """The fraction of a folder's images that may be left out because they cannot be read."""
    ground: Ground = "white"
    """What transparent images of a folder are laid on."""
    room: Room = Room()


@dataclass(frozen=True)
class Dataset:
    """Training and test rows, [N, *shape] float32: images [C, H, W] in [0, 1], or vectors [D].

    Where they are more than memory should hold they are read from their file, batch by batch.
    """

    name: str
    kind: Kind
    train: Rows
    test: Rows
    test_labels: Tensor | None = None
    """The classes of the test rows, [N] int64, where they are known: they colour pictures alone."""
    train_labels: Tensor | None = None
    """Those of the training rows: a published model has a direction of each class."""
    classes: tuple[str, ...] = ()
    """What the labels 0, 1, … are called, where they have names."""
    columns: tuple[str, ...] = ()
    """The names of a vector's numbers, where they have names."""
    notes: tuple[str, ...] = ()
    """What was decided or left out in reading, a line each."""
    kept: Tensor | None = None
    """Where some of the source's rows were held out: which of them each training row is, [N]."""
    ground: Ground | None = None
    """What transparent image files were laid on, and are for the model; None: none were read."""

    def __post_init__(self) -> None:
        """DataError where labels and rows are not as many."""
        for part, labels, rows in (
            ("training", self.train_labels, self.train),
            ("test", self.test_labels, self.test),
        ):
            if labels is not None and labels.shape != rows.shape[:1]:
                raise DataError(
                    f"{self.name}: labels of shape {list(labels.shape)} for {len(rows)} {part} "
                    "rows: give one label a row, or none"
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return tuple(self.train.shape[1:])

    def digest(self) -> str:
        """SHA-256 over shapes and values of all rows: the same for the same data in any format."""
        digest = hashlib.sha256()
        for rows in (self.train, self.test):
            digest.update(f"{tuple(rows.shape)}".encode())
            for piece in pieces(rows):
                digest.update(piece.contiguous().numpy().astype("<f4", copy=False).data)
        return digest.hexdigest()


def scale_pixels(pixels: Tensor, source: str) -> Tensor:
    """Pixels as float32 in [0, 1]: bytes are divided by 255, booleans and floats taken as they are.

    DataError for floats outside [0, 1], NaN, and integers wider than a byte.
    """
    if pixels.dtype == torch.uint8:
        return pixels.float().div_(255.0)
    if pixels.dtype == torch.bool:
        return pixels.float()
    if not pixels.dtype.is_floating_point:
        raise DataError(
            f"{source}: pixels are {str(pixels.dtype).removeprefix('torch.')}; the range of such "
            "integers is not known: save bytes (uint8) or floats in [0, 1]"
        )
    pixels = finite(pixels, source)
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0.0 or high > 1.0:
        remedy = "divide by 255, or save them as uint8" if low >= 0.0 else "bring them to [0, 1]"
        raise DataError(f"{source}: pixels reach from {low:g} to {high:g}, not [0, 1]: {remedy}")
    return pixels


def finite(values: Tensor, source: str) -> Tensor:
    """The values as float32, or a DataError that counts what is NaN or infinite."""
    values = values.float()
    bad = ~values.isfinite().flatten(1).all(1)
    if bool(bad.any()):
        raise DataError(
            f"{source}: {int(bad.sum())} of {len(values)} rows hold NaN or infinite values, "
            f"the first is row {int(bad.nonzero()[0])}: remove or repair them"
        )
    return values


def rows_of(array: Array, kind: Kind, source: str, room: Room) -> Rows:
    """An array of numbers [N, *shape] as rows that were seen to be right; else DataError.

    Where there is no room for them in memory they stay where they are.
    """
    check = scale_pixels if kind == "image" else finite
    if room.holds(array.size):
        read = check(_native(array), source)
        _refuse_rounded(array, kind, source)
        return read
    rows, checked = Streamed(array), 0
    if array.dtype.kind != "f":
        check(_native(array[:1]), source)  # the type says all
        _refuse_rounded(array, kind, source)
        return rows
    for piece in pieces(rows):
        check(piece, f"{source}, from row {checked} on")
        checked += len(piece)
    _refuse_rounded(array, kind, source)
    return rows


def _refuse_rounded(array: Array, kind: Kind, source: str) -> None:
    """DataError where float32 cannot tell the numbers of a column of vectors apart."""
    if kind == "image" or np.can_cast(array.dtype, np.float32):
        return
    rounding = Rounding(array.shape[1])
    step = max(1, PIECE // array.shape[1])
    for start in range(0, len(array), step):
        rounding.add(np.asarray(array[start : start + step], np.float64))
    rounding.refuse(source, lambda column: f"column {column} (the first is 0)")


def _native(array: Array) -> Tensor:
    """A copy in this machine's order of bytes."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))


class Parts(NamedTuple):
    """Training and test rows."""

    train: Rows
    test: Rows
    kept: Tensor | None = None
    """Which of all rows each training row is, [N], where they were one set."""


def split(rows: Rows, request: Request, source: str) -> Parts:
    """Training and test rows: a seeded draw of `held_out` of them, at least one, for testing."""
    if len(rows) < 2:
        raise DataError(f"{source}: {len(rows)} row(s) cannot be split: give at least 2")
    held_out = min(max(1, round(len(rows) * request.held_out)), len(rows) - 1)
    order = torch.randperm(len(rows), generator=stream(request.seed, "held out", 0))
    kept = order[held_out:]
    return Parts(take(rows, kept), take(rows, order[:held_out]), kept)


def shown(name: object) -> str:
    """A file's name that can be printed: bytes that are no UTF-8 as \\xNN."""
    return os.fsencode(str(name)).decode("utf-8", "backslashreplace")


def wanted_path(request: Request, source: str, what: str) -> Path:
    """The path the user gave; DataError where none was given or nothing is there."""
    if request.path is None:
        raise DataError(
            f"source={source} reads {what}: say where with data=PATH (evaluate: --data PATH)"
        )
    path = request.path.expanduser()
    if not path.exists():
        raise DataError(f"data={shown(path)}: there is no such file or folder; wanted {what}")
    return path
