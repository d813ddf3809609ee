"""Where a model lies: names, versions, references and folders. Knows nothing of what is inside."""

import re
from pathlib import Path
from typing import NamedTuple

from model_store.errors import IllegalName, ModelNotFound

MANIFEST_FILE = "manifest.json"
MODULE_FILE = "model.ts"
# Stays in a removed version's folder, which thereby keeps its number from being given out again.
TOMBSTONE_FILE = "removed"

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


def published(store: Path) -> list[ModelId]:
    """Every published version, sorted; leftovers, tombstones and foreign files are ignored."""
    if not store.is_dir():
        return []
    names = sorted(entry.name for entry in store.iterdir() if _NAME.fullmatch(entry.name))
    models = [ModelId(name, version) for name in names for version in numbered(store, name)]
    return [model for model in models if is_published(store, model)]


def is_published(store: Path, model: ModelId) -> bool:
    """Whether the version can be read: its manifest arrives first and leaves first."""
    return (version_folder(store, model) / MANIFEST_FILE).is_file()


def find(store: Path, reference: str) -> ModelId:
    """Resolve `mnist` (its latest version) or `mnist@3`; ModelNotFound names what there is."""
    name, at, version = reference.partition("@")
    legal_name(name)
    if at and _VERSION.fullmatch(version) is None:
        raise IllegalName(
            f"{reference[:80]!r} is no reference: after '@' stands a version number, as in {name}@1"
        )
    versions = [model.version for model in published(store) if model.name == name]
    if at and int(version) in versions:
        return ModelId(name, int(version))
    if not at and versions:
        return ModelId(name, versions[-1])
    if at and int(version) in numbered(store, name):
        raise ModelNotFound(f"{reference} was removed from {store}: {_what_there_is(store, name)}")
    raise ModelNotFound(f"{reference} is not in {store}: {_what_there_is(store, name)}")


def published_folder(store: Path, model: ModelId) -> Path:
    """The folder of a published version; ModelNotFound names what there is."""
    if not is_published(store, model):
        find(store, str(model))
    return version_folder(store, model)


def _what_there_is(store: Path, name: str) -> str:
    if not store.is_dir():
        return "there is no such folder; set LATENTD_STORE to the folder of the models"
    models = published(store)
    related = [model for model in models if model.name == name] or models
    if not related:
        return "nothing is published there"
    return "published there: " + ", ".join(str(model) for model in related[-20:])
