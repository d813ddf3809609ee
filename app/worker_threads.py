"""Work that would hold up the event loop goes to a thread; what is quickly done stays."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# About a millisecond of drawing or reading pixels; a thread's round trip costs a tenth of that.
INLINE_BYTES = 262_144


async def offload(work: Callable[[], T], num_bytes: int = INLINE_BYTES + 1) -> T:
    """`work()`, in a thread unless it is quick."""
    return work() if num_bytes <= INLINE_BYTES else await asyncio.to_thread(work)
