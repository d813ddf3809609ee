"""One operation of one model on its device: rows go in through a buffer, answers come back.

The buffer is made once. The batcher writes rows into it, a batch is its first rows, and nothing is
allocated, concatenated or padded on the way to the device. What lies behind a batch's own rows is
left over from an earlier one: rows are independent, so it does not matter.

Here is what holds on every device, and the CPU's way; CUDA's is app.engine.cuda_execution.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.arrays import Floats, Levels, all_finite, to_levels

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)


class Work(NamedTuple):
    """What is to be executed."""

    name: str  # for the log
    compute: Callable[[Tensor], Tensor]  # [B, *row_shape] to float32 [B, …], row by row
    row_shape: tuple[int, ...]
    images: bool  # whether it answers images, [B, C, H, W] in [0, 1]


class Answers(NamedTuple):
    """What a batch of B rows gave; only what was wanted is there."""

    values: Floats | None  # [B, …]
    levels: Levels | None  # [B, H, W, C]: images in [0, 1] as 0 … 255
    finite: NDArray[np.bool_] | None  # [B], or None where every row is finite


class Execution(Protocol):
    """How the engine asks the device; all of it on the device's thread."""

    @property
    def stage(self) -> Floats:
        """Where a batch's rows are written: float32 [max_rows, *row_shape]."""

    def run(self, size: int, *, values: bool, levels: bool) -> Answers:
        """The answers to the first `size` rows of the stage; `levels` of images alone."""


class OnCpu:
    """Runs `compute`, a function of [B, *row_shape] with independent rows, on the CPU."""

    def __init__(
        self, compute: Callable[[Tensor], Tensor], row_shape: tuple[int, ...], max_rows: int
    ) -> None:
        self.stage: Floats = np.zeros((max_rows, *row_shape), np.float32)
        self._rows = torch.from_numpy(self.stage)
        self._compute = compute

    def run(self, size: int, *, values: bool, levels: bool) -> Answers:
        """See Execution.

        What follows the model is NumPy: on few rows its calls cost a third of torch's.
        """
        with torch.inference_mode():
            answer: Floats = self._compute(self._rows[:size]).numpy()
        if np.may_share_memory(answer, self.stage):
            # The operation handed its input back, where the next batch's rows will lie.
            answer = answer.copy()
        finite: NDArray[np.bool_] | None = None
        if not all_finite(answer):
            finite = np.logical_and.reduce(np.isfinite(answer).reshape(size, -1), axis=1)
        return Answers(answer if values else None, to_levels(answer) if levels else None, finite)
