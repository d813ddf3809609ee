"""Answers that are kept: the cache's laws, and that nobody can tell a kept answer by its bytes."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.answer_cache import LARGEST_PART, OVERHEAD_BYTES, AnswerCache, Body, Key
from app.engine.entry import Ticket
from app.metrics import Metrics
from tests.app.odd_models import images, publish_odd
from tests.app.processes import Service, service
from tests.factories import publish_kind

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


def counted(text: str, metric: str) -> dict[str, float]:
    """The values of a metric by its labels, as /metrics writes them."""
    found = re.findall(rf"^{metric}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def results(text: str) -> dict[str, float]:
    """How often the cache had which result."""
    return {
        labels.removeprefix('result="').rstrip('"'): value
        for labels, value in counted(text, "latentd_cache_total").items()
    }


def test_what_was_made_is_not_made_again() -> None:
    async def scenario(maker: Maker) -> None:
        for _ in range(3):
            assert await maker.get("a", (b"one", memoryview(b"two"))) == (b"one", b"two")
        assert await maker.get("b", ()) == ()
        assert maker.made == ["a", "b"]

    text = play(scenario).exposition().decode()
    assert results(text) == {"hit": 2, "miss": 2, "shared": 0, "not_modified": 0}


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

    assert results(play(scenario).exposition().decode())["shared"] == 49
    # Even where nothing is kept, what is being made is shared.
    assert results(play(scenario, 0).exposition().decode())["miss"] == 1


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

MEGABYTE = 2**20
CACHE_BYTES = 4 * MEGABYTE


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("keeping") / "store"
    store.mkdir()
    for kind, seed in (("grey", 0), ("grey", 1), ("rows", 0)):
        publish_kind(store, kind, seed=seed)
    publish_odd(store, "wide", images(1, 64, 64))
    models = "grey@1,grey@2,rows,wide"
    with service(store, models=models, cache_bytes=CACHE_BYTES) as running:
        running.said("ready")
        yield running


@pytest.fixture
def asking(keeping: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keeping.url, timeout=30) as client:
        yield client


def happened(client: httpx.Client) -> tuple[dict[str, float], float]:
    """The cache's results so far, and how many batches the device has run."""
    text = client.get("/metrics").text
    return results(text), sum(counted(text, "latentd_batch_rows_count").values())


QUESTIONS = [
    "/sample?seed=901&n=3",
    "/sample?seed=902&n=3&format=json",
    "/models/rows/sample?seed=903",
    "/sample?seed=904&n=2&format=npy",
    "/sample?seed=905&format=safetensors",
    "/sample?seed=906&n=2&format=zip",
    "/interpolate?seed=907&seed=908",
]


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_seeded_question_asks_the_device_once(asking: httpx.Client, path: str) -> None:
    first = asking.get(path)
    assert first.status_code == 200
    before, batches = happened(asking)
    for _ in range(3):
        again = asking.get(path)
        assert again.content == first.content
        headers = {*first.headers} - {"server-timing", "date", "x-request-id"}
        assert {name: again.headers[name] for name in headers} == {
            name: first.headers[name] for name in headers
        }
    after, batches_after = happened(asking)
    assert after == before | {"hit": before["hit"] + 3}
    assert batches_after == batches


def test_the_same_question_in_other_words_is_the_same(asking: httpx.Client) -> None:
    first = asking.get("/sample?seed=911")
    before, batches = happened(asking)
    for path in ("/sample?n=1&seed=911", "/sample?temperature=1e0&seed=%3911&format=png"):
        assert asking.get(path).content == first.content
    after, batches_after = happened(asking)
    assert after["hit"] == before["hit"] + 2
    assert batches_after == batches


def test_what_has_no_seed_or_is_posted_is_never_kept(asking: httpx.Client) -> None:
    def ask() -> None:
        for path in ("/sample", "/models/rows/sample?n=2"):
            answer = asking.get(path)
            assert answer.headers["Cache-Control"] == "no-store"
            assert "ETag" not in answer.headers
            asking.post("/sample", json={"seed": 921})
            asking.post("/interpolate", json={"points": [{"seed": 1}, {"seed": 2}]})
            asking.post("/decode", json={"latents": [[0, 0, 0, 0, 0]]})

    ask()
    before, batches = happened(asking)
    ask()
    after, batches_after = happened(asking)
    assert after == before
    assert batches_after == batches + 8
    seeds = {asking.get("/sample").headers["X-Latentd-Seed"] for _ in range(20)}
    assert len(seeds) == 20


