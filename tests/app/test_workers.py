"""Several workers on one port: what a client and an operator see of them."""

import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.app.processes import Service, runs, service, until
from tests.factories import publish_kind
from tests.serving import refusal

REQUESTS = re.compile(r'latentd_requests_total\{method="(\w+)",route="(.+)",status="(\d+)"\} (\S+)')


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("shared") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


@pytest.fixture(scope="module")
def two(store: Path) -> Iterator[Service]:
    """Two workers, both ready; the tests below kill and replace them."""
    with service(store, workers=2) as running:
        assert running.url
        yield running


def who(answer: httpx.Response) -> str:
    """The worker that answered: each begins the ids that it draws with its own prefix."""
    return str(answer.headers["X-Request-Id"]).partition("-")[0]


def answers_of_both(running: Service, path: str) -> dict[str, bytes]:
    """The answer to a request by each of two workers."""
    found: dict[str, bytes] = {}

    def both() -> bool:
        answer = running.get(path)
        assert answer.status_code == 200
        found[who(answer)] = answer.content
        return len(found) == 2

    until(both, lambda: f"one worker alone answered: {set(found)}")
    return found


def counted(running: Service) -> Counter[tuple[str, str, str]]:
    found = REQUESTS.findall(running.get("/metrics").text)
    return Counter(
        {(method, route, status): int(float(count)) for method, route, status, count in found}
    )


def test_two_workers_answer_a_seeded_question_with_the_same_bytes(two: Service) -> None:
    assert len(two.workers()) == 2
    assert len(set(answers_of_both(two, "/sample?seed=3&n=5&format=npy").values())) == 1


def test_the_counts_of_all_workers_are_the_clients_own(two: Service) -> None:
    paths = ["/sample?seed=1", "/sample?n=0", "/models", "/nowhere", "/models/grey@1/sample?seed=2"]
    routes = ["/sample", "/sample", "/models", "unknown", "/models/{model}/sample"]
    before = counted(two)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(two.get, paths * 20))
    assert len({who(answer) for answer in answers}) == 2
    tally = Counter(
        ("GET", route, str(answer.status_code))
        for route, answer in zip(routes * 20, answers, strict=True)
    )

    def same() -> bool:
        now = counted(two) - before
        return {key: now[key] for key in now if key[1] != "/metrics"} == tally

    until(same, lambda: f"{counted(two) - before} counted, {tally} answered", seconds=3)
    text = two.get("/metrics").text
    assert "latentd_ready 1.0" in text
    assert "latentd_queued_rows 0.0" in text
    assert text.count("latentd_model_info{") == 1


def test_the_connections_of_all_workers_are_summed(two: Service) -> None:
    host, _, port = two.url.removeprefix("http://").rpartition(":")

    def summed() -> float:
        found = re.search(r"latentd_connections (\d\S*)", two.get("/metrics").text)
        return float(found[1]) if found else 0

    with ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
        until(lambda: summed() >= 16, lambda: f"{summed()} of 16 connections are counted")
    until(lambda: summed() <= 2, lambda: f"{summed()} connections are left", 8)


def test_a_worker_that_is_killed_is_replaced_and_its_counts_stay(two: Service) -> None:
    before, workers = counted(two), two.workers()
    victim = min(workers)
    os.kill(victim, signal.SIGKILL)
    two.said(f"worker {victim} ended with SIGKILL; another takes its place")
    assert two.get("/sample?seed=1").status_code == 200
    until(lambda: len(two.workers()) == 2, lambda: "no worker took its place")
    assert len(set(answers_of_both(two, "/sample?seed=3&format=npy").values())) == 1
    assert not before - counted(two)


def test_a_hangup_brings_new_workers_with_new_models_and_no_gap(two: Service, store: Path) -> None:
    old = two.workers()
    publish_kind(store, "grey", seed=1)
    two.process.send_signal(signal.SIGHUP)
    while "reloaded" not in two.log:
        assert two.get("/health/ready").status_code == 200
        time.sleep(0.02)
    assert not old & two.workers()
    assert len(two.workers()) == 2
    assert two.get("/sample").headers["X-Latentd-Model"] == "grey@2"


def test_a_reload_that_fails_leaves_the_workers_as_they_are(two: Service, store: Path) -> None:
    old = two.workers()
    latest = max((store / "grey").iterdir(), key=lambda version: int(version.name))
    damaged = latest / "model.ts"
    content = damaged.read_bytes()
    damaged.chmod(0o644)
    damaged.write_bytes(content[:-1])
    two.process.send_signal(signal.SIGHUP)
    two.said(f"cannot start: .*grey@{latest.name}.*; the other workers stay")
    assert two.workers() == old
    assert two.get("/sample").headers["X-Latentd-Model"] == f"grey@{latest.name}"
    damaged.write_bytes(content)


def test_a_signal_during_the_start_ends_it(store: Path) -> None:
    with service(store, workers=2) as running:
        until(lambda: len(running.workers()) == 2, lambda: "it has no workers")
        workers = running.workers()
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0, running.log
        assert not any(map(runs, workers))


def test_workers_that_cannot_start_stop_it_with_one_line_that_says_why(store: Path) -> None:
    with service(store, workers=2, models="gery") as running:
        assert running.end() == 1
        assert running.log.count("cannot start") == 1
        assert "gery" in running.log
        assert "Traceback" not in running.log


def test_a_port_in_use_is_said(two: Service, store: Path) -> None:
    said = refusal(store, workers=2, port=two.url.rpartition(":")[2])
    assert "address already in use" in said


def test_several_workers_on_one_gpu_are_refused(store: Path) -> None:
    assert "LATENTD_WORKERS=2" in refusal(store, workers=2, device="cuda")


def test_no_worker_outlives_a_supervisor_that_is_killed_while_they_start(store: Path) -> None:
    with service(store, workers=2) as running:
        until(lambda: len(running.workers()) == 2, lambda: "it has no workers")
        outlived_by_none(running)


# The last test of the module's two workers.
def test_no_worker_outlives_a_supervisor_that_is_killed_while_they_serve(two: Service) -> None:
    outlived_by_none(two)


def outlived_by_none(running: Service) -> None:
    workers = running.workers()
    assert len(workers) == 2
    running.process.kill()
    until(lambda: not any(map(runs, workers)), lambda: f"one of {workers} still runs", 8)
