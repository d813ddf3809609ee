"""Work that would hold up the event loop goes to a thread; what is quickly done stays."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from app.engine.entry import Ticket

T = TypeVar("T")

# About a millisecond of drawing or reading pixels; a thread's round trip costs a tenth of that.
INLINE_BYTES = 262_144
NUM_THREADS = 8
THREADS = ThreadPoolExecutor(NUM_THREADS, "latentd-worker")


async def offload(
    work: Callable[[], T], num_bytes: int = INLINE_BYTES + 1, ticket: Ticket | None = None
) -> T:
    """`work()`, in a thread unless it is quick; see `in_thread`."""
    if num_bytes <= INLINE_BYTES:
        return work()
    if ticket is None:
        return await asyncio.wrap_future(THREADS.submit(work))
    return await in_thread(THREADS, work, ticket, lambda _: None)


async def in_thread(
    threads: ThreadPoolExecutor,
    work: Callable[[], T],
    ticket: Ticket,
    on_abandoned: Callable[["Future[Any]"], None],
) -> T:
    """`work()`, in one of the threads; raises DeadlinePassed at the ticket's deadline.

    Work whose deadline passes or whose caller is cancelled is dropped, if no thread has begun it;
    else what the ticket holds stays reserved until it is over, and `on_abandoned` is told.
    """
    ticket.check()
    future = threads.submit(work)
    try:
        async with asyncio.timeout(ticket.remaining):
            return await asyncio.wrap_future(future)
    except (TimeoutError, asyncio.CancelledError) as error:
        if not (future.cancel() or future.done()):
            ticket.release_after(future)
            on_abandoned(future)
        if isinstance(error, TimeoutError):
            raise ticket.passed() from None
        raise
