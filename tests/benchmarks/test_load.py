"""The generators count what the service counts, see every answer, and keep to their schedule."""

import re
from collections import Counter

import httpx
import pytest
import uvloop

from benchmarks.load import Answer, closed_loop, open_loop
from benchmarks.questions import get, post_json

SEEDS = [get(f"/sample?seed={seed}") for seed in range(50)]


def counted(service: httpx.Client) -> float:
    """Samples that the service says it has answered."""
    lines = service.get("/metrics").text.splitlines()
    numbers = [
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if re.match(r'latentd_requests_total\{.*"/sample"', line)
    ]
    return sum(numbers)


def test_a_closed_loop_sends_what_the_service_counts(
    service: httpx.Client, address: tuple[str, int]
) -> None:
    before = counted(service)
    seen = Counter[int]()
    tally = uvloop.run(
        closed_loop(
            address,
            SEEDS,
            connections=4,
            seconds=0.3,
            warm_up=0.1,
            check=lambda index, _: seen.update([index]),
        )
    )
    assert counted(service) - before == tally.sent == seen.total()
    assert set(seen) == set(range(50))
    assert 0 < tally.statuses[200] <= tally.sent - 4
    assert set(tally.statuses) == {200}
    assert not tally.errors
    assert (tally.latencies > 0).all()
    assert (tally.moments >= 0).all()
    assert (tally.moments < 0.3).all()


@pytest.mark.parametrize("seed", [None, 3])
def test_an_open_loop_keeps_its_rate(
    seed: int | None, service: httpx.Client, address: tuple[str, int]
) -> None:
    before = counted(service)
    tally = uvloop.run(open_loop(address, SEEDS, rate=200, seconds=0.5, seed=seed, connections=2))
    assert counted(service) - before == tally.sent
    assert len(tally.latencies) == tally.sent - 2  # two opened the connections
    assert tally.rate == (200 if seed is None else pytest.approx(200, rel=0.5))
    assert not tally.errors


def test_an_open_loop_counts_the_wait_for_a_connection(address: tuple[str, int]) -> None:
    slow = [get(f"/sample?n=512&seed={seed}") for seed in range(10)]
    tally = uvloop.run(
        open_loop(address, slow, rate=100_000, seconds=1e-4, seed=None, connections=1, limit=1)
    )
    assert len(tally.latencies) == 10
    assert (tally.latencies[1:] > tally.latencies[:-1]).all()  # each waited for those before it


def test_statuses_are_kept_apart(address: tuple[str, int]) -> None:
    requests = [get("/sample?seed=1"), get("/sample?seed=none")]
    tally = uvloop.run(closed_loop(address, requests, connections=1, seconds=0.2, warm_up=0))
    good, bad = tally.of(200), tally.of(422)
    assert len(good.latencies) + len(bad.latencies) == len(tally.latencies)
    assert abs(len(good.latencies) - len(bad.latencies)) <= 1
    assert good.rate > 0


def test_a_wrong_answer_is_raised(address: tuple[str, int]) -> None:
    def check(index: int, answer: Answer) -> None:
        assert answer.headers["content-type"] == "image/jpeg", f"request {index}"

    load = closed_loop(address, SEEDS, connections=2, seconds=0.1, warm_up=0, check=check)
    with pytest.raises(AssertionError, match="request 0"):
        uvloop.run(load)


def test_answers_arrive_whole(service: httpx.Client, address: tuple[str, int]) -> None:
    """Large ones, which come in many pieces, and those of POST."""
    wanted = service.get("/sample?n=2048&seed=1&format=npy").content
    drawn = service.post("/sample", json={"seed": 5}).content
    requests = [get("/sample?n=2048&seed=1&format=npy"), post_json("/sample", {"seed": 5})]

    def check(index: int, answer: Answer) -> None:
        assert answer.body == (wanted, drawn)[index]

    tally = uvloop.run(
        closed_loop(address, requests, connections=2, seconds=0.2, warm_up=0, check=check)
    )
    assert tally.sent >= 4


def test_refused_connections_are_errors() -> None:
    with pytest.raises(ConnectionRefusedError):
        uvloop.run(closed_loop(("127.0.0.1", 1), SEEDS, connections=1, seconds=0.1))
