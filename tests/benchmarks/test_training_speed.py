"""The loops that are compared do the same work, and the table says how fast each does it."""

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.training_loops import bare, ours
from benchmarks.training_speed import compare
from benchmarks.trials.goals import table
from training.evaluate import estimate
from training.preparation import prepare
from training.run import configure


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in MNIST's layout, of squares at random places."""
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    for part, count in (("train", 600), ("t10k", 64)):
        images = np.zeros((count, 28, 28), np.uint8)
        for image, (top, left) in zip(images, rng.integers(0, 18, (count, 2)), strict=True):
            image[top : top + 10, left : left + 10] = 255
        header = b"\0\0\x08\x03" + np.array(images.shape, ">u4").tobytes()
        file = folder / f"{part}-images-idx3-ubyte.gz"
        file.write_bytes(gzip.compress(header + images.tobytes(), 1))
    return folder


def test_our_loop_and_the_bare_one_teach_the_same() -> None:
    words = ["encoder=32", "decoder=32", "latent_dim=4", "schedule=constant"]
    config = configure("digits", words)
    prepared = prepare(config)
    before = estimate(prepared.vae, prepared.test, samples=20)
    found = []
    for make in (ours, bare):
        vae = copy.deepcopy(prepared.vae)
        epoch = make(vae, prepared.train[:1600], config)
        for _ in range(6):
            epoch()
        found.append(estimate(vae, prepared.test, samples=20))
    one, other = found
    assert one.negative_elbo < before.negative_elbo - 1
    # Other draws, so not the same numbers; with a fifth of the rate's weight it is five nats more.
    assert other.rate == pytest.approx(one.rate, abs=1)
    assert other.negative_elbo == pytest.approx(one.negative_elbo, abs=1)


def test_the_command_measures_in_turns(
    squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--cases", "mnist_classic,mnist_residual", "--images", "300", "--repeats", "2"]
    out = tmp_path / "speeds.jsonl"
    assert main(["training", "--data", str(squares), *words, "--out", str(out)]) == 0
    first, *rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert first["facts"]["versions"]["training"].keys() == {"torch"}
    turns = [("mnist_classic", 0), ("mnist_classic", 1)]
    assert [(row["case"], row["repeat"], row["loop"]) for row in rows] == [
        *[(*turn, loop) for turn in turns for loop in ("ours", "bare", "example")],
        *[("mnist_residual", turn, loop) for turn in (0, 1) for loop in ("ours", "bare")],
    ]
    assert all(row["rate"] > 0 for row in rows)
    said = capsys.readouterr().out
    assert "of the bare loop" in said
    assert "Threads: 1, device: cpu." in said


def test_the_ratio_is_the_middle_one_of_the_turns() -> None:
    rates = {"ours": (100, 1000, 99), "bare": (110, 100, 100), "example": (10, 100, 33)}
    rows = [
        {"case": "mnist_classic", "loop": loop, "repeat": repeat, "rate": rate}
        for loop, turns in rates.items()
        for repeat, rate in enumerate(turns)
    ]
    lines = [" ".join(line.split()) for line in table(compare(rows)).splitlines()]
    assert lines == [
        "mnist_classic 100 images/s",
        "a bare loop 100 images/s",
        "ours, of the bare loop 99% ≥ 85% met",
        "pytorch/examples 33 images/s",
        "ours, over the example 10.0 × ≥ 5.0 × met",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--cases", "mnits"], "no cases mnits; there are mnist_classic, "),
        (["--cases", "mnist_mlp"], "error: data=nowhere: there is no such file or folder"),
    ],
)
def test_what_cannot_be_measured_is_refused(words: list[str], expected: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["training", "--data", "nowhere", *words])
    assert str(refused.value).startswith(expected)
