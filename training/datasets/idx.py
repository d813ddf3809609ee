"""IDX files, the format of MNIST, gzipped or not: a folder in MNIST's layout, or one file."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.datasets.dataset import Dataset, Request, rows_of, shown, split, wanted_path
from training.datasets.gathering import Room
from training.datasets.rows import Rows
from training.errors import DataError

WANTED = (
    "IDX images: a folder with train-images-idx3-ubyte and t10k-images-idx3-ubyte (gzipped as "
    ".gz or not), or one such file"
)
PARTS = ("train", "t10k")
UNSIGNED_BYTE = 0x08
GZIP = b"\x1f\x8b"


def load(request: Request) -> Dataset:
    """Grey images; of a single file a part is held out for testing.

    A folder may hold labels too, train-labels-idx1-ubyte and t10k-labels-idx1-ubyte.
    """
    path = wanted_path(request, "idx", WANTED)
    name = shown(path.resolve().name)
    if path.is_file():
        parts = split(_images(path, request.room), request, str(path))
        return Dataset(name, "image", parts.train, parts.test, kept=parts.kept)
    train, test = (_images(_the_one(path, f"{part}-images*idx3"), request.room) for part in PARTS)
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{path}: training images are {list(train.shape[1:])} and test images "
            f"{list(test.shape[1:])}: they must agree"
        )
    train_labels, test_labels = (_labels(path, f"{part}-labels*idx1") for part in PARTS)
    return Dataset(name, "image", train, test, test_labels, train_labels)


def _labels(folder: Path, what: str) -> Tensor | None:
    """[N] int64 where there is such a file."""
    if not any(folder.glob(f"*{what}-ubyte*")):
        return None
    return torch.from_numpy(read(_the_one(folder, what))).long()


def _the_one(folder: Path, what: str) -> Path:
    found = sorted(folder.glob(f"*{what}-ubyte*"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{folder}: one file *{what}-ubyte[.gz] is needed, found {names}")
    return found[0]


def _images(file: Path, room: Room) -> Rows:
    array = read(file)
    if array.ndim != 3 or len(array) == 0:
        raise DataError(f"{file}: images are [N, H, W] with N > 0, and this is {list(array.shape)}")
    return rows_of(array[:, None], "image", str(file), room)  # [N, 1, H, W]


def read(file: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """An IDX file's bytes in the shape its header tells; DataError where they do not fit."""
    content = file.read_bytes()
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{file}: not a whole gzip file ({error}): get it again") from error
    # Two zero bytes, the type, the number of dimensions, then each as a big-endian 32-bit number.
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise DataError(f"{file}: not an IDX file of bytes; it starts with {content[:4].hex()}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{file}: its header of {start} bytes is cut short: get it again")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{file}: shape {list(shape)} needs {math.prod(shape)} bytes, and there are "
            f"{len(content) - start}: get it again"
        )
    return np.frombuffer(bytearray(content[start:]), np.uint8).reshape(shape)
