"""The rows of a data set: a tensor in memory, or an array in a file that is read batch by batch."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.streams import CPU

Array = NDArray[np.generic]

# Numbers of a piece, 256 MiB as float32: what a pass over all rows holds in memory at a time.
PIECE = 1 << 26
# The part of a device's free memory that rows may take; the rest is the model's.
ROOM = 0.5


class Streamed:
    """Rows [N, *shape] that stay where they are and are float32 on `device` when asked for.

    `stored` is an array of numbers, in a file or in memory; of bytes, which are pixels, a 255th.
    """

    def __init__(
        self, stored: Array, chosen: Tensor | None = None, device: torch.device = CPU
    ) -> None:
        self.stored = stored
        self.chosen = torch.arange(len(stored)) if chosen is None else chosen
        """Which stored row each row is, [N]."""
        self.device = device

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, *shape]."""
        return (len(self.chosen), *self.stored.shape[1:])

    def __len__(self) -> int:
        """N."""
        return len(self.chosen)

    def __getitem__(self, which: Tensor | slice) -> Tensor:
        """Those rows, read now."""
        at = self.chosen[which.cpu() if isinstance(which, Tensor) else which]
        read = self.stored[at.numpy()]
        floats = torch.from_numpy(read.astype(np.float32, order="C", copy=False))
        # Divided before they are moved: CUDA would multiply by the inverse, and round otherwise.
        return (floats.div_(255.0) if read.dtype == np.uint8 else floats).to(self.device)


Rows = Tensor | Streamed
Watch = Callable[[Sequence[Tensor]], Iterable[Tensor]]
"""Gives the pieces of a pass over rows on, one by one, and may show how far it is."""


def take(rows: Rows, which: Tensor) -> Rows:
    """The rows of these numbers [N], in this order."""
    if isinstance(rows, Tensor):
        return rows[which]
    return Streamed(rows.stored, rows.chosen[which], rows.device)


def pieces(rows: Rows, size: int | None = None) -> Sequence[Tensor]:
    """All rows in their order, `size` at a time, each piece read when its turn comes."""
    size = size or max(1, PIECE // math.prod(rows.shape[1:]))
    return torch.split(rows, size) if isinstance(rows, Tensor) else _Pieces(rows, size)


class _Pieces(Sequence[Tensor]):
    def __init__(self, rows: Streamed, size: int) -> None:
        self.rows, self.size = rows, size

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.size)

    @overload
    def __getitem__(self, number: int) -> Tensor: ...
    @overload
    def __getitem__(self, number: slice) -> list[Tensor]: ...
    def __getitem__(self, number: int | slice) -> Tensor | list[Tensor]:
        at = range(len(self))[number]
        if isinstance(at, range):
            return [self[one] for one in at]
        return self.rows[at * self.size : (at + 1) * self.size]


def on_device(rows: Rows, device: torch.device) -> Rows:
    """All rows on the device where it has room for them, else batches that are moved to it."""
    if device.type == "cpu":
        return rows
    free, _ = torch.cuda.mem_get_info(device)
    if 4 * math.prod(rows.shape) > ROOM * free:
        rows = Streamed(rows.numpy()) if isinstance(rows, Tensor) else rows
        return Streamed(rows.stored, rows.chosen, device)
    resident = torch.empty(rows.shape, device=device)
    for piece, place in zip(pieces(rows), pieces(resident), strict=True):
        place.copy_(piece)
    return resident


def mean(rows: Rows) -> Tensor:
    """The average row, float32: the pieces' own averages, weighed in float64."""
    sums = [len(piece) * piece.mean(0).double() for piece in pieces(rows)]
    return (torch.stack(sums).sum(0) / len(rows)).float()


def mean_and_deviation(rows: Rows) -> tuple[Tensor, Tensor]:
    """The average row and the standard deviation of each dimension over the rows, float64."""
    parts = [(len(piece), *_moments(piece)) for piece in pieces(rows)]
    weights = torch.tensor([count for count, _, _ in parts]).double() / len(rows)
    means = torch.stack([average for _, average, _ in parts])
    within = torch.stack([variance for _, _, variance in parts])
    average = torch.tensordot(weights, means, 1)
    variance = torch.tensordot(weights, within + (means - average).square(), 1)
    return average, variance.sqrt()


def _moments(piece: Tensor) -> tuple[Tensor, Tensor]:
    variance, average = torch.var_mean(piece.double(), 0, correction=0)
    return average, variance
