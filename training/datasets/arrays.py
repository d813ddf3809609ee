"""Numpy files of images or of vectors: one array, or a training and a test array in one .npz."""

import shutil
import zipfile
import zlib
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from torch import Tensor

from training.datasets.dataset import (
    Dataset,
    Parts,
    Request,
    rows_of,
    shown,
    split,
    wanted_path,
)
from training.datasets.gathering import Room
from training.datasets.rows import Array
from training.errors import DataError
from training.likelihoods import Kind

WANTED = (
    "a .npy or .npz file of images [N, H, W], [N, H, W, C] or [N, C, H, W] (bytes, or floats in "
    "[0, 1]) or of vectors [N, D]"
)
PAIRS = (("train", "test"), ("x_train", "x_test"))
LABELS = (("train_labels", "y_train"), ("test_labels", "y_test"))
MOST_CHANNELS = 4


def load(request: Request) -> Dataset:
    """Images where the array has three or four dimensions, vectors where it has two."""
    path = wanted_path(request, "arrays", WANTED)
    read, (train_labels, test_labels) = _read(path, request.room)
    arrays = {name: _laid_out(array, f"{path} ({name})") for name, array in read.items()}
    if len({array.shape[1:] for array in arrays.values()}) != 1:
        shapes = " and ".join(str(list(array.shape)) for array in arrays.values())
        raise DataError(f"{path}: training and test rows differ in shape: {shapes}")
    kinds: set[Kind] = {"vectors" if array.ndim == 2 else "image" for array in arrays.values()}
    kind = kinds.pop()
    rows = [
        rows_of(array, kind, f"{path} ({name})", request.room) for name, array in arrays.items()
    ]
    parts = Parts(rows[0], rows[1]) if len(rows) == 2 else split(rows[0], request, str(path))
    return Dataset(
        name=shown(path.stem),
        kind=kind,
        train=parts.train,
        test=parts.test,
        test_labels=test_labels,
        train_labels=train_labels,
        kept=parts.kept,
    )


def _read(path: Path, room: Room) -> tuple[dict[str, Array], list[Tensor | None]]:
    """The one array of the file, or its pair of training and test arrays, by name; and the labels
    of both.
    """
    try:
        if not zipfile.is_zipfile(path):
            return {"array": np.lib.format.open_memmap(path, mode="r")}, [None, None]
        with zipfile.ZipFile(path) as archive:
            found = [name.removesuffix(".npy") for name in archive.namelist()]
            names = _names(found, path)
            others = set(found) - set(names)
            labels = [
                _classes([_member(archive, name, room) for name in known if name in others])
                for known in LABELS
            ]
            return {name: _member(archive, name, room) for name in names}, labels
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: cannot be read as {WANTED}, all rows of one size: {error}"
        ) from error


def _member(archive: zipfile.ZipFile, name: str, room: Room) -> Array:
    """One array of an archive; unpacked to a file where it is too large for memory."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as packed:
        if room.holds(member.file_size):
            array: Array = np.lib.format.read_array(packed, allow_pickle=False)
            return array
        with NamedTemporaryFile(dir=room.folder) as file:
            shutil.copyfileobj(packed, file, 1 << 20)
            file.flush()
            # The file loses its name here and stays as long as it is mapped.
            return np.lib.format.open_memmap(file.name, mode="r")


def _names(names: list[str], path: Path) -> tuple[str, ...]:
    for pair in PAIRS:
        if set(pair) <= set(names):
            return pair
    if len(names) == 1:
        return tuple(names)
    raise DataError(
        f"{path} holds {', '.join(names) or 'nothing'}: give it one array, or two named "
        "train and test (or x_train and x_test)"
    )


def _classes(beside: list[Array]) -> Tensor | None:
    """The first labels that are whole numbers, [N] or [N, 1]: → [N]; others are no classes."""
    for labels in beside:
        if labels.dtype.kind in "bui":
            column = labels[:, 0] if labels.shape[1:] == (1,) else labels
            return torch.from_numpy(column.astype("i8"))
    return None


def _laid_out(array: Array, source: str) -> Array:
    """An array of numbers as [N, C, H, W] or [N, D]; nothing is read or copied."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{source}: values of type {array.dtype} are not numbers")
    if array.size == 0 or array.ndim not in {2, 3, 4}:
        raise DataError(f"{source}: shape {list(array.shape)} is neither images nor vectors")
    if array.ndim == 2 and array.dtype == np.uint8:
        raise DataError(
            f"{source}: bytes of shape {list(array.shape)} look like flattened images: reshape "
            "them to [N, H, W], or save floats if they are vectors"
        )
    return array if array.ndim == 2 else _channels_first(array, source)


def _channels_first(images: Array, source: str) -> Array:
    if images.ndim == 3:
        return images[:, None]
    first, last = images.shape[1] <= MOST_CHANNELS, images.shape[3] <= MOST_CHANNELS
    if first == last:
        raise DataError(
            f"{source}: in shape {list(images.shape)} either the second or the last number must "
            f"be the channels (1 to {MOST_CHANNELS}), and the other a width above {MOST_CHANNELS}"
        )
    return images if first else np.moveaxis(images, 3, 1)
