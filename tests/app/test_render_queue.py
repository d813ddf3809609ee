"""Drawing in threads: who is admitted, who is dropped before it begins, and who waits for whom."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from app.engine.entry import Ticket
from app.errors import DeadlinePassed, Overloaded
from app.metrics import Metrics
from app.render_queue import SHORT_EFFORT, Check, Rendering, RenderQueue
from app.worker_threads import INLINE_BYTES

SHORT, LONG = SHORT_EFFORT, SHORT_EFFORT + 1


class Desk:
    """A queue of one thread of each kind, and work for it that can be held."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.queue = RenderQueue(self.metrics, 1)
        self.gate = threading.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []

    def admit(self, effort: int, timeout: float = 10) -> Rendering:
        rendering = self.queue.admit(effort, Ticket(timeout))
        assert rendering is not None
        return rendering

    def draw(self, name: str, rendering: Rendering) -> "asyncio.Task[str]":
        """Draw it until the gate is open."""

        def write(check: Check) -> str:
            self.begun.append(name)
            while not self.gate.wait(0.01):
                check()
            self.ended.append(name)
            return name

        async def run() -> str:
            try:
                return await rendering.run(write)
            finally:
                rendering.close()

        return asyncio.create_task(run())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)

    @property
    def queued(self) -> float | None:
        return self.metrics.registry.get_sample_value("latentd_queued_renderings")

    def dropped(self, reason: str) -> float:
        labels = {"reason": reason}
        return self.metrics.registry.get_sample_value("latentd_dropped_total", labels) or 0


def play(scenario: Callable[[Desk], Awaitable[None]]) -> None:
    async def main() -> None:
        desk = Desk()
        try:
            await asyncio.wait_for(scenario(desk), 30)
            desk.gate.set()
            await desk.until(lambda: desk.queued == 0)
        finally:
            desk.gate.set()
            desk.queue.close()

    asyncio.run(main())


def test_what_is_quickly_drawn_needs_no_place() -> None:
    async def scenario(desk: Desk) -> None:
        assert desk.queue.admit(INLINE_BYTES, Ticket(10)) is None

    play(scenario)


def test_a_short_drawing_does_not_wait_for_a_long_one() -> None:
    async def scenario(desk: Desk) -> None:
        long = desk.draw("long", desk.admit(LONG))
        waits = desk.draw("waits", desk.admit(LONG))
        await desk.until(lambda: desk.begun == ["long"])
        rendering = desk.admit(SHORT)
        assert await rendering.run(lambda _: "short") == "short"
        rendering.close()
        assert desk.queued == 2
        desk.gate.set()
        assert [await long, await waits] == ["long", "waits"]

    play(scenario)


def test_what_expires_or_whose_client_leaves_is_dropped_before_it_begins() -> None:
    async def scenario(desk: Desk) -> None:
        first = desk.draw("first", desk.admit(LONG))
        await desk.until(lambda: desk.begun == ["first"])
        late = desk.draw("late", desk.admit(LONG, timeout=0.6))
        left = desk.draw("left", desk.admit(LONG))
        await asyncio.sleep(0.01)
        left.cancel()
        with pytest.raises(DeadlinePassed):
            await late
        with pytest.raises(asyncio.CancelledError):
            await left
        assert (desk.dropped("deadline"), desk.dropped("client_gone")) == (1, 1)
        assert desk.queued == 1
        desk.gate.set()
        await first
        assert desk.begun == ["first"]

    play(scenario)


def test_a_drawing_under_way_is_answered_at_its_deadline_and_ends_soon() -> None:
    async def scenario(desk: Desk) -> None:
        late = desk.draw("late", desk.admit(LONG, timeout=2))
        await desk.until(lambda: desk.begun == ["late"])
        with pytest.raises(DeadlinePassed):
            await late
        # Its thread is free again although nobody opened the gate.
        await desk.until(lambda: desk.queued == 0)
        assert desk.ended == []

    play(scenario)


def test_who_cannot_be_drawn_for_in_time_is_told_at_the_door() -> None:
    async def scenario(desk: Desk) -> None:
        measured = desk.admit(LONG)
        await measured.run(lambda _: time.sleep(0.3))
        measured.close()
        first = desk.draw("first", desk.admit(1000 * LONG))
        with pytest.raises(Overloaded, match="X-Request-Timeout") as refused:
            desk.admit(LONG, timeout=1)
        assert refused.value.retry_after > 1
        assert desk.dropped("overloaded") == 1
        # Short ones have threads of their own, and who may wait longer is let in.
        desk.admit(SHORT, timeout=1).close()
        desk.admit(LONG, timeout=1e6).close()
        desk.gate.set()
        await first

    play(scenario)


def test_the_place_is_taken_from_the_door_on() -> None:
    async def scenario(desk: Desk) -> None:
        rendering = desk.admit(10**6 * LONG)
        with pytest.raises(Overloaded):
            desk.admit(LONG, timeout=1)
        rendering.close()  # its rows could not be computed
        desk.admit(LONG, timeout=1).close()

    play(scenario)
