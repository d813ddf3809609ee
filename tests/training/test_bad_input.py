"""What cannot work is refused before the first step, in one line, and leaves nothing behind."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from training import run_state
from training.__main__ import main
from training.errors import RunStateError
from training.run import run

Array = np.ndarray[Any, Any]


def noise(*shape: int) -> Array:
    return np.random.default_rng(0).random(shape)


def saved(array: Array) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        np.save(folder / "rows.npy", array, allow_pickle=True)
        return folder / "rows.npy"

    return save


def one_image(folder: Path) -> Path:
    Image.fromarray((255 * noise(8, 8)).astype(np.uint8)).save(folder / "0.png")
    return folder


def not_a_number() -> Array:
    images = noise(9, 8, 8)
    images[4, 1, 1] = np.nan
    return images


def two_sizes() -> Array:
    images = np.empty(2, object)
    images[:] = [noise(8, 8), noise(9, 8)]
    return images


BAD: dict[str, tuple[Callable[[Path], Path], list[str], str]] = {
    "levels as floats": (saved(255 * noise(9, 8, 8)), [], "divide by 255"),
    "not a number": (saved(not_a_number()), [], "1 of 9 rows hold NaN"),
    "one row repeated": (saved(np.full((9, 8, 8), 0.5)), [], "all 8 training rows are the same"),
    "one image": (one_image, ["source=image_folder"], "1 image cannot be split"),
    "one row": (saved(noise(1, 8, 8)), [], "1 row(s) cannot be split"),
    "two sizes": (saved(two_sizes()), [], "all rows of one size"),
    "pixels of vectors": (saved(noise(9, 8)), [], "choose likelihood=gaussian_learned"),
    "convolutions on vectors": (
        saved(noise(9, 8)),
        ["family=residual", "likelihood=gaussian"],
        "choose family=mlp",
    ),
    "a flow of one": (saved(noise(9, 8, 8)), ["prior=flow", "latent_dim=1"], "latent_dim=1"),
    "rows too large": (
        saved(np.zeros((2, 1100, 1000), np.uint8)),
        ["publish=true"],
        "1100000 numbers, and models of at most 1048576 can be published",
    ),
    "no such device": (saved(noise(9, 8, 8)), ["device=cuda:99"], "choose device=cpu"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_one_line_before_the_first_step(
    tmp_path: Path, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    make, words, expected = BAD[bad]
    given = ["source=arrays", f"data={make(tmp_path / 'data')}", "publish=false"]
    keys = {word.partition("=")[0]: word for word in [*given, *words]}
    assert main(["run", "digits", *keys.values(), f"out={tmp_path / 'out'}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert expected in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_run_state_of_another_recipe_is_refused_by_its_keys(tmp_path: Path) -> None:
    short = ["publish=false", f"out={tmp_path}", "nll_samples=1"]
    run("digits", [*short, "epochs=1"])
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(RunStateError, match="source was digits and is curved_surface"):
        run("vectors", [*short, "epochs=2", "resume=true"])
    assert (tmp_path / "state.pt").read_bytes() == before


def test_a_state_from_before_a_key_existed_is_gone_on_with(tmp_path: Path) -> None:
    short = ["publish=false", f"out={tmp_path}", "nll_samples=1"]
    run("digits", [*short, "epochs=1"])
    content = run_state.read(tmp_path)
    assert content is not None
    for key in ("columns", "unreadable", "memory"):
        del content["config"][key]
    torch.save(content, tmp_path / "state.pt")
    run("digits", [*short, "epochs=2", "resume=true"])


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_state_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["publish=false", f"out={tmp_path}", "nll_samples=1", "evaluate_every=9"]
    run("digits", [*words, "epochs=1"])
    before = (tmp_path / "state.pt").read_bytes()
    with files_up_to(100_000):
        assert main(["run", "digits", *words, "epochs=3", "resume=true"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / 'state.pt'} cannot be written (File too large)")
    assert len(said.splitlines()) == 1
    assert (tmp_path / "state.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))
    run("digits", [*words, "epochs=3", "resume=true"])


def test_a_full_disk_publishes_nothing_and_the_run_is_published_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    words = [f"store={store}", f"out={tmp_path / 'out'}", "nll_samples=1", "epochs=1"]
    words.append("encoder=2000")  # so that the model is larger than what a run writes beside it
    run("digits", [*words, "publish=false"])
    with files_up_to(600_000):
        assert main(["run", "digits", *words, "resume=true"]) == 1
    assert capsys.readouterr().err.startswith("error: the model cannot be written to ")
    assert not list(store.iterdir())
    assert run("digits", [*words, "resume=true"]).published is not None


def test_a_log_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with files_up_to(10):
        assert main(["run", "digits", "publish=false", f"out={tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert said == "error: [Errno 27] File too large; what was saved before is whole\n"
