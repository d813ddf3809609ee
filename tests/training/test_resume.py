"""A run that stops and goes on is the run that never stopped, bit for bit; and nothing is lost."""

import itertools
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.small import command, environment
from training import loop, run_state
from training.errors import Interrupted, RunStateError, TrainingDiverged
from training.preparation import prepare
from training.run import configure, run, stop_signals
from training.run_state import RunState

SMALL = ["encoder=16", "decoder=16", "latent_dim=3", "publish=false", "nll_samples=2"]
SETTINGS = {
    "plain": [],
    "averaged": ["averaging=0.99"],
    "warmed up": ["beta_warmup=3", "weight_decay=0.01", "gradient_clip=5"],
    "half precision": ["family=residual", "precision=bfloat16"],
    "weighted": ["objective=dreg", "draws=4", "beta_warmup=3"],
    "vectors": ["source=curved_surface", "likelihood=gaussian_learned", "batch_size=1000"],
}


def words(out: Path, *more: str, schedule: str = "constant") -> list[str]:
    return [*SMALL, f"schedule={schedule}", f"out={out}", *more]


def saved(folder: Path) -> dict[str, Any]:
    content = run_state.read(folder)
    assert content is not None
    return content


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Weights, optimizer and averages agree in every bit, and so do the logged losses."""
    for part in ("vae", "averaged"):
        assert (one[part] is None) == (other[part] is None)
        for name, tensor in (one[part] or {}).items():
            assert tensor.equal(other[part][name]), name
    for number, moments in one["optimizer"]["state"].items():
        for name, tensor in moments.items():
            assert tensor.equal(other["optimizer"]["state"][number][name]), (number, name)
    timeless = [
        [{key: value for key, value in line.items() if key != "seconds"} for line in run["history"]]
        for run in (one, other)
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize("setting", SETTINGS)
def test_two_epochs_and_two_more_are_four(tmp_path: Path, setting: str) -> None:
    more = [*SETTINGS[setting], "evaluate_every=2"]
    run("digits", words(tmp_path / "straight", *more, "epochs=4"))
    run("digits", words(tmp_path / "halves", *more, "epochs=2"))
    run("digits", words(tmp_path / "halves", *more, "epochs=4", "resume=true"))
    same(saved(tmp_path / "straight"), saved(tmp_path / "halves"))
    log = (tmp_path / "halves/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in log] == [
        *("epoch", "epoch", "evaluation", "epoch", "epoch", "evaluation")
    ]


class _StopAfter(loop.Watcher):
    """A watcher that stops in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def stepped(self, state: RunState) -> None:  # noqa: ARG002
        self.steps -= 1

    def epoch_done(self, state: RunState, epoch: int, means: dict[str, float]) -> None:
        state.history.append({"event": "epoch", "epoch": epoch, **means})

    def should_stop(self) -> bool:
        return self.steps == 0


def trained(folder: Path, *stops: int) -> dict[str, Any]:
    """Three epochs of 25 steps, saved and restored after each of `stops` steps."""
    config = configure("digits", words(folder, "epochs=3", "averaging=0.9", schedule="one_cycle"))
    folder.mkdir()
    for steps in (*stops, -1):
        prepared = prepare(config)
        state = run_state.fresh(prepared.vae, config)
        content = run_state.read(folder)
        if content is not None:
            run_state.restore(state, content, config)
        loop.train(state, prepared.train, config, _StopAfter(steps))
        run_state.save(state, config, folder)
    assert state.step == 75
    return saved(folder)


def test_a_run_stopped_within_an_epoch_goes_on_from_that_step(tmp_path: Path) -> None:
    same(trained(tmp_path / "straight"), trained(tmp_path / "stopped", 10, 15, 30))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_ctrl_c_saves_and_says_the_command_that_goes_on(tmp_path: Path) -> None:
    state, log = tmp_path / "runs/digits/state.pt", tmp_path / "runs/digits/log.jsonl"
    given = ["epochs=2000", "publish=false", "nll_samples=1", "evaluate_every=2000"]
    process = subprocess.Popen(
        command("run", "digits", *given),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"python -m training run digits {' '.join(given)} resume=true" in said
    assert "Traceback" not in said
    assert torch.load(state, weights_only=True)["step"] >= 3 * 25

    before = state.read_bytes()
    with pytest.raises(RunStateError, match=r"unfinished run .* resume=true, choose another out="):
        run("digits", [*SMALL, f"out={tmp_path / 'runs/digits'}"])
    assert state.read_bytes() == before


def test_a_stop_between_two_steps_is_asked_for_by_one_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGTERM)
        assert should_stop()
        assert signal.getsignal(signal.SIGTERM) == before


def test_an_interrupted_run_is_saved_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_step", lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Interrupted, match="saved"):
        run("digits", words(tmp_path, "epochs=1"))
    assert saved(tmp_path)["step"] == 0


