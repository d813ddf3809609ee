"""What a run shows while it goes, on a terminal and off it."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.training.small import VECTOR, model
from training import run_state
from training.config import RunConfig
from training.progress import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(folder: Path, stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    state = run_state.fresh(model("mlp", "gaussian", VECTOR), RunConfig())
    # The first evaluation is of a run that was begun before active units were logged.
    state.history = [{"event": "evaluation", "epoch": 1}]
    state.history += [{"event": "evaluation", "epoch": 2, "active_units": 3}]
    with Progress(folder, 50, state, tensorboard=False) as progress:
        for step in range(1, 51):
            state.sums = [250.0 * step, 40.0 * step, 210.0 * step, 10.0 * step]
            progress.step()
    return stderr.getvalue()


def test_a_terminal_sees_a_bar_with_rate_and_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = shown(tmp_path, _Terminal(), monkeypatch)
    assert "50/50" in said
    assert "step/s" in said
    assert "<" in said  # elapsed < left
    assert "-ELBO 25.00, KL 4.00, 3 active" in said


def test_a_file_is_not_filled_with_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not shown(tmp_path, io.StringIO(), monkeypatch)


def test_a_log_that_is_ahead_of_the_saved_state_starts_again_from_it(tmp_path: Path) -> None:
    state = run_state.fresh(model("mlp", "gaussian", VECTOR), RunConfig())
    state.history = [{"event": "epoch", "epoch": 1}]
    (tmp_path / "log.jsonl").write_text('{"event": "epoch", "epoch": 1}\n{"event": "ep')
    with Progress(tmp_path, 10, state, tensorboard=False) as progress:
        progress.record({"event": "epoch", "epoch": 2})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
