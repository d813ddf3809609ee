"""Work on pixels that would hold up the event loop goes to a thread; small work stays."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# About a millisecond of drawing or reading; a thread's round trip costs a tenth of that.
INLINE_BYTES = 262_144


async def offload(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(*args)`, in a thread if it handles more than INLINE_BYTES bytes."""
    if size <= INLINE_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