def test_a_stop_while_the_nll_is_estimated_keeps_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as measuring:
        measuring.setattr("training.run._measure", interrupted)
        with pytest.raises(Interrupted, match=r"training is saved\. Go on: python -m training run"):
            run("digits", words(tmp_path, "epochs=1"))
    before = saved(tmp_path)
    assert not before["finished"]
    run("digits", words(tmp_path, "epochs=1", "resume=true"))
    same(before, saved(tmp_path))


def _written_since(state: Path, moment: int) -> bool:
    return state.exists() and state.stat().st_mtime_ns > moment


def test_a_run_killed_at_any_moment_ends_with_the_weights_of_one_that_was_not(
    tmp_path: Path,
) -> None:
    given = [*SMALL, "epochs=40", "evaluate_every=10", "averaging=0.9", "schedule=one_cycle"]
    run("digits", [*given, f"out={tmp_path / 'straight'}"])
    state, moments = tmp_path / "killed/state.pt", random.Random(0)
    for _ in range(2):
        resume = ["resume=true"] if state.exists() else []
        before = state.stat().st_mtime_ns if resume else 0
        process = subprocess.Popen(
            command("run", "digits", *given, "out=killed", *resume),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        wait_for(partial(_written_since, state, before))
        # Within an epoch, between two, or while the state is being written.
        time.sleep(moments.random() * 0.3)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert saved(tmp_path / "killed")["step"] < saved(tmp_path / "straight")["step"]
    run("digits", [*given, f"out={tmp_path / 'killed'}", "resume=true"])
    same(saved(tmp_path / "straight"), saved(tmp_path / "killed"))


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(
    tmp_path: Path,
) -> None:
    run("digits", words(tmp_path, "epochs=1"))
    good = (tmp_path / "state.pt").read_bytes()
    config = configure("digits", words(tmp_path, "epochs=3"))
    prepared = prepare(config)
    state = run_state.fresh(prepared.vae, config)
    run_state.restore(state, saved(tmp_path), config)
    poisoned = prepared.train[:].clone()
    poisoned[:] = torch.nan
    state.vae.encoder.register_forward_hook(lambda _m, _i, out: out * torch.nan)
    with pytest.raises(
        TrainingDiverged, match=r"nan .* at step 35 \(epoch 2\), the 10th in a row: lower learn"
    ):
        loop.train(state, poisoned, config, loop.Watcher())
    assert (tmp_path / "state.pt").read_bytes() == good


class _Notes(loop.Watcher):
    """What a run's weights are after every step, and which faults it had."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []
        self.faults: list[str] = []

    def stepped(self, state: RunState) -> None:
        self.weights.append(next(state.vae.parameters()).detach().clone())

    def skipped(self, state: RunState, fault: str) -> None:  # noqa: ARG002
        self.faults.append(fault)


def test_a_step_that_is_no_number_is_skipped_and_told(tmp_path: Path) -> None:
    config = configure("digits", words(tmp_path, "epochs=1"))
    prepared = prepare(config)
    state, notes = run_state.fresh(prepared.vae, config), _Notes()
    losses, gradients = itertools.count(1), itertools.count(1)
    state.vae.encoder.register_forward_hook(
        lambda _m, _i, out: out * torch.nan if next(losses) == 4 else out
    )
    # The fourth step has no gradient, so the fifth gradient is that of the sixth step.
    next(state.vae.parameters()).register_hook(  # type: ignore[no-untyped-call]
        lambda gradient: gradient * torch.inf if next(gradients) == 5 else gradient
    )
    loop.train(state, prepared.train, config, notes)
    assert [fault.split(" was ")[0] for fault in notes.faults] == [
        *("the loss", "the gradient's norm")
    ]
    unchanged = [one.equal(other) for one, other in itertools.pairwise(notes.weights)]
    assert [step for step, same in enumerate(unchanged, start=2) if same] == [4, 6]


def test_an_absurd_learning_rate_ends_in_a_clear_error(tmp_path: Path) -> None:
    wild = words(tmp_path, "epochs=3", "learning_rate=1e30")
    with pytest.raises(TrainingDiverged, match="learning_rate"):
        run("digits", wild)
    assert run_state.read(tmp_path) is None


def test_going_on_with_another_model_is_refused_by_key(tmp_path: Path) -> None:
    run("digits", words(tmp_path, "epochs=1"))
    with pytest.raises(RunStateError, match="batch_size was 64 and is 32"):
        run("digits", words(tmp_path, "epochs=2", "resume=true", "batch_size=32"))


def test_going_on_with_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunStateError, match="holds no saved run"):
        run("digits", words(tmp_path, "resume=true"))


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04"])
def test_a_damaged_state_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(RunStateError, match=r"state\.pt"):
        run("digits", words(tmp_path, "resume=true"))


def test_a_finished_run_may_be_run_anew(tmp_path: Path) -> None:
    for _ in range(2):
        run("digits", words(tmp_path, "epochs=1"))
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
