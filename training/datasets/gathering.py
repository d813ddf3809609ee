"""Rows that come a few at a time, joined: in memory as long as they are few, else in a file."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from training.datasets.rows import Array
from training.errors import DataError


class Room(NamedTuple):
    """How much of a data set may be in memory, and where the rest goes."""

    memory: int = 4 << 30
    """Bytes of all rows as float32; larger sets stay in files."""
    folder: Path | None = None
    """Where a file of rows may lie while the process lives; None: where temporary files go."""

    def holds(self, numbers: int) -> bool:
        """Whether so many numbers may be in memory."""
        return 4 * numbers <= self.memory


def gather(arrays: Iterable[Array], shape: tuple[int, ...], dtype: DTypeLike, room: Room) -> Array:
    """All rows of the arrays, each [n, *shape]; mapped from a file where there is no room.

    The file has no name and goes with the process. DataError where it cannot be written.
    """
    kept: list[Array] = [np.empty((0, *shape), dtype)]
    rows = numbers = 0
    with TemporaryFile(dir=room.folder) as file:
        for array in arrays:
            kept.append(array)
            rows, numbers = rows + len(array), numbers + array.size
            if not room.holds(numbers):
                try:
                    file.writelines(np.ascontiguousarray(one).data for one in kept if one.size)
                    file.flush()
                except OSError as error:
                    raise DataError(
                        f"a file of {numbers * kept[0].itemsize >> 20} MiB of rows cannot be "
                        f"written in {room.folder or gettempdir()} ({error.strerror}): free space "
                        "there, or give out=FOLDER on a larger disk"
                    ) from error
                kept.clear()
        if room.holds(numbers):
            return np.concatenate(kept)
        return np.memmap(file, dtype, "r", shape=(rows, *shape))
