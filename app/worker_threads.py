"""Work that would hold up the event loop goes to a thread; what is quickly done stays."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# About a millisecond of drawing or reading pixels; a thread's round trip costs a tenth of that.
INLINE_BYTES = 262_144


def is_quick(num_bytes: int) -> bool:
    """Whether work that handles so many bytes is done before a thread would have begun it."""
    return num_bytes <= INLINE_BYTES


async def offload(work: Callable[[], T], num_bytes: int = INLINE_BYTES + 1) -> T:
    """`work()`, in a thread unless it is quick."""
    return work() if is_quick(num_bytes) else await asyncio.to_thread(work)
