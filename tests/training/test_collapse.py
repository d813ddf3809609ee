"""A collapsed posterior is told once, with what to try; one that is not is let be."""

import json
from pathlib import Path

import pytest
import torch

from training.collapse import advice, collapsed, is_time
from training.config import RunConfig
from training.posteriors import Posteriors
from training.run import run

SMALL = ["encoder=16", "decoder=16", "latent_dim=3", "publish=false", "nll_samples=2"]


def posteriors(spread: float, *, learned: bool = False) -> Posteriors:
    """Of many rows; the means of one dimension in three are spread, all variances are 1."""
    mean = torch.zeros(200, 3).double()
    mean[:, 1] = spread * torch.linspace(-1, 1, 200)
    return Posteriors(mean, torch.zeros(200, 3).double(), prior_learned=learned)


@pytest.mark.parametrize("learned", [False, True])
def test_one_dimension_that_tells_something_is_enough(learned: bool) -> None:  # noqa: FBT001
    assert collapsed(posteriors(0.1, learned=learned))
    assert not collapsed(posteriors(0.5, learned=learned))


def test_under_a_learned_prior_the_scale_of_the_latent_does_not_matter() -> None:
    found = posteriors(2.0, learned=True)
    small = Posteriors(found.mean / 1e3, found.log_var - 2 * torch.tensor(1e3).log(), True)  # noqa: FBT003
    assert not bool(small.active.any())
    assert not collapsed(small)


@pytest.mark.parametrize(
    ("given", "epoch", "expected"),
    [
        ({"epochs": 100}, 19, False),
        ({"epochs": 100}, 20, True),
        ({"epochs": 100, "beta_warmup": 50}, 50, False),
        ({"epochs": 100, "beta_warmup": 50}, 51, True),
        ({"epochs": 100, "beta_warmup": 10, "beta_cycles": 2}, 50, True),
        ({"epochs": 100, "beta_warmup": 10, "beta_cycles": 2}, 55, False),
        ({"epochs": 1}, 1, True),
    ],
)
def test_a_collapse_means_nothing_at_first_or_during_a_warm_up(
    given: dict[str, float],
    epoch: int,
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_time(RunConfig.model_validate(given), epoch) is expected


@pytest.mark.parametrize(
    ("given", "wanted", "unwanted"),
    [
        ({}, "beta_warmup=4, or objective=free_bits", "beta (it is"),
        ({"beta": 4}, "a smaller beta (it is 4)", "sigma"),
        ({"beta_warmup": 5}, "objective=free_bits", "beta_warmup"),
        ({"objective": "capacity"}, "a higher capacity (it is 0)", "free_bits"),
        ({"likelihood": "gaussian"}, "likelihood=gaussian_learned or a smaller sigma", "capacity"),
    ],
)
def test_what_to_try_depends_on_what_was_tried(
    given: dict[str, object], wanted: str, unwanted: str
) -> None:
    said = advice(posteriors(0.1), RunConfig.model_validate(given))
    assert wanted in said
    assert unwanted not in said
    assert said.endswith("a narrower decoder")


def test_a_run_that_must_collapse_says_so_once_on_screen_in_the_log_and_in_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*SMALL, "beta=100", f"out={tmp_path}", "evaluate_every=2"]
    run("digits", [*given, "epochs=4"])
    run("digits", [*given, "epochs=6", "resume=true"])
    assert capsys.readouterr().out.count("warning: the posterior collapsed") == 1
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "a smaller beta (it is 100)" in next(
        line["warning"] for line in lines if line["event"] == "collapse"
    )
    assert [line["event"] for line in lines].count("collapse") == 1
    assert "Warning: the posterior collapsed" in (tmp_path / "report.html").read_text()
