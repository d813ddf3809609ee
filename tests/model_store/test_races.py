"""Publishers in processes of their own, against each other and against SIGKILL."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from model_store import ModelId, VersionTaken, load, publish, published
from model_store.manifest import Draft
from tests.model_store.tiny import Tiny, publish_tiny, scripted, tiny_draft, tiny_probe

PUBLISHERS = 4
START_TOGETHER = 0.3  # seconds until all processes have their work


@pytest.fixture(scope="module")
def publishers() -> Iterator[ProcessPoolExecutor]:
    """Processes that imported torch once, in the server they are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(PUBLISHERS, mp_context=context) as pool:
        yield pool


def publish_at(
    moment: float, draft: Draft, file: Path, store: Path, version: int | None
) -> ModelId | str:
    time.sleep(max(0.0, moment - time.time()))
    try:
        return publish(draft, file, store, version)
    except VersionTaken as error:
        return str(error)


def names_in(store: Path) -> list[str]:
    return [entry.name for entry in store.iterdir()]


def raced(
    pool: ProcessPoolExecutor, store: Path, count: int, version: int | None
) -> list[ModelId | str]:
    module = Tiny().eval()
    draft, file = tiny_draft(probe=tiny_probe(module)), scripted(module, store.parent)
    moment = time.time() + START_TOGETHER
    runs = [pool.submit(publish_at, moment, draft, file, store, version) for _ in range(count)]
    return [run.result() for run in runs]


def test_of_two_publishers_of_one_version_one_wins_and_the_other_is_told(
    store: Path, publishers: ProcessPoolExecutor
) -> None:
    first, second = sorted(raced(publishers, store, 2, version=3), key=str)
    assert first == ModelId("tiny", 3)
    assert "tiny@3 was published before" in str(second)
    assert published(store) == [ModelId("tiny", 3)]
    assert names_in(store) == ["tiny"]
    load(store, ModelId("tiny", 3))


def test_publishers_without_a_version_all_land_on_numbers_of_their_own(
    store: Path, publishers: ProcessPoolExecutor
) -> None:
    expected = [ModelId("tiny", version) for version in range(1, 2 * PUBLISHERS + 1)]
    landed = raced(publishers, store, 2 * PUBLISHERS, version=None)
    assert sorted(landed, key=str) == expected
    assert published(store) == expected
    assert names_in(store) == ["tiny"]
    for model in expected:
        load(store, model)


def test_a_publisher_killed_halfway_leaves_the_store_as_it_was(store: Path) -> None:
    model = publish_tiny(store)
    module = Tiny().eval()
    content = scripted(module, store.parent).read_bytes()
    pipe = store.parent / "pipe"  # a file that the publisher reads as slowly as the test writes
    os.mkfifo(pipe)
    context = multiprocessing.get_context("forkserver")
    publisher = context.Process(target=publish, args=(tiny_draft(), pipe, store))
    publisher.start()
    with pipe.open("wb", buffering=0) as writer:
        writer.write(content[: len(content) // 2])
        while not list(store.glob(".staging-*/model.ts")):
            assert publisher.is_alive()
            time.sleep(0.01)
        os.kill(publisher.pid or 0, signal.SIGKILL)
        publisher.join()
    assert publisher.exitcode == -signal.SIGKILL
    assert list(store.glob(".staging-*"))
    assert published(store) == [model]
    load(store, model)
    assert publish_tiny(store) == ModelId("tiny", 2)
