"""Data sets larger than memory should hold are read from disk, with the same result to the bit."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.small import process
from training import run_state
from training.datasets import DATASETS, Dataset, Request
from training.datasets.gathering import Room
from training.datasets.rows import Streamed, mean, mean_and_deviation, on_device, pieces
from training.errors import DataError
from training.evaluate import observed_once
from training.likelihoods import LIKELIHOODS
from training.run import run

NOWHERE = Room(memory=0)
"""Room for nothing, so that everything is streamed."""


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def images_npy(folder: Path) -> Path:
    np.save(folder / "images.npy", draw().integers(0, 256, (60, 6, 5, 3), np.uint8))
    return folder / "images.npy"


def floats_npy(folder: Path) -> Path:
    np.save(folder / "floats.npy", draw().random((60, 6, 5)).astype(">f8"))
    return folder / "floats.npy"


def vectors_npz(folder: Path) -> Path:
    train, test = draw().normal(size=(60, 7)), draw().normal(size=(9, 7))
    np.savez_compressed(folder / "pair.npz", train=train, test=test)
    return folder / "pair.npz"


def photographs(folder: Path) -> Path:
    (folder / "photographs").mkdir()
    for number, levels in enumerate(draw().integers(0, 256, (60, 9, 8, 3), np.uint8)):
        Image.fromarray(levels).save(folder / "photographs" / f"{number}.png")
    return folder / "photographs"


def table_csv(folder: Path) -> Path:
    header, numbers = "a,b,c", draw().normal(size=(60, 3))
    np.savetxt(folder / "table.csv", numbers, delimiter=",", header=header, comments="")
    return folder / "table.csv"


def one_idx(folder: Path) -> Path:
    sizes = b"".join(size.to_bytes(4, "big") for size in (60, 4, 3))
    pixels = draw().integers(0, 256, 60 * 4 * 3, np.uint8).tobytes()
    (folder / "images-idx3-ubyte").write_bytes(bytes((0, 0, 8, 3)) + sizes + pixels)
    return folder / "images-idx3-ubyte"


MADE: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "images": ("arrays", images_npy),
    "floats": ("arrays", floats_npy),
    "vectors": ("arrays", vectors_npz),
    "photographs": ("image_folder", photographs),
    "table": ("table", table_csv),
    "idx": ("idx", one_idx),
}


def both(made: str, folder: Path) -> tuple[Dataset, Dataset]:
    """The same data in memory and streamed."""
    source, make = MADE[made]
    path = make(folder)
    held, streamed = (
        DATASETS[source](Request(path, channels=None, room=room)) for room in (Room(), NOWHERE)
    )
    assert isinstance(held.train, torch.Tensor)
    assert isinstance(streamed.train, Streamed)
    assert isinstance(streamed.test, Streamed)
    return held, streamed


@pytest.mark.parametrize("made", MADE)
def test_streamed_rows_are_the_rows_in_memory(tmp_path: Path, made: str) -> None:
    held, streamed = both(made, tmp_path)
    for one, other in ((held.train, streamed.train), (held.test, streamed.test)):
        which = torch.tensor([3, 0, 2])
        assert one[which].equal(other[which])
        assert one[1:4].equal(other[1:4])
        assert torch.cat(list(pieces(other, 4))).equal(one[:])
        assert tuple(one.shape) == other.shape
    assert held.digest() == streamed.digest()


@pytest.mark.parametrize("made", MADE)
def test_statistics_do_not_depend_on_where_rows_lie(tmp_path: Path, made: str) -> None:
    held, streamed = both(made, tmp_path)
    assert isinstance(held.train, torch.Tensor)
    assert mean(held.train).equal(held.train.mean(0))
    assert mean(held.train).equal(mean(streamed.train))
    for one, other in zip(
        mean_and_deviation(held.train), mean_and_deviation(streamed.train), strict=True
    ):
        assert one.equal(other)


def test_statistics_of_many_pieces_are_those_of_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.datasets.rows.PIECE", 7 * 11)  # 11 rows, and 5 are left
    held, streamed = both("vectors", tmp_path)
    exact = held.train[:].double()
    for rows in (held.train, streamed.train):
        average, deviation = mean_and_deviation(rows)
        torch.testing.assert_close(average, exact.mean(0))
        torch.testing.assert_close(deviation, exact.std(0, correction=0))
        torch.testing.assert_close(mean(rows), exact.mean(0).float())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("room", [0.0, 0.5])
def test_rows_come_on_the_device_whether_it_has_room_for_all_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: float
) -> None:
    monkeypatch.setattr("training.datasets.rows.ROOM", room)
    device = torch.device("cuda", 0)
    for data in both("images", tmp_path):
        moved = on_device(data.train, device)
        assert isinstance(moved, torch.Tensor if room else Streamed)
        which = torch.tensor([3, 0, 2], device=device)
        assert moved[which].device == device
        assert moved[which].cpu().equal(data.train[which.cpu()])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_test_rows_are_observed_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, likelihood: str
) -> None:
    held, streamed = both("images", tmp_path)
    chosen = LIKELIHOODS[likelihood]("image", 1.0)
    one = observed_once(chosen, held.test, seed=3)
    monkeypatch.setattr("training.datasets.rows.PIECE", 180)  # two rows
    assert observed_once(chosen, streamed.test, seed=3, room=NOWHERE)[:].equal(one[:])


def trained(folder: Path, *words: str) -> tuple[dict[str, Any], list[float]]:
    short = ["epochs=2", "evaluate_every=1", "nll_samples=3", "batch_size=16", "publish=false"]
    outcome = run("digits", [*short, f"out={folder}", *words])
    saved = run_state.read(folder)
    assert saved is not None
    return saved["vae"], [figure.value for figure in outcome.figures]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("images", ["encoder=8", "decoder=8"]),
        ("photographs", ["channels=none", "encoder=8", "decoder=8"]),
        ("table", ["likelihood=gaussian_learned", "encoder=8", "decoder=8"]),
    ],
)
def test_a_streamed_run_is_the_run_in_memory(tmp_path: Path, made: str, words: list[str]) -> None:
    source, make = MADE[made]
    given = [*words, f"source={source}", f"data={make(tmp_path)}"]
    weights, figures = trained(tmp_path / "held", *given)
    again, same = trained(tmp_path / "streamed", *given, "memory=1e-9")
    assert all(weights[name].equal(again[name]) for name in weights)
    assert figures == same
    # The file of the rows had no name, and is gone.
    names = {file.name for file in (tmp_path / "streamed").iterdir()}
    assert names == {file.name for file in (tmp_path / "held").iterdir()}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((20, 6, 5), 255.0), "pixels reach from 255 to 255, not [0, 1]: divide by 255"),
        (np.full((20, 6, 5), 7, np.int64), "save bytes (uint8)"),
        (np.full((20, 6), np.inf), "20 of 20 rows hold NaN or infinite values"),
    ],
)
def test_streamed_rows_are_checked_too(
    tmp_path: Path, array: np.ndarray[Any, Any], expected: str
) -> None:
    np.save(tmp_path / "rows.npy", array)
    with pytest.raises(DataError) as refused:
        DATASETS["arrays"](Request(tmp_path / "rows.npy", room=NOWHERE))
    assert expected in str(refused.value)


def test_a_folder_that_takes_no_file_of_rows_is_named(tmp_path: Path) -> None:
    limited = f"""
