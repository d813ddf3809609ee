"""The bytes that requests hold: who is let in, who is refused, and that all of it is given back."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.engine.entry import Ticket
from app.engine.memory_budget import SMALL_BYTES, MemoryBudget
from app.errors import LimitExceeded, Overloaded
from app.metrics import Metrics
from app.worker_threads import in_thread

MIB = 2**20


def budget_of(num_mib: int) -> tuple[MemoryBudget, Metrics]:
    metrics = Metrics()
    return MemoryBudget(metrics, num_mib * MIB), metrics


def held(metrics: Metrics) -> float:
    """What the gauge says."""
    value = metrics.registry.get_sample_value("latentd_held_bytes")
    assert value is not None
    return value


def test_a_step_that_needs_less_than_is_held_takes_nothing_more() -> None:
    budget, metrics = budget_of(64)
    ticket = Ticket(10, budget)
    for num_mib in (2, 5, 3, 5):
        ticket.reserve(num_mib * MIB)
    assert held(metrics) == 5 * MIB
    ticket.release()
    assert held(metrics) == 0


def test_one_request_may_hold_seven_eighths_and_is_told_what_it_would_hold() -> None:
    budget, metrics = budget_of(64)
    Ticket(10, budget).reserve(56 * MIB)
    budget, metrics = budget_of(64)
    with pytest.raises(LimitExceeded, match=f"{56 * MIB + 1} bytes.*{56 * MIB}.*MAX_QUEUE_BYTES"):
        Ticket(10, budget).reserve(56 * MIB + 1)
    assert held(metrics) == 0


def test_where_others_hold_too_much_the_next_is_refused_for_now() -> None:
    budget, metrics = budget_of(64)
    first, second = Ticket(10, budget), Ticket(10, budget)
    first.reserve(40 * MIB)
    with pytest.raises(Overloaded, match=f"{40 * MIB} bytes.*{30 * MIB}.*{64 * MIB}") as refused:
        second.reserve(30 * MIB)
    assert refused.value.retry_after > 0
    first.release()
    second.reserve(30 * MIB)
    assert held(metrics) == 30 * MIB


def test_large_requests_leave_room_for_small_ones() -> None:
    budget, _ = budget_of(64)
    Ticket(10, budget).reserve(56 * MIB)
    for _ in range(8):
        Ticket(10, budget).reserve(SMALL_BYTES)
    with pytest.raises(Overloaded):
        Ticket(10, budget).reserve(SMALL_BYTES)


def test_a_request_that_is_refused_further_on_keeps_what_it_holds_until_its_end() -> None:
    budget, metrics = budget_of(64)
    ticket = Ticket(10, budget)
    ticket.reserve(8 * MIB)
    with pytest.raises(LimitExceeded):
        ticket.reserve(60 * MIB)
    assert held(metrics) == 8 * MIB
    ticket.release()
    ticket.release()
    assert held(metrics) == 0


def test_work_of_no_request_counts_nothing() -> None:
    ticket = Ticket(10)
    ticket.reserve(2**60)
    ticket.release()


def test_what_a_thread_still_works_on_stays_reserved() -> None:
    budget, metrics = budget_of(64)

    async def main() -> None:
        begun, gate = threading.Event(), threading.Event()
        ticket = Ticket(10, budget)
        ticket.reserve(8 * MIB)

        def work() -> None:
            begun.set()
            gate.wait(10)

        with ThreadPoolExecutor(1) as threads:
            task = asyncio.create_task(in_thread(threads, work, ticket, lambda _: None))
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            ticket.release()
            assert held(metrics) == 8 * MIB
            gate.set()
            await asyncio.to_thread(threads.shutdown)
        await asyncio.sleep(0)
        assert held(metrics) == 0

    asyncio.run(main())
