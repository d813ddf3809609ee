"""`python -m training directions` on models that are published already."""

from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch

from model_store import Manifest, ModelId, load, publish_again, published, read_manifest
from tests.factories import publish_kind
from training.__main__ import main
from training.run import run

LENGTH = 1797
FIRST = ModelId("digits", 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run's model."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "store").mkdir()
    where = [f"store={folder / 'store'}", f"out={folder / 'out'}"]
    run("digits", ["epochs=2", "nll_samples=5", "encoder=16", "decoder=16", *where])
    return folder / "store"


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> Path:
    """A store of its own with the run's digits@1."""
    folder = tmp_path / "store"
    (folder / "digits").mkdir(parents=True)
    copytree(trained / "digits/1", folder / "digits/1")
    return folder


def directions(store: Path, *words: str) -> int:
    return main(["directions", *words, "--store", str(store)])


def test_the_next_version_is_the_same_module_with_directions(
    store: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = read_manifest(trained, FIRST)
    bare = publish_again(store, FIRST, {}, None)
    assert directions(store, str(bare)) == 0
    said = capsys.readouterr().out
    assert "10 classes of 1617 training rows: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n55 directions" in said
    assert f"scores: of 1617 training rows\npublished: digits@3 in {store}, the module of" in said
    assert "note" not in said
    found = load(store, ModelId("digits", 3)).manifest
    own = {"version", "created", "directions", "scores"}
    assert found.model_dump(exclude=own) == original.model_dump(exclude=own)
    # What the run published, to what float32 leaves of a scripted model.
    assert list(found.directions) == list(original.directions)
    for name, direction in original.directions.items():
        torch.testing.assert_close(
            found.directions[name].tensor(), direction.tensor(), rtol=1e-4, atol=1e-4
        )
    assert found.scores is not None
    assert original.scores is not None
    assert found.scores.quantiles == pytest.approx(original.scores.quantiles, rel=1e-4)
    assert (found.scores.rows, found.scores.draws) == (1617, original.scores.draws)
    assert not read_manifest(store, bare).directions


def test_labels_of_a_file_name_further_directions_and_scores_stay(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{row},{'even' if row % 2 == 0 else 'odd'}" for row in range(LENGTH)]
    (tmp_path / "rows.csv").write_text("\n".join(["row,parity", *lines]))
    words = ["digits", "--labels", str(tmp_path / "rows.csv"), "--column", "parity"]
    assert directions(store, *words) == 0
    said = capsys.readouterr().out
    assert "3 directions, and 55 of other names that stay\nscores: those of digits@1\n" in said
    before, after = (read_manifest(store, ModelId("digits", version)) for version in (1, 2))
    assert after.scores == before.scores
    assert list(after.directions)[55:] == ["even", "odd", "even - odd"]
    assert {**after.directions, **before.directions} == after.directions


def test_other_rows_give_directions_and_no_scores(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = publish_again(store, FIRST, {}, None)
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "others.npz",
        x_train=rng.random((20, 8, 8)),
        x_test=rng.random((5, 8, 8)),
        y_train=np.arange(20) % 4,
    )
    data = ["--source", "arrays", "--data", str(tmp_path / "others.npz")]
    assert directions(store, str(bare), *data) == 0
    said = capsys.readouterr().out
    assert "scores: none, as these are not the rows that the model was trained on" in said
    assert "note: these are not the rows" in said
    found = read_manifest(store, ModelId("digits", 3))
    assert (len(found.directions), found.scores) == (4 + 6, None)


def test_a_model_of_another_hand_has_directions_of_its_latent_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    publish_kind(folder, "colour")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((30, 3, 8, 8)))
    np.save(tmp_path / "y.npy", np.arange(30) % 2)
    data = ["--source", "arrays", "--data", str(tmp_path / "x.npy")]
    assert directions(folder, "colour", *data, "--labels", str(tmp_path / "y.npy")) == 0
    assert "scores: none, as they want an exported log_likelihood" in capsys.readouterr().out
    found: Manifest = read_manifest(folder, ModelId("colour", 2))
    assert {record.shape for record in found.directions.values()} == {(2, 4, 4)}


@pytest.mark.parametrize(
    ("model", "rows", "labels", "expected"),
    [
        ("mnist", (20, 8, 8), range(20), "mnist is not in"),
        ("digits@7", (20, 8, 8), range(20), "digits@7 is not in"),
        ("digits", (20, 9, 8), range(20), "digits@1 takes image of shape [1, 8, 8], and x holds"),
        ("digits", (20, 64), range(20), "and x holds vectors of shape [64]"),
        ("digits", (20, 8, 8), None, "x has no labels of its training rows: give them with --lab"),
        ("digits", (20, 8, 8), range(19), "y.npy has 19 labels, and x has 20 rows"),
        ("digits", (20, 8, 8), range(20), "has no training row, as all its rows are held out"),
        ("digits", (2300, 8, 8), [*range(230)] * 10, "are 275, and a model may have 256"),
    ],
)
def test_what_cannot_be_named_is_one_line_and_publishes_nothing(
    store: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    rows: tuple[int, ...],
    labels: Sequence[int] | None,
    expected: str,
) -> None:
    folder = store.parent
    np.save(folder / "x.npy", np.random.default_rng(0).random(rows, np.float32))
    np.save(folder / "y.npy", np.array(labels or [0]))
    words = [model, "--source", "arrays", "--data", str(folder / "x.npy")]
    given = [] if labels is None else ["--labels", str(folder / "y.npy")]
    assert directions(store, *words, *given) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert expected in said
    assert len(said.splitlines()) == 1
    assert published(store) == [FIRST]