def test_questions_that_differ_never_share_an_answer(asking: httpx.Client) -> None:
    """Each GET, kept or not, gives what a POST, which is never kept, gives."""
    dice = random.Random(0)
    forms = [("format", name) for name in ("png", "json", "npy", "safetensors", "zip")]
    forms += [("accept", kind) for kind in ("application/json", "application/x-npy", "*/*")]
    asked = [
        (model, seed, n, temperature, form)
        for model in ("", "/models/grey", "/models/grey@1", "/models/grey@2")
        for seed in (931, 932)
        for n in (1, 2)
        for temperature in (1.0, 0.5)
        for form in forms
    ]
    expected: dict[object, bytes] = {}
    for question in dice.sample(asked * 3, k=len(asked) * 3):
        model, seed, n, temperature, (kind, wish) = question
        form = {"format": wish} if kind == "format" else {}
        headers = {"Accept": wish} if kind == "accept" else {}
        values: dict[str, str | float] = {"seed": seed, "n": n, "temperature": temperature}
        path = model + "/sample"
        if question not in expected:
            answer = asking.post(path, json=values, params=form, headers=headers)
            assert answer.status_code == 200, answer.text
            expected[question] = answer.content
        answer = asking.get(path, params={**form, **values}, headers=headers)
        assert answer.content == expected[question], question
        assert answer.headers["X-Latentd-Model"] == (
            "grey@1" if model in ("", "/models/grey@1") else "grey@2"
        )


def test_fifty_at_once_are_one_miss(asking: httpx.Client, keeping: Service) -> None:
    before, batches = happened(asking)

    async def all_at_once() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=keeping.url, limits=limits, timeout=30) as client:
            await asyncio.gather(*(client.get("/health/live") for _ in range(50)))
            return await asyncio.gather(
                *(client.get("/sample?n=1500&seed=941&format=npy") for _ in range(50))
            )

    answers = asyncio.run(all_at_once())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    after, batches_after = happened(asking)
    assert after["miss"] == before["miss"] + 1
    assert after["hit"] + after["shared"] == before["hit"] + before["shared"] + 49
    # 1,500 rows in batches of 64 at most: fifty times as many would be 1,172 batches or more.
    assert batches_after - batches <= 200


def test_a_failed_question_is_no_answer(asking: httpx.Client) -> None:
    path = "/sample?n=4096&seed=951&format=npy"
    late = asking.get(path, headers={"X-Request-Timeout": "0.000001"})
    assert late.status_code in (503, 504)
    for _ in range(2):
        assert asking.get(path).status_code == 200
    for _ in range(2):
        assert asking.get("/sample?n=5000&seed=951").status_code == 422


def memory(pid: int) -> int:
    """The bytes of memory that a process has in use now."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return 1024 * int(found[1])


def test_what_is_kept_takes_no_more_memory_than_was_set(
    asking: httpx.Client, keeping: Service
) -> None:
    """Rows of 16 KiB, each computed in a batch with others or with padding."""
    for _ in range(100):
        asking.post("/models/wide/sample?format=npy")
    before = memory(keeping.process.pid)
    for seed in range(600):
        asking.get(f"/models/wide/sample?seed={seed}&format=npy")
    told = counted(asking.get("/metrics").text, "latentd_cache_bytes")[""]
    assert CACHE_BYTES / 2 < told <= CACHE_BYTES
    assert memory(keeping.process.pid) - before < CACHE_BYTES + 4 * MEGABYTE


@pytest.mark.parametrize("long", ["format", "accept"])
def test_no_question_leaves_memory_behind_that_the_cache_is_not_charged_for(
    asking: httpx.Client, keeping: Service, long: str
) -> None:
    """Legal heads of nearly the largest size, 15 MB of them."""

    def ask(number: int) -> int:
        word = f"{number:060000}"
        if long == "format":
            return asking.get(f"/sample?seed={number}&format={word}").status_code
        headers = {"Accept": f"image/png, x/{word}"}
        return asking.get("/sample?seed=1", headers=headers).status_code

    assert {ask(number) for number in range(20)} <= {200, 406}
    before = memory(keeping.process.pid)
    for number in range(250):
        ask(1000 + number)
    assert memory(keeping.process.pid) - before < 6 * MEGABYTE
