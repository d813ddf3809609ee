"""Files and folders whose names are bytes that are no UTF-8, from the command to the manifest."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from PIL import Image
from pyarrow import parquet

from model_store import ModelId, read_manifest

ODD = os.fsdecode(b"caf\xe9")  # é in Latin-1
SHOWN = "caf\\xe9"
ROOT = Path(__file__).parents[2]


def images(folder: Path) -> Path:
    """Two classes of images, one of an odd name, and a file that is none."""
    place = folder / f"{ODD}.d"
    for name in (ODD, "tea"):
        (place / name).mkdir(parents=True)
        for number in range(12):
            levels = np.random.default_rng(number).integers(0, 256, (4, 4), np.uint8)
            Image.fromarray(levels + (name == ODD)).save(place / name / f"{ODD} {number}.png")
    (place / ODD / f"{ODD}.png").write_text("no image")
    return place


def csv(folder: Path) -> Path:
    path = folder / f"{ODD}.csv"
    rows = np.random.default_rng(0).normal(size=(60, 2)).tolist()
    path.write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows))
    return path


def parquet_file(folder: Path) -> Path:
    path = folder / f"{ODD}.parquet"
    draw = np.random.default_rng(0)
    with path.open("wb") as file:
        parquet.write_table(pa.table({"a": draw.normal(size=60), "b": draw.normal(size=60)}), file)
    return path


def npy(folder: Path) -> Path:
    path = folder / f"{ODD}.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    return path


MADE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "image_folder": (images, "digits"),
    "table": (csv, "vectors"),
    "table of parquet": (parquet_file, "vectors"),
    "arrays": (npy, "vectors"),
}


def training(words: list[str], encoding: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "training", *words]
    env = os.environ | {"PYTHONIOENCODING": encoding}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=100, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("source", MADE)
def test_they_train_and_are_told_wherever_names_are_told(tmp_path: Path, source: str) -> None:
    make, recipe = MADE[source]
    (tmp_path / "store").mkdir()
    places = [f"data={make(tmp_path)}", f"store={tmp_path / 'store'}", f"out={tmp_path / ODD}"]
    keys = ["epochs=1", "nll_samples=2", "encoder=4", "decoder=4", "batch_size=8", "unreadable=0.1"]
    words = ["run", recipe, f"source={source.partition(' ')[0]}", "name=odd", *places, *keys]
    done = training(words, "ascii:strict")
    assert done.returncode == 0, done.stderr
    if source == "image_folder":
        assert SHOWN.encode() in done.stdout
        assert b"1 of 25 files are left out" in done.stdout
    manifest = read_manifest(tmp_path / "store", ModelId("odd", 1))
    assert manifest.training.dataset.startswith(SHOWN)
    again = training([*words, "resume=true"], "utf-8:strict")
    assert again.returncode == 0, again.stderr
    report = (tmp_path / ODD / "report.html").read_text(encoding="utf-8")
    assert SHOWN in report


def test_what_is_wrong_with_one_is_said(tmp_path: Path) -> None:
    done = training(
        ["run", "vectors", "source=table", f"data={tmp_path / ODD}.csv"], "ascii:strict"
    )
    assert done.returncode == 1
    assert b"there is no such file" in done.stderr
    assert b"Traceback" not in done.stderr
