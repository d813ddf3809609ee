"""Numpy files of images or of vectors: one array, or a training and a test array in one .npz."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.datasets.dataset import Dataset, Request, finite, scale_pixels, split, wanted_path
from training.errors import DataError
from training.likelihoods import Kind

WANTED = (
    "a .npy or .npz file of images [N, H, W], [N, H, W, C] or [N, C, H, W] (bytes, or floats in "
    "[0, 1]) or of vectors [N, D]"
)
PAIRS = (("train", "test"), ("x_train", "x_test"))
LABELS = ("test_labels", "y_test")
MOST_CHANNELS = 4


def load(request: Request) -> Dataset:
    """Images where the array has three or four dimensions, vectors where it has two."""
    path = wanted_path(request, "arrays", WANTED)
    read, labels = _read(path)
    arrays = [_rows(array, f"{path} ({name})") for name, array in read.items()]
    kinds: set[Kind] = {"vectors" if rows.ndim == 2 else "image" for rows in arrays}
    if len({rows.shape[1:] for rows in arrays}) != 1:
        shapes = " and ".join(str(list(rows.shape)) for rows in arrays)
        raise DataError(f"{path}: training and test rows differ in shape: {shapes}")
    train, test = arrays if len(arrays) == 2 else split(arrays[0], request, str(path))
    return Dataset(path.stem, kinds.pop(), train, test, labels)


def _read(path: Path) -> tuple[dict[str, NDArray[np.generic]], Tensor | None]:
    """The one array of the file, or its pair of training and test arrays, by name; and labels."""
    try:
        # Opened here, because numpy leaves a file open that it cannot read.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"array": loaded}, None
            names = _names(loaded.files, path)
            beside = [loaded[name] for name in LABELS if name in set(loaded.files) - set(names)]
            return {name: loaded[name] for name in names}, _classes(beside)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as {WANTED}: {error}") from error


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


def _classes(beside: list[NDArray[np.generic]]) -> Tensor | None:
    """The first labels that are whole numbers, [N] or [N, 1]: → [N]; others are no classes."""
    for labels in beside:
        if labels.dtype.kind in "bui":
            column = labels[:, 0] if labels.shape[1:] == (1,) else labels
            return torch.from_numpy(column.astype("i8"))
    return None


def _rows(array: NDArray[np.generic], source: str) -> Tensor:
    """An array as [N, C, H, W] in [0, 1] or as finite [N, D]."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{source}: values of type {array.dtype} are not numbers")
    if array.size == 0 or array.ndim not in {2, 3, 4}:
        raise DataError(f"{source}: shape {list(array.shape)} is neither images nor vectors")
    # Byte order and unsigned types wider than a byte are numpy's own; torch takes native ones.
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    rows = torch.from_numpy(np.ascontiguousarray(native))
    if rows.ndim == 2:
        if rows.dtype == torch.uint8:
            raise DataError(
                f"{source}: bytes of shape {list(rows.shape)} look like flattened images: reshape "
                "them to [N, H, W], or save floats if they are vectors"
            )
        return finite(rows, source)
    return scale_pixels(_channels_first(rows, source), source)


def _channels_first(images: Tensor, source: str) -> Tensor:
    if images.ndim == 3:
        return images[:, None]
    first, last = images.shape[1] <= MOST_CHANNELS, images.shape[3] <= MOST_CHANNELS
    if first == last:
        raise DataError(
            f"{source}: in shape {list(images.shape)} either the second or the last number must "
            f"be the channels (1 to {MOST_CHANNELS}), and the other a width above {MOST_CHANNELS}"
        )
    return images if first else images.movedim(3, 1).contiguous()
