"""Links, pipes and what may not be read, where a store has files: nothing leads out of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from model_store import (
    CheckpointRejected,
    ModelId,
    StoreError,
    StoreNotWritable,
    Summaries,
    Summary,
    find,
    list_store,
    load,
    publish_again,
    published,
    read_manifest,
    read_verified,
)
from model_store.__main__ import main
from tests.model_store.tiny import publish_tiny

SOUND = ModelId("sound", 1)


def linked(path: Path) -> None:
    """Move what lies there out of the store, and link to it."""
    target = outside(path)
    path.rename(target)
    path.symlink_to(target)


def outside(path: Path) -> Path:
    """A place beside the store."""
    store = next(folder for folder in path.parents if folder.name == "store")
    return store.with_name(f"moved-{path.name}")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def emptied(path: Path) -> None:
    path.unlink()
    path.mkdir()


def closed(path: Path) -> None:
    path.chmod(0)


Change = Callable[[Path], None]
# Where, what is done there, what is said of it, and whether the version is still listed.
STRANGE: dict[str, tuple[str, Change, str, bool]] = {
    "the folder of a model is a link": ("tiny", linked, "tiny is a symbolic link", False),
    "the folder of a version is a link": ("tiny/1", linked, "1 is a symbolic link", False),
    "a manifest is a link": (
        "tiny/1/manifest.json",
        linked,
        "manifest.json is a symbolic link",
        False,
    ),
    "a module is a link": ("tiny/1/model.ts", linked, "model.ts is a symbolic link", True),
    "a manifest is a pipe": ("tiny/1/manifest.json", piped, "manifest.json is no regular", False),
    "a module is a pipe": ("tiny/1/model.ts", piped, "model.ts is no regular file", True),
    "a module is a folder": ("tiny/1/model.ts", emptied, "model.ts is no regular file", True),
}


@pytest.fixture
def two(store: Path) -> Path:
    """A store with a sound model beside the one that changes."""
    publish_tiny(store)
    publish_tiny(store, "sound")
    return store


@pytest.mark.parametrize("case", STRANGE)
def test_it_is_refused_by_name_and_hides_no_other(two: Path, case: str) -> None:
    place, change, said, listed = STRANGE[case]
    change(two / place)
    with pytest.raises(StoreError, match=said):
        load(two, find(two, "tiny"))
    assert (ModelId("tiny", 1) in published(two)) == listed
    assert SOUND in published(two)
    load(two, SOUND)
    if not listed:
        (why,) = list_store(two).unreadable.values()
        assert said in why
        assert str(two) not in why
        assert said in str(Summaries(two).read())


def test_an_attachment_that_is_a_link_is_refused(two: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros(3))
    model = publish_again(two, SOUND, {}, None, {"rows.npy": tmp_path / "rows.npy"})
    linked(two / "sound/2/rows.npy")
    with pytest.raises(CheckpointRejected, match=r"rows\.npy is a symbolic link"):
        read_verified(two, read_manifest(two, model), "rows.npy")


def test_the_store_itself_may_be_a_link(two: Path) -> None:
    link = two.with_name("link")
    link.symlink_to(two)
    load(link, find(link, "tiny"))
    assert publish_tiny(link) == ModelId("tiny", 2)


def test_nothing_is_published_through_a_link(two: Path) -> None:
    linked(two / "tiny")
    with pytest.raises(StoreNotWritable, match="tiny is a symbolic link"):
        publish_tiny(two)
    assert not (two / "tiny" / "2").exists()


@pytest.mark.parametrize("place", ["tiny", "tiny/1", "tiny/1/manifest.json", "."])
def test_what_may_not_be_read_says_so_and_hides_no_other(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with TemporaryDirectory() as folder, without_rights(Path(folder)) as store:
        closed(store / place)
        said = Summaries(store).read()
        code = main(["--store", str(store), "list"])
        (store / place).chmod(0o755)
    (wrong,) = (text for text in said.values() if isinstance(text, str))
    assert "Permission denied" in wrong
    assert str(store) not in wrong
    assert isinstance(said.get("sound@1"), Summary) == (place != ".")
    assert code == 1
    assert "Permission denied" in capsys.readouterr().err


@contextmanager
def without_rights(folder: Path) -> Iterator[Path]:
    """A store of a user who is no superuser, which is what this process is meanwhile."""
    store = folder / "store"
    store.mkdir()
    publish_tiny(store)
    publish_tiny(store, "sound")
    user = os.geteuid()
    if user == 0:
        for path in (folder, store, *store.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        yield store
    finally:
        os.seteuid(user)
