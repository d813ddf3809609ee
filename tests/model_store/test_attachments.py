"""Arrays that lie beside a published module."""

from pathlib import Path

import numpy as np
import pytest

from model_store import (
    CheckpointRejected,
    ModelId,
    load,
    publish_again,
    read_manifest,
    read_verified,
    remove,
)
from model_store.__main__ import main
from tests.model_store.tiny import publish_tiny

NAMES = ["latents.npy", "rows.npy"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for number, name in enumerate(NAMES):
        np.save(tmp_path / name, np.full((3, 2), number, np.float32))
    return {name: tmp_path / name for name in NAMES}


def test_they_are_published_with_their_digests(store: Path, files: dict[str, Path]) -> None:
    model = publish_again(store, publish_tiny(store), {}, None, files)
    manifest = load(store, model).manifest
    assert list(manifest.attachments) == NAMES
    for name, file in files.items():
        assert read_verified(store, manifest, name) == file.read_bytes()
    assert not read_manifest(store, ModelId("tiny", 1)).attachments
    assert "attachments" not in (store / "tiny/1/manifest.json").read_text()


def test_they_stay_where_the_next_version_says_nothing_of_them(
    store: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    first = publish_again(store, publish_tiny(store), {}, None, files)
    np.save(tmp_path / "other.npy", np.zeros(1))
    other = {"rows.npy": tmp_path / "other.npy"}
    manifest = read_manifest(store, publish_again(store, first, {}, None, other))
    assert list(manifest.attachments) == NAMES
    kept, changed = (read_verified(store, manifest, name) for name in NAMES)
    assert kept == files["latents.npy"].read_bytes()
    assert changed == other["rows.npy"].read_bytes()


def test_a_damaged_one_is_refused_and_the_model_still_loads(
    store: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model = publish_again(store, publish_tiny(store), {}, None, files)
    file = store / "tiny/2/rows.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    manifest = load(store, model).manifest
    with pytest.raises(CheckpointRejected, match=r"digest check: rows\.npy has SHA-256"):
        read_verified(store, manifest, "rows.npy")
    assert main(["--store", str(store), "verify", "tiny@2"]) == 1
    assert "rows.npy" in capsys.readouterr().err
    file.unlink()
    with pytest.raises(CheckpointRejected, match=r"rows\.npy is missing"):
        read_verified(store, manifest, "rows.npy")


@pytest.mark.parametrize("name", ["../up.npy", "model.ts", "a/b.npy", "Rows.npy", "rows.txt"])
def test_a_name_that_leads_elsewhere_is_refused(
    store: Path, files: dict[str, Path], name: str
) -> None:
    first = publish_tiny(store)
    with pytest.raises(ValueError, match="cannot name an attachment"):
        publish_again(store, first, {}, None, {name: files["rows.npy"]})
    assert not (store / "tiny/2").exists()
    assert not (store / "up.npy").exists()


def test_a_removed_version_leaves_none_behind(store: Path, files: dict[str, Path]) -> None:
    model = publish_again(store, publish_tiny(store), {}, None, files)
    remove(store, model)
    assert [file.name for file in (store / "tiny/2").iterdir()] == ["removed"]
