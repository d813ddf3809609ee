"""One measurement from the start of a server to its row, and what makes a row fail."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.connection import Answer
from benchmarks.environments import Home
from benchmarks.measure import Plan, measure, runs
from benchmarks.models import publish_models
from benchmarks.peers.registry import PEERS
from benchmarks.workloads import WORKLOADS, Checker, reference


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    home = Home(tmp_path_factory.mktemp("benchmarks"), Path("nowhere"))
    home.logs.mkdir()
    publish_models(home.store)
    return Plan(
        peers=(PEERS["latentd"],),
        workloads=("sample",),
        connections=(2,),
        seconds=0.2,
        repeats=1,
        processes=(1,),
        png_level=6,
        home=home,
    )


def test_repeats_are_interleaved(plan: Plan) -> None:
    several = replace(plan, peers=(PEERS["latentd"], PEERS["mosec"]), repeats=2, processes=(1, 2))
    order = [(run.repeat, run.peer.name, run.processes, run.batch) for run in runs(several)]
    once = [("latentd", 1, 64), ("latentd", 2, 64)]
    once += [("mosec", 1, 64), ("mosec", 2, 64), ("mosec", 2, 16), ("mosec", 2, 1)]
    assert order == [(repeat, *run) for repeat in (0, 1) for run in once]


def test_a_run_yields_a_row(plan: Plan) -> None:
    (run,) = runs(plan)
    (row,) = measure(plan, run)
    assert "failed" not in row, row
    assert row["statuses"] == {"200": pytest.approx(float(str(row["rate"])) * 0.2, abs=1)}
    assert row["errors"] == {}
    assert float(str(row["compared"])) >= 32
    assert float(str(row["cpu_ms"])) > 0


def test_a_server_that_is_not_there_is_a_failed_row(plan: Plan) -> None:
    absent = replace(PEERS["latentd"], command=lambda _: ["/nowhere/python"])
    (run,) = runs(replace(plan, peers=(absent,)))
    (row,) = measure(plan, run)
    assert "FileNotFoundError" in str(row["failed"])


@pytest.mark.parametrize("name", ["decode", "sample", "sheet", "walk", "encode", "colour"])
def test_only_right_answers_pass(name: str, plan: Plan) -> None:
    work = reference(plan.home.store, WORKLOADS[name].operation)
    questions = WORKLOADS[name].questions(work)[:16]
    right, other = map(body, work.answer([dict(q._asdict()) for q in questions])[:2])
    checker = Checker(work, questions, own_noise=False)
    checker(0, Answer(200, b"", right, closes=False))
    with pytest.raises(AssertionError, match="question 0"):
        checker(0, Answer(200, b"", other, closes=False))


def test_seeds_of_one_s_own_must_repeat_and_differ(plan: Plan) -> None:
    work = reference(plan.home.store, "sample")
    questions = WORKLOADS["sample"].questions(work)[:16]
    one, other = map(body, work.answer([dict(q._asdict()) for q in questions])[:2])
    checker = Checker(work, questions, own_noise=True)
    checker.compare(0, one)
    checker.compare(0, one)
    with pytest.raises(AssertionError, match="seed 0 drew something else"):
        checker.compare(0, other)
    with pytest.raises(AssertionError, match="seed 2 drew what another one did"):
        checker.compare(2, one)


def body(answer: bytes | dict[str, list[float]]) -> bytes:
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()
