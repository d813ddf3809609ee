"""The batch shapes that give bit-for-bit equal rows: found by trying, not by assuming.

A matrix product picks its kernel by shape, and kernels round differently: a row alone and the same
row among 64 differ by about 1e-7, which now and then flips a pixel. Within the shapes that one
kernel serves, a row's result depends on neither its neighbours nor its position. So each operation
runs only in shapes that were seen to agree, and a short batch is filled up to one of them.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from app.arrays import Floats
from app.engine.execution import OUT_OF_MEMORY

log = logging.getLogger("latentd")

# Warm state is per shape and per thread, and the profiling executor settles on the second run
# (pytorch#27902); the comparison must see what serving will see.
WARM_RUNS = 2
# Small sizes are tried on so many rows at least: a few numbers may agree by luck.
PROOF_ROWS = 8


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
    """1, 2, 3, 4, 6, 8, 12 … below `max_rows`, and `max_rows` itself.

    A batch is filled up by less than half of its rows; with powers of two alone, by up to as many.
    """
    powers = [2**power for power in range(max_rows.bit_length())]
    sizes = {size for power in powers for size in (power, 3 * power) if size < max_rows}
    return [*sorted(sizes), max_rows]


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
    # Uniform in [0, 1): legal images, and for latents as good as any other points.
    rows = np.random.default_rng(0).random((max_rows, *row_shape), dtype=np.float32)
    # Moved by one row, so that no row stands where it stood.
    moved = np.roll(rows, 1, axis=0)
    answers: dict[int, Floats] = {}
    for size in candidates(max_rows):
        try:
            answers[size] = _in_batches(run, moved[: max(size, PROOF_ROWS)], size)
        except OUT_OF_MEMORY:
            if not answers:
                raise
            log.warning("no memory for a batch of %d rows: %d at most", size, max(answers))
            break
    sizes = list(answers)
    difference = 0.0
    for largest in reversed(sizes):
        expected = np.roll(_in_batches(run, rows, largest), 1, axis=0)
        smaller = [size for size in sizes if size <= largest]
        apart = {size: _difference(answers[size], expected) for size in smaller}
        if apart[largest] == 0:
            return Buckets(tuple(size for size in smaller if apart[size] == 0))
        difference = max(difference, *apart.values())
    return Buckets(tuple(sizes), difference)


def _difference(answer: Floats, expected: Floats) -> float:
    return float(np.abs(answer - expected[: len(answer)]).max())


def _in_batches(run: Callable[[Floats], Floats], rows: Floats, size: int) -> Floats:
    """`run` over `rows` in batches of exactly `size`, after warming that shape."""
    for _ in range(WARM_RUNS):
        run(rows[:size])
    # The last batch is filled up with the rows before it.
    starts = [min(start, len(rows) - size) for start in range(0, len(rows), size)]
    answer = None
    for start in starts:
        part = run(rows[start : start + size])
        if answer is None:
            answer = np.empty((len(rows), *part.shape[1:]), part.dtype)
        answer[start : start + size] = part
    assert answer is not None
    return answer
