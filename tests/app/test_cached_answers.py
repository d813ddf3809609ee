"""Answers that were given before, from a service that keeps them: never one for another."""

import asyncio
import random
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.formats import FORMATS
from tests.app.conftest import cache_results, counted
from tests.app.odd_models import images, publish_odd
from tests.app.processes import Service, service
from tests.factories import publish_kind

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
    return cache_results(text), sum(counted(text, "latentd_batch_rows_count").values())


QUESTIONS = [
    "/sample?seed=901&n=3",
    "/sample?seed=902&n=3&format=json",
    "/models/rows/sample?seed=903",
    "/sample?seed=904&n=2&format=npy",
    "/sample?seed=905&format=safetensors",
    "/sample?seed=906&n=2&format=zip",
    "/sample?seed=906&n=2&format=webp",
    "/sample?seed=906&n=2&format=sprite",
    "/sample?seed=906&n=2&format=gif&fps=3&repeats=2",
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
    forms = [("format", name) for name in FORMATS]
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
    for question in dice.sample(asked * 2, k=len(asked) * 2):
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
