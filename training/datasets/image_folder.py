"""A folder of image files of any mode and size, brought to one size and number of channels.

With subfolders `train` and `test`, or of names that mean these, they are the split; otherwise all
files below the folder are taken, and which of them are held out is decided by their content. Where
all files lie in further subfolders these are their classes. Every frame of an animation is a row.
"""

import hashlib
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # its stubs are another package

from training.datasets.dataset import Dataset, Parts, Request, rows_of, shown, wanted_path
from training.datasets.gathering import gather
from training.datasets.image_file import SUFFIXES, Look, look, pixels
from training.datasets.image_paths import ImagePath, find_images
from training.datasets.rows import Array, Rows, take
from training.errors import DataError

WANTED = f"a folder of images ({', '.join(sorted(suffix[1:] for suffix in SUFFIXES))})"
# Images that all have one size keep it up to here; others become squares no larger than MOST_SIDE.
MOST_KEPT = 256
MOST_SIDE = 64
STEP = 4  # a side that can be halved twice
NAMED = 5  # so many unreadable files, and classes, are named


def load(request: Request) -> Dataset:
    """Images [C, H, W]: turned upright, cropped to the wanted aspect, scaled, on a ground."""
    path = wanted_path(request, "image_folder", WANTED)
    if not path.is_dir():
        raise DataError(f"data={shown(path)} is a file; wanted {WANTED}")
    found = find_images(path, SUFFIXES, WANTED)
    parts = [found.train] if found.test is None else [found.train, found.test]
    form, notes = _form(request, [image.file for part in parts for image in part])
    read = [_Read(part, form, request) for part in parts]
    rows = [rows_of(part.images, "image", shown(path), request.room) for part in read]
    notes += [*found.notes, *(part.failures for part in read if part.failed)]
    divided = (
        _split(rows[0], read[0].draws, request.held_out, path)
        if found.test is None
        else Parts(rows[0], rows[1])
    )
    classes, labels = _labels(read[0].classes)
    if classes:
        named = ", ".join(classes[:NAMED]) + ", …" * (len(classes) > NAMED)
        notes.append(f"{len(classes)} classes, by their folders: {named}")
    return Dataset(
        name=shown(path.resolve().name),
        kind="image",
        train=divided.train,
        test=divided.test,
        train_labels=labels if labels is None or divided.kept is None else labels[divided.kept],
        classes=classes,
        notes=tuple(notes),
        kept=divided.kept,
        ground=request.ground,
    )


def _bar(files: Sequence[ImagePath | Path], what: str) -> Iterable[Any]:
    bar: Iterable[Any] = tqdm(files, desc=what, unit="file", leave=False, disable=None)
    return bar


class Form(NamedTuple):
    """What all images are brought to."""

    size: tuple[int, int]
    """Height and width."""
    channels: int


def _form(request: Request, files: list[Path]) -> tuple[Form, list[str]]:
    """What was asked for, or what suits the files, and lines that say so."""
    size, channels = request.size, request.channels
    if size is not None and channels is not None:
        return Form(size, channels), []
    looks = [seen for file in _bar(files, "looking at images") if (seen := _look(file))]
    notes = []
    if size is None:
        size, reason = _size(looks)
        notes.append(f"size={size[0]},{size[1]}: {reason}")
    if channels is None:
        coloured = sum(seen.colour for seen in looks)
        channels = 3 if coloured else 1
        notes.append(f"channels={channels}: {coloured} of {len(looks)} images have colours")
    return Form(size, channels), notes


def _look(file: Path) -> Look | None:
    try:
        return look(file)
    except DataError:
        return None  # told where its pixels are read


def _size(looks: list[Look]) -> tuple[tuple[int, int], str]:
    """Height and width for all images, and the reason."""
    sizes = {(seen.height, seen.width) for seen in looks}
    if len(sizes) == 1 and max(next(iter(sizes))) <= MOST_KEPT:
        return sizes.pop(), "that of all images"
    shorter = [min(seen.height, seen.width) for seen in looks]
    side = int(statistics.median(shorter or [MOST_SIDE])) // STEP * STEP
    side = max(STEP, min(MOST_SIDE, side))
    return (side, side), f"images have {len(sizes)} sizes; another with size=HEIGHT,WIDTH"


class _Read:
    """The images of some files, and what is to be said about the files."""

    def __init__(self, files: list[ImagePath], form: Form, request: Request) -> None:
        self.files, self.form, self.ground = files, form, request.ground
        self.classes: list[str] = []
        """Of each row the class of its file."""
        self.draws: list[float] = []
        """Of each row a number in [0, 1) that depends on its file's content alone."""
        self.failed: list[str] = []
        self.allowed = math.ceil(request.unreadable * len(files))
        shape = (form.channels, *form.size)
        self.images: Array = gather(self._each(), shape, np.uint8, request.room)  # [N, C, H, W]
        if not self.draws:
            raise DataError(f"{self.failures}; that leaves none: repair them")

    @property
    def failures(self) -> str:
        """What could not be read, the first few by name."""
        named = "; ".join(self.failed[:NAMED]) + "; …" * (len(self.failed) > NAMED)
        return f"{len(self.failed)} of {len(self.files)} files are left out: {named}"

    def _each(self) -> Iterator[Array]:
        for image in _bar(self.files, "reading images"):
            try:
                content = image.file.read_bytes()
                frames = pixels(content, self.form.size, self.form.channels, self.ground)
            except (DataError, OSError) as error:
                self._count(f"{shown(image.file)} ({error})")
                continue
            first = hashlib.sha256(content).digest()[:8]
            # All frames of a file are on one side of the split, and of one class.
            self.draws += [int.from_bytes(first, "big") / (1 << 64)] * len(frames)
            self.classes += [image.class_name] * len(frames)
            yield frames

    def _count(self, failure: str) -> None:
        self.failed.append(failure)
        if len(self.failed) > self.allowed:
            raise DataError(
                f"{self.failures}; more than {self.allowed}: repair or remove them, or give "
                "unreadable=FRACTION, the part that may be left out"
            )


def _labels(folders: list[str]) -> tuple[tuple[str, ...], Tensor | None]:
    """The classes and the number of each image's, [N]; none where a file lies in no subfolder."""
    names = sorted(set(folders))
    if "" in names or len(names) == 1:
        return (), None
    place = {name: number for number, name in enumerate(names)}
    return tuple(map(shown, names)), torch.tensor([place[folder] for folder in folders])


def _split(rows: Rows, draws: list[float], held_out: float, path: Path) -> Parts:
    """Training and test rows in the order of the draws, the files below `held_out` for testing.

    So a file stays on its side when others come or it is renamed, and copies are on one side.
    """
    if len(rows) < 2:
        raise DataError(f"{shown(path)}: {len(rows)} image cannot be split: give at least 2")
    order = torch.tensor(sorted(range(len(draws)), key=draws.__getitem__))
    count = min(max(1, sum(draw < held_out for draw in draws)), len(rows) - 1)
    return Parts(take(rows, order[count:]), take(rows, order[:count]), order[count:])
