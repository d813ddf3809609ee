"""Several processes under torchrun train what one process trains."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.small import process
from training import run_state
from training.errors import ConfigError
from training.processes import Team
from training.run import run

# What float32 leaves of agreement where gradients are averaged instead of summed at once.
ROUNDING = 1e-4
GIVEN = [
    *("epochs=3", "evaluate_every=1", "beta_warmup=2", "averaging=0.9"),
    *("publish=false", "nll_samples=10"),
]


def torchrun(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Two processes of what WORDS name, as a user starts them."""
    script = str(Path(sys.executable).parent / "torchrun")
    return process(folder, script, "--standalone", "--nproc-per-node=2", *words)


def curve(folder: Path, event: str) -> list[dict[str, float]]:
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    timeless = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return [line for line in timeless if line.pop("event") == event]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    run("digits", [*GIVEN, f"out={tmp_path / 'one'}"])
    ended = torchrun(tmp_path, "-m", "training", "run", "digits", *GIVEN, "out=two")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("report: two/report.html") == 1
    for event in ("epoch", "evaluation"):
        one, two = curve(tmp_path / "one", event), curve(tmp_path / "two", event)
        assert len(one) == 3
        for alone, together in zip(one, two, strict=True):
            assert together == pytest.approx(alone, rel=ROUNDING)
    weights = [run_state.read(tmp_path / name) for name in ("one", "two")]
    assert weights[0] is not None
    assert weights[1] is not None
    for name, tensor in weights[0]["averaged"].items():
        torch.testing.assert_close(weights[1]["averaged"][name], tensor, atol=1e-3, rtol=1e-2)


@pytest.mark.slow
def test_what_goes_wrong_for_all_is_said_once(tmp_path: Path) -> None:
    ended = torchrun(
        tmp_path, "-m", "training", "run", "digits", *GIVEN, "out=two", "batch_size=63"
    )
    assert ended.returncode != 0
    assert ended.stderr.count("error: a batch of 63 rows cannot be shared evenly by 2") == 1


def test_shares_are_the_whole_batch_and_no_row_twice() -> None:
    rows = list(range(12))
    shares = [rows[Team(rank, 3).share(12)] for rank in range(3)]
    assert sorted(itertools.chain(*shares)) == rows
    with pytest.raises(ConfigError, match="multiple of 5"):
        Team(0, 5).share(12)


# What each of two processes runs: the loss of one of them, in one step, is not a number.
POISON = """
from pathlib import Path

import torch
from training import loop, run_state
from training.preparation import prepare
from training.processes import joined
from training.run import configure

config = configure("digits", ["epochs=1", "batch_size=64", "encoder=8", "decoder=8"])
faults = []

class Watcher(loop.Watcher):
    def skipped(self, state, fault): faults.append((state.step, fault.split()[1]))

with joined() as team:
    prepared = prepare(config)
    state = run_state.fresh(prepared.vae, config)
    calls = iter(range(99))
    def poison(module, given, answer):
        return answer * torch.nan if next(calls) == 4 and team.rank == 1 else answer
    prepared.vae.encoder.register_forward_hook(poison)
    loop.train(state, prepared.train, config, Watcher(), team)
    total = sum(float(weights.double().sum()) for weights in prepared.vae.parameters())
    Path(f"rank{team.rank}").write_text(f"{faults} {total}")
"""


@pytest.mark.slow
def test_a_step_that_is_no_number_for_one_is_skipped_by_all(tmp_path: Path) -> None:
    (tmp_path / "poison.py").write_text(POISON)
    ended = torchrun(tmp_path, "poison.py")
    assert ended.returncode == 0, ended.stderr
    first, second = ((tmp_path / name).read_text() for name in ("rank0", "rank1"))
    assert first == second
    assert first.startswith("[(5, 'loss')]")
