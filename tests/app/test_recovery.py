"""What the batcher does when the device cannot: poison, no memory, a device lost for good."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from app.engine.batcher import Batcher
from app.engine.loaded_model import Operation
from app.errors import DeviceFailed, DeviceLost, NotFinite
from tests.app.held_device import INFINITE, LARGEST, POISON, Device, ask, occupy, play, run


def test_poison_hurts_only_its_owner() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        good = [await ask(batcher, operation, n) for n in (1, 2)]
        bad = await ask(batcher, operation, POISON)
        device.gate.set()
        assert await asyncio.gather(*good) == [[2], [4]]
        with pytest.raises(DeviceFailed, match="the log has what it said") as told:
            await bad
        # What the device said may hold anything: it is the log's, not the sender's.
        assert "poison" not in str(told.value)
        assert str(told.value.__cause__) == "poison"
        assert await run(batcher, operation, 7) == [14]

    assert not play(scenario).lost


def test_a_large_request_that_fails_leaves_nothing_behind() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        for _ in range(3):
            with pytest.raises(DeviceFailed):
                await run(batcher, operation, POISON, *[1] * 50)
            # Its rows are given back, once the device's thread has come to them: the
            # queue holds one such request and no more.
            await asyncio.sleep(0.05)
            assert await run(batcher, operation, *[1] * 60) == [2] * 60

    play(scenario, max_rows=60)


def test_an_answer_that_is_no_number_is_an_error_of_its_owner_alone() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        good = await ask(batcher, operation, 1)
        bad = await ask(batcher, operation, INFINITE)
        device.gate.set()
        assert await good == [2]
        with pytest.raises(NotFinite, match="NaN or infinity"):
            await bad

    play(scenario)


def test_without_memory_for_a_batch_its_halves_are_run() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        waiting = [await ask(batcher, operation, *([n] * n)) for n in (1, 2, 5)]
        device.gate.set()
        assert await asyncio.gather(*waiting) == [[2], [4] * 2, [10] * 5]

    device = play(scenario, Device(memory=2))
    assert all(len(batch) <= 2 for batch in device.batches)
    assert not device.lost


def test_without_memory_for_any_size_the_request_fails_and_the_device_is_kept() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        device.gate.set()
        with pytest.raises(DeviceFailed, match="no memory"):
            await run(batcher, operation, 1, 2, 3)
        device.memory = LARGEST
        assert await run(batcher, operation, 4) == [8]

    # One size, so there is no smaller one to go to.
    assert not play(scenario, Device(memory=0), sizes=(LARGEST,)).lost


def test_a_device_that_fails_what_it_could_do_is_lost() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        waiting = [await ask(batcher, operation, *[n] * 20) for n in (1, 2)]
        device.broken = True
        device.gate.set()
        for task in waiting:
            with pytest.raises((DeviceFailed, DeviceLost)):
                await task
        while not device.lost:
            await asyncio.sleep(0.01)
        with pytest.raises(DeviceLost, match="rows that it could run before") as told:
            await run(batcher, operation, 1)
        assert "poison" not in str(told.value)

    (reason,) = play(scenario).lost
    assert reason.endswith(": poison")


def test_a_device_that_hangs_is_lost_and_everybody_is_told() -> None:
    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        held = await occupy(batcher, operation, device)
        waiting = await ask(batcher, operation, 1)
        began = time.monotonic()
        for task in (held, waiting):
            with pytest.raises(DeviceLost, match="LATENTD_DEVICE_TIMEOUT_S"):
                await task
        assert time.monotonic() - began < 5

    assert len(play(scenario, device_timeout=0.2).lost) == 1


def test_an_event_loop_that_hangs_in_a_batch_of_its_own_is_noticed_meanwhile() -> None:
    class Freeing(list[str]):
        """Lets the held batch return, as the end of the process would."""

        def append(self, reason: str) -> None:
            super().append(reason)
            device.gate.set()

    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        held = await ask(batcher, replace(operation, on_loop=True), 1)
        await asyncio.gather(held, return_exceptions=True)
        assert device.threads == {threading.current_thread().name}

    device = Device(lost=Freeing())
    began = time.monotonic()
    (reason,) = play(scenario, device, device_timeout=0.2).lost
    assert "LATENTD_DEVICE_TIMEOUT_S" in reason
    # The batch would have been held for 10 seconds.
    assert time.monotonic() - began < 8


def test_a_device_that_hangs_while_the_service_ends_is_noticed() -> None:
    device = Device()

    async def scenario(batcher: Batcher, operation: Operation, device: Device) -> None:
        await occupy(batcher, operation, device)
        closing = asyncio.create_task(batcher.close())
        while not device.lost:
            await asyncio.sleep(0.01)
        device.gate.set()
        await closing

    assert len(play(scenario, device, device_timeout=0.2).lost) == 1
