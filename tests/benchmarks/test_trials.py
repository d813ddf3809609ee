"""Every trial runs on small models, and what it checks can fail: the faults are planted in what the
checks are given, never in a service.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import uvloop

from benchmarks.connection import Answer
from benchmarks.tally import Tally
from benchmarks.trials.__main__ import TRIALS, main
from benchmarks.trials.callers import ask_all
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.counters import Seen, against
from benchmarks.trials.goals import Goal, at_most, equal, failed, none_of, table
from benchmarks.trials.leavers import Rush, Scattered, rush_against_goals, scatter_against_goals
from benchmarks.trials.memory import Reading, growth
from benchmarks.trials.overload import WORKS, Figures, Load, Refusals, figures_against_goals
from benchmarks.trials.questions import Work
from benchmarks.trials.service import Metrics
from benchmarks.trials.start import heavy_imports
from tests.factories import publish_kind

SMALL = {
    "overload": "--works decode --models grey --times 1 --seconds 0.5 --measuring 0.2 --clients 3",
    "fairness": "--models grey --forms npy --rows 256 --seconds 0.5",
    "half": "--models grey --measuring 0.2 --seconds 0.5",
    "leavers": "--models grey,colour --leavers 40 --neighbours 4 --longest 0.05",
    "bytes": "--models grey,colour --requests 60 --questions 30 --workers 1",
    "tally": "--models bent --requests 60 --connections 4",
    "soak": "--models grey --minutes 0.015 --connections 2 --questions 10 --workers 1",
    "start": "--models grey --repeats 1",
    "faults": "--models grey --faults store,slow,half,leaving --seconds 0.5 --minutes 0",
    "device": "--models grey --rows 256 --clients 2 --seconds 0.3",
}


# Seconds of load each, which say little in so few of them.
TIMED = ("overload", "fairness", "half", "soak", "faults", "device")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("trials") / "store"
    store.mkdir()
    for kind in ("grey", "colour", "bent"):
        publish_kind(store, kind)
    return store


def test_every_trial_is_tried() -> None:
    assert SMALL.keys() == TRIALS.keys()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in TIMED)) for name in SMALL],
)
def test_a_trial_passes(
    name: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [name, "--home", str(tmp_path), "--store", str(store), *SMALL[name].split()]
    status = main(options)
    said = capsys.readouterr().out
    assert status == 0, said
    assert f"{name}: passed" in said


def test_only_what_must_hold_fails_a_trial() -> None:
    slow = at_most("p99", 2.0, 1.0, str)
    unmeasured = at_most("p99", float("nan"), 1.0, str)
    wrong = none_of("faults", ["a traceback", "another"])
    assert failed([slow, unmeasured, wrong, equal("rows", 1, 1)]) == [wrong]
    assert not slow.met
    assert not unmeasured.met
    shown = table([slow, wrong]).splitlines()
    assert shown[0].split() == ["p99", "2.0", "≤", "1.0", "not", "met"]
    assert shown[1].split() == ["faults", "2", "none", "FAILED"]
    assert "a traceback" in shown[2]


def answer(body: bytes = b"right", status: int = 200, **headers: str) -> Answer:
    lines = "".join(f"\r\n{name.replace('_', '-')}: {value}" for name, value in headers.items())
    return Answer(status, f"HTTP/1.1 {status} x{lines}\r\n\r\n".encode(), body, closes=False)


@pytest.mark.parametrize(
    "wrong",
    [
        answer(b"wrong"),
        answer(b"right or not"),
        answer(etag="another"),
        answer(status=500),
    ],
)
def test_a_wrong_answer_is_seen(wrong: Answer) -> None:
    comparison = Comparison([answer()], [503])
    comparison(0, answer())
    comparison(0, answer(status=503))
    assert not failed(comparison.goals([], 1))
    comparison(0, wrong)
    assert failed(comparison.goals([]))


def test_a_missing_answer_is_seen() -> None:
    comparison = Comparison([answer()])
    unanswered = uvloop.run(ask_all(("127.0.0.1", 1), [(0, b"GET /")], 1, comparison))
    assert len(unanswered) == 1
    assert [goal.what for goal in failed(comparison.goals(unanswered, 1))] == [
        "answers compared",
        "requests without an answer",
    ]


def test_nothing_is_compared_with_an_error() -> None:
    with pytest.raises(RuntimeError, match="asked alone"):
        Comparison([answer(status=422)])


def tally(*codes: int) -> Tally:
    seconds = np.full(len(codes), 0.001)
    return Tally(1.0, seconds, seconds, np.array(codes), Counter(), len(codes))


def overloaded(queue: float = 8, *codes: int) -> list[Goal]:
    load = Load(tally(200, 503, *codes), 0.01, queue, 0.0)
    return failed(figures_against_goals(Figures(WORKS["decode"], 1, 100.0, tally(200), load)))


def test_overload_allows_two_statuses_and_a_bounded_queue() -> None:
    assert not overloaded()
    assert [goal.what.strip() for goal in overloaded(8, 504)] == ["statuses but 200 and 503"]
    assert [goal.what.strip() for goal in overloaded(9)] == ["rows waiting, most seen"]


def test_a_refusal_says_when_to_come_back() -> None:
    refusals = Refusals(Comparison([answer()], [503]))
    refusals(0, answer(status=503, retry_after="2"))
    assert not refusals.wrong
    refusals(0, answer(status=503))
    refusals(0, answer(status=503, retry_after="soon"))
    assert len(refusals.wrong) == 2


def metrics(**totals: float) -> Metrics:
    return Metrics({(name, frozenset[tuple[str, str]]()): n for name, n in totals.items()})


def test_rows_run_for_leavers_are_seen() -> None:
    scattered = Scattered(Counter(), 100)
    assert not failed(scatter_against_goals(scattered, metrics(latentd_batch_rows_sum=164)))
    assert failed(scatter_against_goals(scattered, metrics(latentd_batch_rows_sum=165)))
    before = metrics(latentd_batch_rows_sum=1000)
    for rows, is_wrong in ((1000 + 128 + 64, False), (1000 + 128 + 65, True)):
        rush = Rush(before, metrics(latentd_batch_rows_sum=rows), wanted=128)
        assert bool(failed(rush_against_goals(rush))) is is_wrong


def counted(requests: int = 3, rows: int = 7, refused: int = 1) -> Metrics:
    def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
        return name, frozenset(labels.items())

    return Metrics(
        {
            sample("latentd_requests_total", method="GET", route="/a", status="200"): requests,
            sample("latentd_requests_total", method="GET", route="/a", status="503"): 1,
            sample("latentd_requests_total", method="GET", route="/metrics", status="200"): 9,
            sample("latentd_request_seconds_count", route="/a"): 4,
            sample("latentd_request_seconds_count", route="/metrics"): 9,
            sample("latentd_batch_rows_sum", model="m@1", operation="decode"): rows,
            sample("latentd_dropped_total", reason="overloaded"): refused,
        }
    )


def test_a_miscount_is_seen() -> None:
    answers = Counter[tuple[str, ...]]({("GET", "/a", "200"): 3, ("GET", "/a", "503"): 1})
    seen = Seen(answers, Work({("m@1", "decode"): 7}), Counter({"200": 3, "503": 1}), [])
    assert not failed(against(seen, counted()))
    for wrong in (counted(requests=4), counted(rows=8), counted(refused=0)):
        assert len(failed(against(seen, wrong))) == 1


def test_growth_is_that_of_the_second_half_with_the_usual_processes() -> None:
    def readings(*megabytes: float) -> list[Reading]:
        return [Reading(36.0 * i, int(mb * 1e6), 5, 3) for i, mb in enumerate(megabytes)]

    assert growth(readings(0, 50, 90, 100, 100, 100, 100, 100)) == pytest.approx((0, 0), abs=1e-6)
    assert growth(readings(0, 0, 0, 0, 1, 2, 3, 4)) == pytest.approx((100, 0), abs=1e-6)
    reloading = readings(0, 0, 0, 0, 1, 500, 3, 4)
    reloading[5] = reloading[5]._replace(processes=4)
    assert growth(reloading) == pytest.approx((100, 0), abs=1e-6)


def test_heavy_imports_are_named() -> None:
    log = "import time: self [us] | cumulative | imported package\n"
    log += "import time:     40000 |      90000 |   torch.nn\nimport time:     10 |   5 | json\n"
    assert heavy_imports(log) == [("torch", "40 ms")]
