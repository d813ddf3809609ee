"""Forms that are a header and then the numbers as they lie in memory: written without a copy."""

from collections.abc import Callable
from math import prod
from typing import cast

import numpy as np

from app.arrays import FLOAT_BYTES, Floats, Rows
from app.formats.answer import Buffer, Head, PartWriter, Write, check_finite

Header = Callable[[Head], bytes]


def whole(header: Header) -> Write:
    """Writes an answer that is all there."""
    return lambda answer: (header(answer.head), _memory(answer.rows))


def in_parts(header: Header) -> Callable[[Head], PartWriter]:
    """Writes rows as they come."""
    return lambda head: _Parts(header(head), head)


class _Parts:
    def __init__(self, header: bytes, head: Head) -> None:
        self._header = header
        self.length: int | None = len(header) + FLOAT_BYTES * head.num_rows * prod(head.row_shape)

    def begin(self) -> Buffer:
        return self._header

    def part(self, rows: Rows) -> Buffer:
        return _memory(rows)

    def end(self) -> Buffer:
        return b""


def _memory(rows: Rows) -> memoryview:
    numbers = np.ascontiguousarray(rows)
    if numbers.dtype.kind == "f":
        check_finite(cast(Floats, numbers))
    return numbers.data.cast("B")
