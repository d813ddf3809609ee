"""An operation on a CUDA device: pinned memory on both ends, and one graph for each batch size.

A small model's batch is dozens of kernels of a few microseconds each, and launching them takes
longer than running them. A CUDA graph launches all of them at once: from the rows to the answer,
its levels and whether it is finite. The host waits for the device once a batch. Knows nothing of
models.
"""

import logging
import math
import time
import warnings
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from app.arrays import Floats
from app.engine.buckets import WARM_RUNS
from app.engine.execution import Answers, Work

log = logging.getLogger("latentd")

# Runs by which a graph is compared with the same without one.
TIMED_RUNS = 9


class Results(NamedTuple):
    """What a batch of B rows gave, on the device or landed in pinned memory."""

    values: Tensor  # float32 [B, …]
    levels: Tensor | None  # uint8 [B, H, W, C], of images
    total: Tensor  # the sum of all values, finite only if they are


Step = Callable[[], Results]


class Graph:
    """A step as one CUDA graph; calling it gives the same tensors each time, with new contents."""

    def __init__(self, step: Step, like: "Graph | None" = None) -> None:
        """Capture `step`, which must have run before, on the current stream, not the default one.

        Works in the same memory as `like`, so that results are good until another graph runs; both
        must be captured on one stream. Raises RuntimeError where `step` cannot be captured.
        """
        self._graph = torch.cuda.CUDAGraph()
        capture = torch.cuda.graph(
            self._graph,
            pool=None if like is None else like._graph.pool(),
            stream=torch.cuda.current_stream(),
            # Other threads do nothing on the device, so nothing of theirs needs to be forbidden.
            capture_error_mode="thread_local",
        )
        with capture:
            self._results = step()

    def __call__(self) -> Results:
        """Run it."""
        self._graph.replay()
        return self._results


class OnCuda:
    """Runs `work` in batches of up to `max_rows` on a CUDA device; see Execution.

    A size is prepared the first time that it is run, which is while the model is loaded. All of it
    on one thread, the one that runs the device's other operations too.
    """

    def __init__(self, device: torch.device, work: Work, max_rows: int) -> None:
        shape = (max_rows, *work.row_shape)
        self._work = work
        self._staged = torch.zeros(shape, pin_memory=True)
        self.stage: Floats = self._staged.numpy()
        self._stream = _stream(device)
        with torch.cuda.stream(self._stream):
            self._rows = torch.zeros(shape, device=device)
        # Made with the first results, for `max_rows` of their shapes.
        self._landing: Results | None = None
        self._steps: dict[int, Step] = {}

    def run(self, size: int, *, values: bool, levels: bool) -> Answers:
        """See Execution. Raises torch.OutOfMemoryError where the device has no memory for it."""
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            self._rows[:size].copy_(self._staged[:size], non_blocking=True)
            results = (self._steps.get(size) or self._prepare(size))()
            landing = self._landing = self._landing or _pinned_like(results, len(self.stage))
            numbers = _fetch(results.values, landing.values) if values else None
            pictures = _fetch(results.levels, landing.levels) if levels else None
            landing.total.copy_(results.total, non_blocking=True)
            self._stream.synchronize()
            finite = None if math.isfinite(landing.total.item()) else _finite_rows(results.values)
            # Copies: an answer lives as long as a slow client reads or the cache keeps it, and
            # pinned memory is too scarce for that.
            return Answers(
                None if numbers is None else numbers.numpy().copy(),
                None if pictures is None else pictures.numpy().copy(),
                None if finite is None else finite.cpu().numpy(),
            )

    def _prepare(self, size: int) -> Step:
        """The faster way to run the first `size` rows: as a graph or without one."""

        def eager() -> Results:
            answer = self._work.compute(self._rows[:size])
            levels = _quantize(answer).to(torch.uint8) if self._work.images else None
            return Results(answer, levels, answer.sum())

        for _ in range(WARM_RUNS):
            eager()
        self._steps[size] = self._faster(size, eager)
        return self._steps[size]

    def _faster(self, size: int, eager: Step) -> Step:
        kept = next((step for step in self._steps.values() if isinstance(step, Graph)), None)
        try:
            _check_asynchronous(eager)
            graph = Graph(eager, like=kept)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            log.debug("%s in batches of %d: no CUDA graph: %s", self._work.name, size, reason)
            return eager
        captured, launched = _seconds(graph, self._stream), _seconds(eager, self._stream)
        log.debug(
            "%s in batches of %d: %.0f µs as a CUDA graph, %.0f µs without",
            self._work.name,
            size,
            captured * 1e6,
            launched * 1e6,
        )
        return graph if captured < launched else eager


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """Where the work of all operations is queued.

    One for all of them, as the allocator reuses memory within a stream alone; not the default one,
    as that cannot be captured.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # has no hints


def _pinned_like(results: Results, max_rows: int) -> Results:
    def rows(like: Tensor) -> Tensor:
        return torch.empty((max_rows, *like.shape[1:]), dtype=like.dtype, pin_memory=True)

    levels = None if results.levels is None else rows(results.levels)
    return Results(rows(results.values), levels, torch.empty((), pin_memory=True))


def _fetch(rows: Tensor | None, pinned: Tensor | None) -> Tensor:
    """Begin to copy `rows` to the first ones of `pinned`; gives those."""
    assert rows is not None
    assert pinned is not None
    return pinned[: len(rows)].copy_(rows, non_blocking=True)


def _quantize(images: Tensor) -> Tensor:
    """[B, C, H, W] in [0, 1] to the nearest of 256 levels, as floats [B, H, W, C]."""
    levels = torch.mul(images, 255).add_(0.5).clamp_(0, 255)
    # Rows of pictures lie together, channels last, as every image format has them.
    return levels.permute(0, 2, 3, 1).contiguous() if images.shape[1] > 1 else levels.movedim(1, 3)


def _finite_rows(answer: Tensor) -> Tensor | None:
    """Which rows hold neither NaN nor infinity, bool [B]; None where all do."""
    finite = torch.isfinite(answer).flatten(1).all(1)
    return None if bool(finite.all()) else finite


def _check_asynchronous(step: Step) -> None:
    """Raise RuntimeError where `step` waits for the device, which no graph can.

    Found out before the capture, because one that fails can leave the allocator unable to free
    memory (pytorch#180395).
    """
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        # torch calls the mode a prototype: it does not know every operator that waits.
        warnings.filterwarnings("ignore", message="Synchronization debug mode")
        torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _seconds(step: Step, stream: torch.cuda.Stream) -> float:
    """How long a run takes from its launch to its end."""
    seconds = []
    for _ in range(TIMED_RUNS):
        stream.synchronize()
        began = time.perf_counter()
        step()
        stream.synchronize()
        seconds.append(time.perf_counter() - began)
    return median(seconds)
