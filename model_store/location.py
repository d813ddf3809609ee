"""Where a model lies: names, versions, references and folders. Knows nothing of what is inside.

A store is listed whatever is wrong with parts of it: what cannot be read, and what is a symbolic
link, is named beside the versions that are there.
"""

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from model_store.errors import Fault, IllegalName, ModelNotFound
from model_store.version_files import LINKED, VersionFolder

MANIFEST_FILE = "manifest.json"
MODULE_FILE = "model.ts"
# Stays in a removed version's folder, which thereby keeps its number from being given out again.
TOMBSTONE_FILE = "removed"
# What a listing calls the store itself, where it cannot be read; no model has such a name.
WHOLE_STORE = "(store)"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
MAX_VERSION = 999_999_999


class ModelId(NamedTuple):
    """One published version. `str(ModelId("mnist", 1))` is `mnist@1`."""

    name: str
    version: int

    def __str__(self) -> str:
        """Write the reference that `find` reads."""
        return f"{self.name}@{self.version}"


class Listing(NamedTuple):
    """Every published version, sorted, and what cannot be read: a name or name@version, and why.

    No reason holds a path of the machine.
    """

    models: list[ModelId]
    unreadable: dict[str, str]


def legal_name(name: str) -> str:
    """Give the name back, or raise IllegalName: it becomes a folder and a part of URLs."""
    if _NAME.fullmatch(name) is None:
        raise IllegalName(
            f"{name[:80]!r} cannot name a model: use 1 to 63 characters of a-z, 0-9, '-' and '_', "
            "the first a letter or a digit"
        )
    return name


def version_folder(store: Path, model: ModelId) -> Path:
    """The folder of a version, be it there or not. IllegalName where the name is none."""
    return store / legal_name(model.name) / str(model.version)


def numbered(store: Path, name: str) -> list[int]:
    """All version numbers ever given out under a name, also those removed since; sorted."""
    folder = store / legal_name(name)
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if _VERSION.fullmatch(entry.name))


def list_store(store: Path) -> Listing:
    """List a store without leftovers, tombstones and foreign files; a missing one is empty."""
    listing = Listing([], {})
    for entry in _entries(store, WHOLE_STORE, listing):
        if _NAME.fullmatch(entry.name) and _is_folder(entry, entry.name, listing):
            for version in _entries(Path(entry.path), entry.name, listing):
                if _VERSION.fullmatch(version.name):
                    _list_version(version, ModelId(entry.name, int(version.name)), listing)
    listing.models.sort()
    return listing


def published(store: Path) -> list[ModelId]:
    """Every published version that can be read, sorted."""
    return list_store(store).models


def _entries(folder: Path, called: str, listing: Listing) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []  # removed meanwhile, or never there
    except OSError as error:
        listing.unreadable[called] = f"its folder cannot be read: {error.strerror}"
        return []


def _is_folder(entry: "os.DirEntry[str]", called: str, listing: Listing) -> bool:
    if entry.is_symlink():
        listing.unreadable[called] = LINKED.format(entry.name)
    return entry.is_dir(follow_symlinks=False)


def _list_version(entry: "os.DirEntry[str]", model: ModelId, listing: Listing) -> None:
    if not _is_folder(entry, str(model), listing):
        return
    try:
        mode = (Path(entry.path) / MANIFEST_FILE).stat(follow_symlinks=False).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        listing.unreadable[str(model)] = f"its folder cannot be read: {error.strerror}"
        return
    if stat.S_ISREG(mode):
        listing.models.append(model)
    else:
        what = LINKED if stat.S_ISLNK(mode) else "{} is no regular file"
        listing.unreadable[str(model)] = what.format(MANIFEST_FILE)


def find(store: Path, reference: str) -> ModelId:
    """Resolve `mnist` (its latest version) or `mnist@3`; ModelNotFound names what there is."""
    name, at, version = reference.partition("@")
    legal_name(name)
    if at and _VERSION.fullmatch(version) is None:
        raise IllegalName(
            f"{reference[:80]!r} is no reference: after '@' stands a version number, as in {name}@1"
        )
    listing = list_store(store)
    versions = [model.version for model in listing.models if model.name == name]
    if at and int(version) in versions:
        return ModelId(name, int(version))
    if not at and versions:
        return ModelId(name, versions[-1])
    for called, why in listing.unreadable.items():
        of_the_name = not at and called.startswith(f"{name}@")
        if called in (reference, name, WHOLE_STORE) or of_the_name:
            raise ModelNotFound(f"{called} cannot be read in {store}: {why}")
    there_is = _what_there_is(store, name, listing)
    if at and int(version) in numbered(store, name):
        raise ModelNotFound(f"{reference} was removed from {store}: {there_is}")
    raise ModelNotFound(f"{reference} is not in {store}: {there_is}")


def published_folder(store: Path, model: ModelId) -> VersionFolder:
    """The folder of a published version; ModelNotFound names what there is."""
    folder = VersionFolder(store, (legal_name(model.name), str(model.version)))
    try:
        with folder.open(MANIFEST_FILE):
            pass
    except (OSError, Fault):
        find(store, str(model))
    return folder


def _what_there_is(store: Path, name: str, listing: Listing) -> str:
    if not store.is_dir():
        return "there is no such folder; set LATENTD_STORE to the folder of the models"
    related = [model for model in listing.models if model.name == name] or listing.models
    if not related:
        return "nothing is published there"
    return "published there: " + ", ".join(str(model) for model in related[-20:])