import resource
from pathlib import Path
from training.datasets import DATASETS, Request
from training.datasets.gathering import Room
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
DATASETS["image_folder"](Request(Path({str(photographs(tmp_path))!r}), room=Room(0, Path("."))))
"""
    done = process(tmp_path, sys.executable, "-c", limited)
    assert "DataError: a file of " in done.stderr
    assert "File too large" in done.stderr


# 60 MB of bytes are 240 MB as float32; torch, the model and a piece of the rows take their part.
LARGE = """
import resource, sys
import numpy as np
import matplotlib.figure
from numpy.lib.format import open_memmap
from training.datasets import rows
from training.preparation import load_data
from training.run import configure, run

def megabytes(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

rows.PIECE = 1 << 22
images = open_memmap("images.npy", "w+", np.uint8, (60_000, 25, 40))
images[:] = np.random.default_rng(0).integers(0, 256, (25, 40), np.uint8)
images[::2, 0, 0] = 7
words = ["source=arrays", "data=images.npy", "publish=false", "epochs=1", "nll_samples=1"]
words += ["encoder=8", "decoder=8", "batch_size=500", "held_out=0.02", *sys.argv[1:]]
limit = int((megabytes("VmData") + 220) * 2**20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
run("digits", words)
print(load_data(configure("digits", words)).digest())
"""


@pytest.mark.slow  # sixty thousand images, twice
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_the_memory_of_a_streamed_run_does_not_grow_with_its_data(tmp_path: Path) -> None:
    streamed = process(tmp_path, sys.executable, "-c", LARGE, "memory=0.1")
    assert streamed.returncode == 0, streamed.stderr
    assert len(streamed.stdout.splitlines()[-1]) == 64  # the digest
    held = process(tmp_path, sys.executable, "-c", LARGE, "memory=0.3", "out=held")
    assert "alloc" in held.stderr
    assert held.returncode
