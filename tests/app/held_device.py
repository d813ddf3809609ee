"""A device for the batcher's laws: it doubles rows, tells what it was given, and can be held."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from app.arrays import Floats, Rows
from app.engine.batcher import Batcher, QueueLimits
from app.engine.buckets import Buckets
from app.engine.entry import Ticket
from app.engine.execution import Answers
from app.engine.loaded_model import Operation
from app.metrics import Metrics

POISON = -1.0
INFINITE = -2.0
LARGEST = 8


@dataclass
class Device:
    """An execution of its own. What is left over from earlier batches is cleared, so that a batch's
    record holds its own rows alone; rows of 0 are not recorded.
    """

    batches: list[list[float]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    stage: Floats = field(default_factory=lambda: np.zeros((LARGEST, 1), np.float32))
    memory: int = LARGEST  # rows that it has memory for
    broken: bool = False
    lost: list[str] = field(default_factory=list)  # what the batcher's owner was told

    def run(self, size: int, *, values: bool, levels: bool) -> Answers:
        """Double the first `size` rows."""
        self.entered.set()
        self.gate.wait(10)
        self.threads.add(threading.current_thread().name)
        rows = self.stage[:size].copy()
        if size > self.memory:
            raise torch.OutOfMemoryError("no memory for so many rows")
        self.batches.append([value for value in rows[:, 0].tolist() if value])
        self.stage[:] = 0
        if self.broken or (rows == POISON).any():
            raise RuntimeError("poison")
        finite = rows[:, 0] != INFINITE
        doubled = rows * 2
        return Answers(
            doubled if values else None,
            doubled.astype(np.uint8) if levels else None,
            None if finite.all() else finite,
        )


def rows_of(*numbers: float) -> Floats:
    """One row a number."""
    return np.array(numbers, np.float32)[:, None]


Scenario = Callable[[Batcher, Operation, Device], Awaitable[None]]


def play(
    scenario: Scenario,
    device: Device | None = None,
    *,
    sizes: tuple[int, ...] = (1, 2, 4, LARGEST),
    **changed: float,
) -> Device:
    """Run `scenario` with a batcher whose device is held until its gate is opened."""
    held = device or Device()
    operation = Operation("test@1", "decode", held, Buckets(sizes), row_bytes=8)
    given = {"max_rows": 1000, "device_timeout": 20.0} | changed
    limits = QueueLimits(int(given["max_rows"]), given["device_timeout"])

    async def main() -> None:
        batcher = Batcher(Metrics(), limits, held.lost.append)
        try:
            await asyncio.wait_for(scenario(batcher, operation, held), 20)
        finally:
            held.gate.set()
            await batcher.close()

    asyncio.run(main())
    return held


async def run(
    batcher: Batcher, operation: Operation, *numbers: float, timeout: float = 10
) -> list[float]:
    """The answers to some numbers."""
    answer = await batcher.run(operation, rows_of(*numbers), Ticket(timeout))
    return [float(value) for value in answer[:, 0]]


async def ask(
    batcher: Batcher, operation: Operation, *numbers: float, timeout: float = 10
) -> "asyncio.Task[list[float]]":
    """Put a request in the queue and give back what will be its answer."""
    task = asyncio.create_task(run(batcher, operation, *numbers, timeout=timeout))
    await asyncio.sleep(0)
    return task


async def occupy(
    batcher: Batcher, operation: Operation, device: Device
) -> "asyncio.Task[list[float]]":
    """Let one request hold the device, so that what follows waits."""
    task = await ask(batcher, operation, 99)
    await asyncio.to_thread(device.entered.wait, 10)
    return task


async def levels_of(batcher: Batcher, operation: Operation, *numbers: float) -> Rows:
    """The same as images' levels."""
    return await batcher.run(operation, rows_of(*numbers), Ticket(10), levels=True)
