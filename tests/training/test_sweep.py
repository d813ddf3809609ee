"""A sweep trains each value once, compares them, and goes on where it stopped."""

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.small import command, environment
from tests.training.test_resume import wait_for
from training.__main__ import main
from training.errors import ConfigError, RunStateError
from training.run import run
from training.run_state import FILE
from training.sweep import Measured, Sweep, conclusions, plan, sweep
from training.sweep_pictures import draw

SMALL = ["decoder=16", "latent_dim=3", "nll_samples=5"]
SHORT = [*SMALL, "epochs=1"]
EIGHT = [*SMALL, "epochs=8"]


def silent(_line: str) -> None:
    """Somebody who does not listen."""


@pytest.fixture(scope="module")
def betas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep over two values of β."""
    folder = tmp_path_factory.mktemp("betas")
    found = sweep("digits", "beta=0.1,4", [*EIGHT, f"out={folder}"], silent)
    assert found.folder == folder
    return folder


def test_a_rate_that_costs_more_is_lower(betas: Path) -> None:
    found = sweep("digits", "beta=0.1,4", [*EIGHT, f"out={betas}"], silent).figures
    assert found["0.1"]["rate"] > found["4.0"]["rate"] + 1
    assert found["0.1"]["distortion"] < found["4.0"]["distortion"] - 1


def test_a_sweep_leaves_its_figures_a_table_and_a_picture(betas: Path) -> None:
    record = json.loads((betas / "sweep.json").read_text())
    assert (record["recipe"], record["key"]) == ("digits", "beta")
    assert record["values"]["4.0"]["config"]["beta"] == 4
    assert record["values"]["4.0"]["seconds"] > 0
    table = (betas / "sweep.md").read_text()
    assert f"{record['values']['4.0']['figures']['nll']:.2f} |" in table
    assert "lowest NLL: " in table
    with Image.open(betas / "sweep.png") as image:
        assert len(np.unique(np.asarray(image))) > 20


def test_a_value_comes_to_what_a_run_of_its_own_does(betas: Path, tmp_path: Path) -> None:
    alone = run("digits", [*EIGHT, "beta=4", "publish=false", f"out={tmp_path}"])
    record = json.loads((betas / "sweep.json").read_text())
    figures = {figure.name: figure.value for figure in alone.figures}
    assert record["values"]["4.0"]["figures"] == figures


def test_what_was_measured_is_not_trained_again(tmp_path: Path) -> None:
    words, said = [*SHORT, f"out={tmp_path}"], list[str]()
    first = sweep("digits", "encoder=8/8,4", words, silent)
    states = [tmp_path / value / FILE for value in ("8", "8,4")]
    before = [state.stat().st_mtime_ns for state in states]
    second = sweep("digits", "encoder=8/8,4/4", words, said.append)
    assert [state.stat().st_mtime_ns for state in states] == before
    assert {value: second.values[value] for value in first.values} == first.values
    assert said == [
        "encoder=8 (1 of 3) was measured before",
        "encoder=8,4 (2 of 3) was measured before",
        "encoder=4 (3 of 3)",
    ]


def test_with_more_epochs_what_was_trained_is_trained_further(tmp_path: Path) -> None:
    words = [*SMALL, f"out={tmp_path}", "schedule=constant"]
    sweep("digits", "seed=1,2", [*words, "epochs=1"], silent)
    first = (tmp_path / "1/log.jsonl").read_text().splitlines()[0]
    found = sweep("digits", "seed=1,2", [*words, "epochs=2"], silent)
    # The seconds of the first epoch stand there, too, and would not be the same again.
    assert (tmp_path / "1/log.jsonl").read_text().splitlines()[0] == first
    assert found.values["1"].config["epochs"] == 2


def test_another_sweep_in_the_same_folder_is_refused(betas: Path) -> None:
    with pytest.raises(RunStateError, match="is that of digits over beta: choose another out="):
        sweep("digits", "seed=1,2", [*EIGHT, f"out={betas}"], silent)


def test_other_keys_in_the_same_folder_are_refused_by_name(betas: Path) -> None:
    words = [*EIGHT, "batch_size=32", f"out={betas}"]
    with pytest.raises(RunStateError, match="batch_size was 64 and is 32"):
        sweep("digits", "beta=0.1,4", words, silent)


@pytest.mark.slow  # each of its three processes imports torch
def test_ctrl_c_says_the_command_that_goes_on_and_it_does(tmp_path: Path) -> None:
    given = ["sweep", "digits", "beta=1,2", *SMALL, "epochs=2000", "out=swept"]
    log = tmp_path / "swept/1.0/log.jsonl"
    process = subprocess.Popen(
        command(*given), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith(f"Go on: python -m training {' '.join(given)}\n")
    assert "stopped at beta=1.0 (1 of 2)" in said
    before = log.read_text()
    epochs = before.count('"event": "epoch"') + 2
    words = [*SMALL, f"epochs={epochs}", f"out={tmp_path / 'swept'}"]
    assert set(sweep("digits", "beta=1,2", words, silent).figures) == {"1.0", "2.0"}
    assert log.read_text().startswith(before)
    assert log.read_text().count('"event": "epoch"') == epochs


def test_a_value_that_diverges_does_not_end_the_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SHORT, f"out={tmp_path}"]
    assert main(["sweep", "digits", "learning_rate=1e30,1e-2", *words]) == 0
    said = capsys.readouterr().out
    assert "learning_rate=1e+30 (1 of 2) diverged: the " in said
    assert "|         1e+30 | diverged |" in said
    assert "lowest NLL: " in said
    assert "with learning_rate=0.01" in said


def test_publishing_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    words = [*SHORT, f"out={tmp_path / 'out'}", f"store={tmp_path / 'store'}"]
    sweep("digits", "beta=1,2", words, silent)
    assert not list((tmp_path / "store").iterdir())
    sweep("digits", "beta=1,2", [*words, "publish=true"], silent)
    assert {path.name for path in (tmp_path / "store/digits").iterdir()} >= {"1", "2"}


@pytest.mark.parametrize(
    ("over", "words", "expected"),
    [
        ("bta=1,2", [], "there is no key 'bta': did you mean beta"),
        ("beta=1", [], "beta=1 is one value, and a sweep takes two or more"),
        ("beta", [], "beta is one value"),
        ("encoder=400,x/20", [], "encoder=400,x: "),
        ("beta=1,1.0", [], "beta=1,1.0 has a value twice"),
        ("beta=1,-1", [], "beta=-1: should be greater than or equal to 0"),
        ("beta=1,2", ["beta=3"], "beta is given twice"),
        ("out=a,b", [], "out is no matter of what is computed"),
        ("beta=1,2", ["resume=true"], "leave resume out"),
    ],
)
def test_what_is_no_sweep_is_refused_before_the_first_step(
    over: str, words: list[str], expected: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        plan("digits", over, words)
    assert expected in str(refused.value)


def test_a_damaged_record_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text('{"recipe": "digits", ')
    with pytest.raises(RunStateError, match=r"sweep\.json cannot be read .* remove it"):
        sweep("digits", "beta=1,2", [*SHORT, f"out={tmp_path}"], silent)


def test_the_smallest_latent_that_is_good_enough_is_named() -> None:
    nll = {"16": 22.0, "2": 25.0, "4": 22.4, "8": 21.95, "32": 22.2}
    values = {value: Measured(config={}, figures={"nll": nats}) for value, nats in nll.items()}
    assert conclusions(Sweep(Path(), "latent_dim", values)) == [
        "lowest NLL: 21.95 nats, with latent_dim=8",
        "the smallest within 0.5 nats of it: latent_dim=4",
    ]


@pytest.mark.parametrize(
    ("key", "values", "height"),
    [
        ("beta", ["4.0", "0.5", "1.0"], 450),
        ("latent_dim", ["2", "32", "8"], 650),
        ("learning_rate", ["0.001"], 450),
        ("encoder", ["400", "400,200"], 450),
    ],
)
def test_every_kind_of_key_has_its_picture(
    key: str, values: list[str], height: int, tmp_path: Path
) -> None:
    names = ("rate", "distortion", "negative_elbo", "nll", "active_units")
    figures = {value: dict.fromkeys(names, float(place)) for place, value in enumerate(values)}
    draw(key, figures, tmp_path / "sweep.png")
    with Image.open(tmp_path / "sweep.png") as image:
        assert image.height == height
        assert len(np.unique(np.asarray(image))) > 20
