"""The batch shapes that give bit-for-bit equal rows: found by trying, not by assuming.

A matrix product picks its kernel by shape, and kernels round differently: a row alone and the same
row among 64 differ by about 1e-7, which now and then flips a pixel. Within the shapes that one
kernel serves, a row's result depends on neither its neighbours nor its position. So each operation
runs only in shapes that were seen to agree, and a short batch is padded up to one of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

# Warm state is per shape and per thread, and the profiling executor settles on the second run
# (pytorch#27902); the comparison must see what serving will see.
WARM_RUNS = 3


class Buckets(NamedTuple):
    """The batch sizes that an operation runs in, rising, and whether they agree bit for bit."""

    sizes: tuple[int, ...]
    exact: bool

    def fit(self, num_rows: int) -> int:
        """The smallest size that holds `num_rows`, which is at most the largest size."""
        return next(size for size in self.sizes if size >= num_rows)


def candidates(max_rows: int) -> list[int]:
    """1, 2, 4 … below `max_rows`, and `max_rows` itself."""
    return [2**power for power in range(max_rows.bit_length()) if 2**power < max_rows] + [max_rows]


def find_buckets(
    run: Callable[[Tensor], Tensor], row_shape: tuple[int, ...], max_rows: int
) -> Buckets:
    """The sizes up to `max_rows` that agree with the largest one that agrees with itself.

    A size agrees with itself if a row's result is the same wherever in the batch it stands; some
    narrow products fail that, and then smaller batches are what exactness costs. Where not even
    single rows repeat, every size is given, and `exact` is false.

    `run` maps [B, *row_shape] to [B, …] with independent rows. To be called on the thread that will
    serve: it warms every size there.
    """
    # Uniform in [0, 1): legal images, and for latents as good as any other points.
    rows = torch.rand((max_rows, *row_shape), generator=torch.Generator().manual_seed(0))
    # Moved by one row, so that no row stands where it stood.
    moved = rows.roll(1, 0)
    sizes = candidates(max_rows)
    for largest in reversed(sizes):
        expected = _in_batches(run, rows, largest).roll(1, 0)
        smaller = [size for size in sizes if size <= largest]
        equal = [size for size in smaller if torch.equal(_in_batches(run, moved, size), expected)]
        if largest in equal:
            return Buckets(tuple(equal), exact=True)
    return Buckets(tuple(sizes), exact=False)


def _in_batches(run: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """`run` over `rows` in batches of exactly `size`, after warming that shape."""
    for _ in range(WARM_RUNS):
        run(rows[:size])
    return torch.cat([run(pad(part, size))[: len(part)] for part in torch.split(rows, size)])


def pad(rows: Tensor, size: int) -> Tensor:
    """`rows` [n, …] with zeros below, [size, …]; itself where n is already `size`."""
    if len(rows) == size:
        return rows
    padded = rows.new_zeros((size, *rows.shape[1:]))
    padded[: len(rows)] = rows
    return padded
