"""The laws of the batcher, on real threads, with a device that tells what it was given."""

import asyncio
import threading
import time

import numpy as np
import pytest

from app.engine.batcher import Batcher
from app.engine.entry import Ticket
from app.engine.execution import Answers
from app.engine.loaded_model import Operation
from app.errors import DeadlinePassed, Overloaded
from tests.app.held_device import LARGEST, Device, ask, levels_of, occupy, play, rows_of, run


def test_what_waits_while_the_device_is_busy_is_one_batch() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        first = await occupy(batcher, operation, device)
        waiting = [await ask(batcher, operation, n) for n in (1, 2, 3)]
        device.gate.set()
        assert await asyncio.gather(first, *waiting) == [[198], [2], [4], [6]]

    assert play(scenario).batches == [[99], [1, 2, 3]]


def test_a_lone_request_does_not_wait_for_company() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        began = time.monotonic()
        await run(batcher, operation, 1)
        assert time.monotonic() - began < 1

    assert play(scenario).batches == [[1]]


def test_requests_for_numbers_and_for_levels_share_a_batch() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        numbers = await ask(batcher, operation, 1)
        levels = asyncio.create_task(levels_of(batcher, operation, 2))
        await asyncio.sleep(0)
        device.gate.set()
        assert await numbers == [2]
        answer = await levels
        assert answer.dtype == np.uint8
        assert answer.tolist() == [[4]]

    assert play(scenario).batches == [[99], [1, 2]]


def test_a_large_request_goes_in_turn_with_small_ones() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        large = await ask(batcher, operation, *range(1, 101))
        small = await ask(batcher, operation, 1000)
        device.gate.set()
        assert await small == [2000]
        assert await large == [2.0 * n for n in range(1, 101)]

    device = play(scenario)
    assert 1000 in device.batches[1]
    assert all(len(batch) <= LARGEST for batch in device.batches)


def test_two_large_requests_share_every_batch() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        ones = await ask(batcher, operation, *[1] * 20)
        twos = await ask(batcher, operation, *[2] * 20)
        device.gate.set()
        await asyncio.gather(ones, twos)

    batches = play(scenario).batches[1:]
    assert all(set(batch) == {1, 2} for batch in batches)


def test_a_large_request_ages_while_small_ones_keep_coming() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        large = await ask(batcher, operation, *[7] * 200)

        async def client(number: int) -> int:
            served = 0
            while not large.done():
                await run(batcher, operation, number)
                served += 1
            return served

        # More clients than a batch has rows, so that something always waits.
        served = await asyncio.gather(*[client(n) for n in range(100, 100 + 3 * LARGEST)])
        assert min(served) > 0

    batches = play(scenario).batches
    taking = [place for place, batch in enumerate(batches) if 7 in batch]
    # Each round of the queue gives it a share: it is never passed over for longer than a round.
    assert max(np.diff(taking)) <= 3 * LARGEST


def test_a_request_whose_client_left_is_dropped_and_its_neighbours_are_answered() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        before, left, after = [await ask(batcher, operation, n) for n in (1, 2, 3)]
        left.cancel()
        await asyncio.sleep(0)
        device.gate.set()
        assert await before == [2]
        assert await after == [6]
        with pytest.raises(asyncio.CancelledError):
            await left

    assert play(scenario).batches == [[99], [1, 3]]


def test_a_client_that_leaves_in_the_middle_of_its_rows_frees_the_rest() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        large = await ask(batcher, operation, *[1] * 1000)
        await asyncio.to_thread(device.entered.wait, 10)
        large.cancel()
        small = await ask(batcher, operation, 5)
        device.gate.set()
        assert await small == [10]

    assert sum(len(batch) for batch in play(scenario, max_rows=2000).batches) < 50


