"""Answers that are kept: the cache's laws, and that nobody can tell a kept answer by its bytes."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from app.answer_cache import LARGEST_PART, OVERHEAD_BYTES, AnswerCache, Body, Key
from app.engine.entry import Ticket
from app.metrics import Metrics
from tests.app.conftest import cache_results, counted

PLACES = LARGEST_PART
ROOM = 4096
# So large that exactly PLACES of them fit into PLACES * ROOM bytes.
FULL = (bytes(ROOM - OVERHEAD_BYTES),)


class Maker:
    """Makes answers, and counts how often it had to."""

    def __init__(self, cache: AnswerCache) -> None:
        self.cache = cache
        self.made: list[str] = []

    async def get(self, name: str, body: Body = FULL) -> Body:
        async def make() -> Body:
            self.made.append(name)
            return body

        return await self.cache.get(key(name), make, Ticket(10))

    async def keeps(self, name: str) -> bool:
        """Whether there is an answer; to have asked is a use of it."""

        async def make() -> Body:
            raise LookupError(name)

        try:
            await self.cache.get(key(name), make, Ticket(10))
        except LookupError:
            return False
        return True


def key(name: str) -> Key:
    return ("grey@1", "png", name)


def play(scenario: Callable[[Maker], Awaitable[None]], max_bytes: int = PLACES * ROOM) -> Metrics:
    metrics = Metrics()
    asyncio.run(_run(scenario, Maker(AnswerCache(max_bytes, metrics))))
    return metrics


async def _run(scenario: Callable[[Maker], Awaitable[None]], maker: Maker) -> None:
    await asyncio.wait_for(scenario(maker), 20)


def test_what_was_made_is_not_made_again() -> None:
    async def scenario(maker: Maker) -> None:
        for _ in range(3):
            assert await maker.get("a", (b"one", memoryview(b"two"))) == (b"one", b"two")
        assert await maker.get("b", ()) == ()
        assert maker.made == ["a", "b"]

    text = play(scenario).exposition().decode()
    assert cache_results(text) == {"hit": 2, "miss": 2, "shared": 0, "not_modified": 0}


def test_the_one_unused_for_longest_goes_first() -> None:
    async def scenario(maker: Maker) -> None:
        for number in range(PLACES):
            await maker.get(str(number))
        await maker.get("0")
        await maker.get("new")
        assert [name for name in "0123456789" if await maker.keeps(name)] == list("0234567")
        assert await maker.keeps("new")

    play(scenario)


def test_a_cache_of_no_size_keeps_nothing() -> None:
    async def scenario(maker: Maker) -> None:
        for _ in range(3):
            await maker.get("a", (b"x",))
            await maker.get("b", ())
        assert maker.made == ["a", "b"] * 3

    assert counted(play(scenario, 0).exposition().decode(), "latentd_cache_bytes") == {"": 0}


def test_an_answer_larger_than_its_part_is_not_kept() -> None:
    async def scenario(maker: Maker) -> None:
        await maker.get("kept")
        await maker.get("large", (*FULL, b"x"))
        assert await maker.keeps("kept")
        assert not await maker.keeps("large")

    play(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_no_run_of_questions_makes_it_larger_than_it_may_be(seed: int) -> None:
    dice = random.Random(seed)
    metrics = Metrics()
    sizes = {str(n): dice.choice([0, 10, 500, 2000, 3000, ROOM, 2 * ROOM]) for n in range(60)}
    limit = PLACES * ROOM

    async def scenario(maker: Maker) -> None:
        for _ in range(400):
            name = dice.choice([*sizes])
            half = sizes[name] // 2
            parts = (bytes(half), memoryview(bytes(sizes[name] - half)))
            assert sum(map(len, await maker.get(name, parts))) == sizes[name]
            told = counted(metrics.exposition().decode(), "latentd_cache_bytes")[""]
            assert told <= limit
        kept = [size for name, size in sizes.items() if await maker.keeps(name)]
        told = counted(metrics.exposition().decode(), "latentd_cache_bytes")[""]
        assert limit / 2 < sum(kept) <= told <= limit

    asyncio.run(_run(scenario, Maker(AnswerCache(limit, metrics))))


class Slow:
    """An answer in the making, which ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.failures = 0
        self.told = asyncio.Event()

    async def make(self) -> Body:
        self.begun += 1
        number = self.begun
        await self.told.wait()
        if number <= self.failures:
            raise ValueError(f"making number {number} failed")
        return (b"made by number %d" % number,)

    async def ask(self, cache: AnswerCache, count: int) -> "list[asyncio.Task[Body]]":
        """So many who ask for it at once."""
        tasks = [
            asyncio.create_task(cache.get(key("slow"), self.make, Ticket(10))) for _ in range(count)
        ]
        await asyncio.sleep(0.01)
        return tasks


def test_many_at_once_have_one_made() -> None:
    async def scenario(maker: Maker) -> None:
        slow = Slow()
        tasks = await slow.ask(maker.cache, 50)
        assert slow.begun == 1
        slow.told.set()
        assert await asyncio.gather(*tasks) == [(b"made by number 1",)] * 50

    assert cache_results(play(scenario).exposition().decode())["shared"] == 49
    # Even where nothing is kept, what is being made is shared.
    assert cache_results(play(scenario, 0).exposition().decode())["miss"] == 1


def test_other_questions_do_not_wait_for_one() -> None:
    async def scenario(maker: Maker) -> None:
        slow = Slow()
        waiting = await slow.ask(maker.cache, 2)
        assert await maker.get("quick", (b"x",)) == (b"x",)
        slow.told.set()
        await asyncio.gather(*waiting)

    play(scenario)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_failure_is_told_to_the_one_who_made_it_alone(failures: int) -> None:
    async def scenario(maker: Maker) -> None:
        slow = Slow()
        slow.failures = failures
        tasks = await slow.ask(maker.cache, 10)
        slow.told.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, ValueError)]
        assert len(failed) == failures
        assert set(map(str, failed)) == {f"making number {n + 1} failed" for n in range(failures)}
        made = b"made by number %d" % (failures + 1)
        assert [answer for answer in answers if answer not in failed] == [(made,)] * (10 - failures)
        assert slow.begun == failures + 1

    play(scenario)


def test_nobody_suffers_from_the_maker_leaving() -> None:
    async def scenario(maker: Maker) -> None:
        slow = Slow()
        tasks = await slow.ask(maker.cache, 10)
        for left in (1, 2, 3):
            tasks[left - 1].cancel()
            await asyncio.sleep(0.01)
            assert slow.begun == left + 1
        slow.told.set()
        assert await asyncio.gather(*tasks[3:]) == [(b"made by number 4",)] * 7
        assert all(task.cancelled() for task in tasks[:3])

    play(scenario)


def test_nobody_suffers_from_others_leaving() -> None:
    async def scenario(maker: Maker) -> None:
        slow = Slow()
        tasks = await slow.ask(maker.cache, 10)
        for task in tasks[1:9]:
            task.cancel()
        await asyncio.sleep(0.01)
        slow.told.set()
        assert await tasks[0] == await tasks[9] == (b"made by number 1",)
        assert slow.begun == 1

    play(scenario)


def test_when_all_leave_the_next_one_makes_it() -> None:
    async def scenario(maker: Maker) -> None:
        slow = Slow()
        for task in await slow.ask(maker.cache, 3):
            task.cancel()
        await asyncio.sleep(0.01)
        slow.told.set()
        (last,) = await slow.ask(maker.cache, 1)
        assert await last == (b"made by number %d" % slow.begun,)

    play(scenario)


# From here on over HTTP.
