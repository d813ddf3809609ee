"""The laws of the batcher, on real threads, with operations that tell what they were given."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from app.engine.batcher import Batcher
from app.engine.buckets import Buckets
from app.engine.loaded_model import Operation
from app.errors import DeadlinePassed, DeviceFailed, Overloaded
from app.metrics import Metrics

POISON = -1.0
LARGEST = 8


@dataclass
class Device:
    """Doubles rows; records every batch; can be held so that requests pile up behind it."""

    batches: list[list[float]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)

    def run(self, rows: Tensor) -> Tensor:
        self.entered.set()
        self.gate.wait(10)
        self.threads.add(threading.current_thread().name)
        self.batches.append([value for value in rows[:, 0].tolist() if value])
        if (rows == POISON).any():
            raise RuntimeError("poison")
        return rows * 2


def values(*numbers: float) -> Tensor:
    return torch.tensor(numbers)[:, None]


Scenario = Callable[[Batcher, Operation, Device], Awaitable[None]]


def play(scenario: Scenario, *, max_queue_rows: int = 1000) -> Device:
    """Run `scenario` with a batcher whose device is held until the gate is opened."""
    device = Device()
    sizes = Buckets((1, 2, 4, LARGEST), exact=True)
    operation = Operation("test@1", "decode", device.run, (1,), sizes)

    async def main() -> None:
        batcher = Batcher(Metrics(), max_queue_rows=max_queue_rows)
        try:
            await asyncio.wait_for(scenario(batcher, operation, device), 20)
        finally:
            device.gate.set()
            await batcher.close()

    asyncio.run(main())
    return device


async def ask(
    batcher: Batcher, operation: Operation, rows: Tensor, timeout: float = 10
) -> "asyncio.Task[Tensor]":
    """Put a request in the queue and give back what will be its answer."""
    task = asyncio.create_task(batcher.run(operation, rows, timeout))
    await asyncio.sleep(0)
    return task


async def occupy(batcher: Batcher, operation: Operation, device: Device) -> "asyncio.Task[Tensor]":
    """Let one request hold the device, so that what follows waits."""
    task = await ask(batcher, operation, values(99))
    await asyncio.to_thread(device.entered.wait, 10)
    return task


def test_what_waits_while_the_device_is_busy_is_one_batch() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        first = await occupy(batcher, operation, device)
        waiting = [await ask(batcher, operation, values(n)) for n in (1, 2, 3)]
        device.gate.set()
        answers = await asyncio.gather(first, *waiting)
        assert [answer.tolist() for answer in answers] == [[[198]], [[2]], [[4]], [[6]]]

    assert play(scenario).batches == [[99], [1, 2, 3]]


def test_a_lone_request_does_not_wait_for_company() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        began = time.monotonic()
        await batcher.run(operation, values(1), 10)
        assert time.monotonic() - began < 1

    assert play(scenario).batches == [[1]]


def test_a_large_request_goes_in_turn_with_small_ones() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        large = await ask(batcher, operation, values(*range(1, 101)))
        small = await ask(batcher, operation, values(1000))
        device.gate.set()
        assert (await small).tolist() == [[2000]]
        assert (await large)[:, 0].tolist() == [2.0 * n for n in range(1, 101)]

    device = play(scenario)
    assert 1000 in device.batches[1]
    assert all(len(batch) <= LARGEST for batch in device.batches)


def test_two_large_requests_share_every_batch() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        ones = await ask(batcher, operation, values(*[1] * 20))
        twos = await ask(batcher, operation, values(*[2] * 20))
        device.gate.set()
        await asyncio.gather(ones, twos)

    batches = play(scenario).batches[1:]
    assert all(set(batch) == {1, 2} for batch in batches)


def test_a_request_whose_client_left_is_dropped_and_its_neighbours_are_answered() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        before, left, after = [await ask(batcher, operation, values(n)) for n in (1, 2, 3)]
        left.cancel()
        await asyncio.sleep(0)
        device.gate.set()
        assert (await before).tolist() == [[2]]
        assert (await after).tolist() == [[6]]
        with pytest.raises(asyncio.CancelledError):
            await left

    assert play(scenario).batches == [[99], [1, 3]]


def test_a_client_that_leaves_in_the_middle_of_its_rows_frees_the_rest() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        large = await ask(batcher, operation, values(*[1] * 1000))
        await asyncio.to_thread(device.entered.wait, 10)
        large.cancel()
        small = await ask(batcher, operation, values(5))
        device.gate.set()
        assert (await small).tolist() == [[10]]

    assert sum(len(batch) for batch in play(scenario).batches) < 50


def test_a_request_past_its_deadline_is_dropped_and_told_so() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        late = await ask(batcher, operation, values(1), timeout=0.01)
        patient = await ask(batcher, operation, values(2))
        await asyncio.sleep(0.05)
        device.gate.set()
        with pytest.raises(DeadlinePassed, match="LATENTD_REQUEST_TIMEOUT"):
            await late
        assert (await patient).tolist() == [[4]]

    assert play(scenario).batches == [[99], [2]]


def test_a_full_queue_refuses_at_the_door_and_keeps_what_it_has() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        kept = await ask(batcher, operation, values(*[1] * 10))
        with pytest.raises(Overloaded, match="LATENTD_MAX_QUEUE_ROWS") as refused:
            await batcher.run(operation, values(2, 2, 2), 10)
        assert refused.value.retry_after > 0
        device.gate.set()
        assert len(await kept) == 10
        assert (await batcher.run(operation, values(3), 10)).tolist() == [[6]]

    play(scenario, max_queue_rows=12)


def test_poison_hurts_only_its_owner() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        good = [await ask(batcher, operation, values(n)) for n in (1, 2)]
        bad = await ask(batcher, operation, values(POISON))
        device.gate.set()
        assert [answer.item() for answer in await asyncio.gather(*good)] == [2, 4]
        with pytest.raises(DeviceFailed, match="poison"):
            await bad
        assert (await batcher.run(operation, values(7), 10)).tolist() == [[14]]

    play(scenario)


def test_one_thread_runs_everything_loading_included() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        loader = await batcher.call(lambda: threading.current_thread().name)
        await asyncio.gather(*[batcher.run(operation, values(n + 1), 10) for n in range(50)])
        assert device.threads == {loader}

    play(scenario)


def test_a_failing_job_raises_where_it_was_given() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        with pytest.raises(ZeroDivisionError):
            await batcher.call(lambda: 1 / 0)
        assert (await batcher.run(operation, values(1), 10)).item() == 2

    play(scenario)


def test_closing_answers_what_waits() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        waiting = [await ask(batcher, operation, values(n)) for n in range(1, 30)]
        device.gate.set()
        await batcher.close()
        assert [answer.item() for answer in await asyncio.gather(*waiting)] == [
            2 * n for n in range(1, 30)
        ]
        with pytest.raises(Overloaded):
            await batcher.run(operation, values(1), 10)

    play(scenario)


def test_a_hundred_requests_of_many_sizes_each_get_their_own_rows() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        requests = [values(*range(n, n + 1 + n % 23)) + 1 for n in range(100)]
        answers = await asyncio.gather(*[batcher.run(operation, r, 10) for r in requests])
        for request, answer in zip(requests, answers, strict=True):
            assert torch.equal(answer, request * 2)

    play(scenario, max_queue_rows=10_000)


def test_two_operations_take_turns() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        batches_before: list[int] = []

        def run(rows: Tensor) -> Tensor:
            batches_before.append(len(device.batches))
            return rows

        other = Operation("test@1", "encode", run, (1,), operation.buckets)
        await occupy(batcher, operation, device)
        large = await ask(batcher, operation, values(*[1] * 100))
        small = await ask(batcher, other, values(3))
        device.gate.set()
        await asyncio.gather(small, large)
        assert batches_before == [2]

    play(scenario)