def test_a_request_past_its_deadline_is_dropped_and_told_so() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        late = await ask(batcher, operation, 1, timeout=0.01)
        patient = await ask(batcher, operation, 2)
        await asyncio.sleep(0.05)
        device.gate.set()
        with pytest.raises(DeadlinePassed, match="LATENTD_REQUEST_TIMEOUT_S"):
            await late
        assert await patient == [4]

    assert play(scenario).batches == [[99], [2]]


def test_a_full_queue_refuses_at_the_door_and_keeps_what_it_has() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        kept = await ask(batcher, operation, *[1] * 10)
        with pytest.raises(Overloaded, match="LATENTD_MAX_QUEUE_ROWS") as refused:
            await run(batcher, operation, 2, 2, 2)
        assert refused.value.retry_after > 0
        device.gate.set()
        assert len(await kept) == 10
        assert await run(batcher, operation, 3) == [6]

    play(scenario, max_rows=12)


def test_who_cannot_be_served_in_time_is_told_at_the_door() -> None:
    class Slow(Device):
        def run(self, size: int, *, values: bool, levels: bool) -> Answers:
            answers = super().run(size, values=values, levels=levels)
            time.sleep(0.05)
            return answers

    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        # 8 rows in 50 ms: the rate is known from the first batches.
        await run(batcher, operation, *[1] * 16)
        waiting = await ask(batcher, operation, *[1] * 80)
        with pytest.raises(Overloaded, match="X-Request-Timeout") as refused:
            await run(batcher, operation, 2, timeout=0.1)
        assert 0.2 < refused.value.retry_after < 20
        assert len(await waiting) == 80

    play(scenario, Slow())


def test_closing_answers_what_waits() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        waiting = [await ask(batcher, operation, n) for n in range(1, 30)]
        device.gate.set()
        await batcher.close()
        assert await asyncio.gather(*waiting) == [[2 * n] for n in range(1, 30)]
        with pytest.raises(Overloaded, match="shutting down"):
            await run(batcher, operation, 1)

    play(scenario)


def test_a_hundred_requests_of_many_sizes_each_get_their_own_rows() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        requests = [range(n + 1, n + 2 + n % 23) for n in range(100)]
        answers = await asyncio.gather(*[run(batcher, operation, *r) for r in requests])
        assert answers == [[2 * number for number in request] for request in requests]

    play(scenario, max_rows=10_000)


def test_two_operations_take_turns() -> None:
    class Other(Device):
        def run(self, size: int, *, values: bool, levels: bool) -> Answers:
            batches_before.append(len(held.batches))
            return super().run(size, values=values, levels=levels)

    batches_before: list[int] = []
    held = Device()

    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        other_device = Other()
        other_device.gate.set()
        other = Operation("test@1", "encode", other_device, operation.buckets, row_bytes=8)
        await occupy(batcher, operation, device)
        large = await ask(batcher, operation, *[1] * 100)
        small = await ask(batcher, other, 3)
        device.gate.set()
        await asyncio.gather(small, large)

    play(scenario, held)
    assert batches_before == [2]


def test_one_thread_runs_everything_loading_included() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        loader = await batcher.call(lambda: threading.current_thread().name)
        await asyncio.gather(*[run(batcher, operation, n + 1) for n in range(50)])
        assert device.threads == {loader}

    play(scenario)


def test_a_failing_job_raises_where_it_was_given() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        with pytest.raises(ZeroDivisionError):
            await batcher.call(lambda: 1 / 0)
        assert await run(batcher, operation, 1) == [2]

    play(scenario)


def test_a_ticket_tells_where_the_time_went() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        held = await occupy(batcher, operation, device)
        ticket = Ticket(10)
        waiting = asyncio.create_task(batcher.run(operation, rows_of(1), ticket))
        await asyncio.sleep(0.1)
        device.gate.set()
        await asyncio.gather(held, waiting)
        assert 0.05 < ticket.queue < 5
        assert 0 < ticket.device < ticket.queue
        assert 0 <= ticket.batch < ticket.queue

    play(scenario)
