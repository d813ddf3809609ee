"""Early stopping: when a run has converged, and what comes of one that stops."""

import json
from pathlib import Path

import pytest

from training.config import RunConfig
from training.run import run
from training.run_state import Record
from training.stopping import evaluations_since_best, has_converged

GIVEN = ["publish=false", "nll_samples=1", "evaluate_every=1", "encoder=16", "decoder=16"]


def history(*bounds: float) -> list[Record]:
    """One evaluation an epoch with these -ELBOs."""
    return [
        {"event": "evaluation", "epoch": epoch, "rate": 1.0, "distortion": bound - 1.0}
        for epoch, bound in enumerate(bounds, start=1)
    ]


@pytest.mark.parametrize(
    ("bounds", "warmup", "since"),
    [
        ((), 0, 0),
        ((9, 8, 7), 0, 0),
        ((9, 7, 8, 8), 0, 2),
        ((9, 7, 7), 0, 1),
        # While beta rises a low bound says nothing.
        ((5, 9, 8, 7), 2, 0),
        ((5, 9, 8, 8.5), 2, 1),
        ((5, 6), 9, 0),
    ],
)
def test_evaluations_since_the_best_are_counted_after_the_warm_up(
    bounds: tuple[float, ...], warmup: int, since: int
) -> None:
    config = RunConfig(beta_warmup=warmup, patience=2)
    assert evaluations_since_best(history(*bounds), config) == since
    assert has_converged(history(*bounds), config) == (since >= 2)


def test_with_cycles_only_the_last_one_counts() -> None:
    config = RunConfig(epochs=10, beta_cycles=2, beta_warmup=1, patience=1)
    assert evaluations_since_best(history(5, 9, 9, 9, 9, 9, 8, 7), config) == 0
    assert evaluations_since_best(history(9, 9, 9, 9, 9, 6, 7, 8), config) == 2


def test_a_run_that_no_longer_improves_ends_with_its_best_weights(tmp_path: Path) -> None:
    # A rate this high is soon worse than what it began with.
    given = [*GIVEN, f"out={tmp_path}", "patience=2", "epochs=200", "learning_rate=0.05"]
    outcome = run("digits", [*given, "schedule=constant"])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    bounds = [line["rate"] + line["distortion"] for line in lines if line["event"] == "evaluation"]
    assert len(bounds) < 200
    assert bounds.index(min(bounds)) == len(bounds) - 3
    values = {figure.name: figure.value for figure in outcome.figures}
    assert values["negative_elbo"] == pytest.approx(min(bounds), abs=1e-6)
    # Going on does not train a converged run further.
    run("digits", [*given, "schedule=constant", "resume=true"])
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == len(lines)
