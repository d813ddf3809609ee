"""Forms that are a header and then the numbers as they lie in memory: written without a copy."""

from collections.abc import AsyncGenerator, Callable

import numpy as np

from app.arrays import Rows
from app.formats.answer import Buffer, Head, Stream, Write

Header = Callable[[Head], bytes]


def whole(header: Header) -> Write:
    """Writes an answer that is all there."""
    return lambda answer: (header(answer.head), _memory(answer.rows))


def in_parts(header: Header) -> Stream:
    """Writes rows as they come."""

    async def stream(head: Head, parts: AsyncGenerator[Rows, None]) -> AsyncGenerator[Buffer, None]:
        yield header(head)
        async for rows in parts:
            yield _memory(rows)

    return stream


def _memory(rows: Rows) -> memoryview:
    return np.ascontiguousarray(rows).data.cast("B")
