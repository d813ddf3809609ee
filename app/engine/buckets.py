"""The batch shapes that give bit-for-bit equal rows: found by trying, not by assuming.

A matrix product picks its kernel by shape, and kernels round differently: a row alone and the same
row among 64 differ by about 1e-7, which now and then flips a pixel. Within the shapes that one
kernel serves, a row's result depends on neither its neighbours nor its position. So each operation
runs only in shapes that were seen to agree, and a short batch is filled up to one of them.
"""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from app.arrays import FLOAT_BYTES, Floats
from app.engine.execution import OUT_OF_MEMORY

log = logging.getLogger("latentd")

# Warm state is per shape and per thread, and the profiling executor settles on the second run
# (pytorch#27902); the comparison must see what serving will see.
WARM_RUNS = 2
# Two shapes may differ in one row of a hundred: a few numbers agree by luck, or because a sigmoid
# hides it. So many rows are compared, if they take no longer than so many seconds a shape …
PROOF_ROWS = 1024
PROOF_SECONDS = 0.05
# … so many however long they take, and never more than so many bytes of them.
LEAST_ROWS = 64
PROOF_BYTES = 2**25


class Buckets(NamedTuple):
    """The batch sizes that an operation runs in, rising, and how far their rows differ."""

    sizes: tuple[int, ...]
    tolerance: float = 0.0  # largest difference seen between the same rows; 0 is bit for bit

    @property
    def exact(self) -> bool:
        """Whether a row's answer is the same, bit for bit, in every size and at every place."""
        return self.tolerance == 0

    def fit(self, num_rows: int) -> int:
        """The smallest size that holds `num_rows`, which is at most the largest size."""
        return next(size for size in self.sizes if size >= num_rows)


def candidates(max_rows: int) -> list[int]:
    """1, 2, 4, 8, 16, 24, 32, 48, 64 … below `max_rows`, and `max_rows` itself.

    From 16 on, sizes halfway between the powers of two keep what is filled up below half of a
    batch. Below, kernels take the last rows otherwise: 6 and 12 agree with the others in all rows
    of some models and in nine of ten of others, which is a risk for little.
    """
    powers = [2**power for power in range(max_rows.bit_length())]
    sizes = {size for power in powers for size in (power, 3 * power) if size == power or power >= 8}
    return [*sorted(size for size in sizes if size < max_rows), max_rows]


def find_buckets(
    run: Callable[[Floats], Floats], row_shape: tuple[int, ...], max_rows: int
) -> Buckets:
    """The sizes up to `max_rows` that agree with the largest one that agrees with itself.

    A size agrees with itself if a row's result is the same wherever in the batch it stands; some
    narrow products fail that, and then smaller batches are what exactness costs. Where not even
    single rows repeat, every size is given, with the tolerance that was measured. Sizes that the
    device has no memory for are left out.

    `run` maps [B, *row_shape] to [B, …] with independent rows. To be called on the thread that will
    serve: it warms every size there.
    """
    most = min(PROOF_ROWS, PROOF_BYTES // (FLOAT_BYTES * prod(row_shape)))
    # Uniform in [0, 1): legal images, and for latents as good as any other points.
    rows = np.random.default_rng(0).random((max(2 * max_rows, most), *row_shape), dtype=np.float32)
    sizes = _warmed(run, rows, candidates(max_rows))
    for largest in reversed(sizes):
        expected = _answers(run, rows, largest)
        apart = partial(_differences, run, rows, expected)
        if not any(apart(largest)):
            agree = [size for size in sizes if size < largest and not any(apart(size))]
            return Buckets((*agree, largest))
    apart = partial(_differences, run, rows, _answers(run, rows, sizes[-1]))
    return Buckets(tuple(sizes), max(max(apart(size)) for size in sizes))


def _warmed(run: Callable[[Floats], Floats], rows: Floats, sizes: list[int]) -> list[int]:
    """The sizes that there is memory for, after warming them."""
    warmed: list[int] = []
    for size in sizes:
        try:
            for _ in range(WARM_RUNS):
                run(rows[:size])
        except OUT_OF_MEMORY:
            if not warmed:
                raise
            log.warning("no memory for a batch of %d rows: %d at most", size, warmed[-1])
            break
        warmed.append(size)
    return warmed


def _answers(run: Callable[[Floats], Floats], rows: Floats, size: int) -> Floats:
    """Of the first rows, in batches of `size`: two at least, and as many as there is time for."""
    until = time.monotonic() + PROOF_SECONDS
    parts: list[Floats] = []
    for start in range(0, len(rows) - size + 1, size):
        if len(parts) > 1 and start >= LEAST_ROWS and time.monotonic() > until:
            break
        parts.append(run(rows[start : start + size]).copy())
    return np.concatenate(parts)


def _differences(
    run: Callable[[Floats], Floats], rows: Floats, expected: Floats, size: int
) -> Iterator[float]:
    """How far the rows' results in batches of `size` lie from the expected ones, batch by batch.

    Batches begin one row later, so that no row stands where it stood.
    """
    until = time.monotonic() + PROOF_SECONDS
    for start in range(1, len(expected) - size + 1, size):
        if start > LEAST_ROWS and time.monotonic() > until:
            break
        answer = run(rows[start : start + size])
        yield float(np.abs(answer - expected[start : start + size]).max())
