"""Writing to the store: a version appears complete and verified, or not at all.

A version is staged in a hidden folder of the store, made durable, verified by loading it as a
reader would, and renamed into place; the rename is what decides between two publishers.
"""

import errno
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import torch

from model_store.directions import Directions
from model_store.durable import copy, sync_folder, write
from model_store.errors import IllegalName, StoreNotWritable, VersionTaken
from model_store.loading import file_record, load_folder, sound_file
from model_store.location import (
    MANIFEST_FILE,
    MAX_VERSION,
    MODULE_FILE,
    TOMBSTONE_FILE,
    ModelId,
    legal_name,
    numbered,
    published_folder,
    version_folder,
)
from model_store.manifest import Draft, Manifest, legal_attachment, read_manifest
from model_store.scores import Scores

_STORE_ERRORS = frozenset(
    (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,  # beyond the size that a file may have here
        errno.ENOTDIR,
        errno.ENOENT,  # the folder was removed, or is one in which nothing can be made
    )
)
NOTHING: Mapping[str, Path] = MappingProxyType({})
_STAGING = ".staging-"
_DEAD_AFTER_SECONDS = 24 * 3600.0  # no publisher takes a day; what it left behind is litter


def publish(
    draft: Draft,
    file: Path,
    store: Path,
    version: int | None = None,
    attachments: Mapping[str, Path] = NOTHING,
) -> ModelId:
    """Publish a saved TorchScript archive and give its name and version.

    `attachments` are `.npy` files to lie beside it, by the name that each gets there. Without a
    version the next free one is taken. Raises IllegalName, VersionTaken,
    StoreNotWritable, or CheckpointRejected where the checkpoint fails a check of loading; then
    nothing of it is left in the store.
    """
    legal_name(draft.name)
    with file.open("rb") as source, _writing(store), _staging_folder(store) as staging:
        model = _wanted(store, draft.name, version)
        copy(source, staging / MODULE_FILE)
        for name, attachment in attachments.items():
            with attachment.open("rb") as content:
                copy(content, staging / legal_attachment(name))
        _write_manifest(draft, model, staging)
        load_folder(staging, model)
        while not _moved_into_place(staging, store, model):
            model = _wanted(store, draft.name, version)
            _write_manifest(draft, model, staging)
    return model


def publish_again(
    store: Path,
    model: ModelId,
    directions: Directions,
    scores: Scores | None,
    attachments: Mapping[str, Path] = NOTHING,
) -> ModelId:
    """Publish a version's module once more, under the next free version and with these facts.

    All else that its manifest says stays, and so do attachments of other names. Raises
    ModelNotFound, CheckpointRejected where the published files are damaged, ValueError where the
    facts break the manifest's rules, and what `publish` raises.
    """
    manifest = read_manifest(store, model)
    said = manifest.model_dump(include=set(Draft.model_fields))
    draft = Draft.model_validate(said | {"directions": directions, "scores": scores})
    kept = {name: sound_file(store, manifest, name) for name in manifest.attachments}
    return publish(draft, sound_file(store, manifest), store, attachments={**kept, **attachments})


def remove(store: Path, model: ModelId) -> None:
    """Remove a version, whose number stays taken. Raises ModelNotFound, StoreNotWritable."""
    folder = published_folder(store, model)
    with _writing(store):
        note = f"{model} was removed on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n"
        write(folder / TOMBSTONE_FILE, note)
        # The manifest goes first: from then on nobody finds the version.
        (folder / MANIFEST_FILE).unlink(missing_ok=True)
        for file in folder.iterdir():
            if file.name != TOMBSTONE_FILE:
                file.unlink(missing_ok=True)
        sync_folder(folder)


def _wanted(store: Path, name: str, version: int | None) -> ModelId:
    """The version to publish: the one asked for where it is free, else the next after the last."""
    taken = numbered(store, name)
    following = max(taken, default=0) + 1
    if version is None:
        return ModelId(name, following)
    if not 1 <= version <= MAX_VERSION:
        raise IllegalName(f"{version} is no version: it lies between 1 and {MAX_VERSION}")
    if version in taken:
        raise VersionTaken(
            f"{name}@{version} was published before, and a version is written once: "
            f"the next free one is {name}@{following}"
        )
    return ModelId(name, version)


@contextmanager
def _writing(store: Path) -> Iterator[None]:
    """Turn the errors of a store that cannot be written to into one that names the remedy."""
    try:
        if not store.is_dir():
            raise StoreNotWritable(
                f"{store} is not a folder: create it with `mkdir -p {store}`, or set LATENTD_STORE"
            )
        yield
    except OSError as error:
        if error.errno not in _STORE_ERRORS:
            raise
        raise StoreNotWritable(
            f"{store} cannot be written to ({error.strerror}): mount it writable, give this user "
            "the right to write and free space, or set LATENTD_STORE to another folder"
        ) from error


@contextmanager
def _staging_folder(store: Path) -> Iterator[Path]:
    _clear_dead_staging(store)
    staging = store / f"{_STAGING}{secrets.token_hex(8)}"
    staging.mkdir()  # not mkdtemp: its 0700 would hide the published version from other users
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # gone already where it was renamed


def _clear_dead_staging(store: Path) -> None:
    for folder in store.glob(f"{_STAGING}*"):
        with suppress(FileNotFoundError):  # its publisher may just have renamed it
            if time.time() - folder.stat().st_mtime > _DEAD_AFTER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _write_manifest(draft: Draft, model: ModelId, staging: Path) -> None:
    """Write the manifest of the module that was copied into the staging folder."""
    attached = [file for file in staging.iterdir() if file.name not in (MODULE_FILE, MANIFEST_FILE)]
    manifest = Manifest(
        **draft.model_dump(),
        version=model.version,
        created=datetime.now(UTC).replace(microsecond=0),
        file=file_record(staging / MODULE_FILE),
        attachments={file.name: file_record(file) for file in sorted(attached)},
        torch=str(torch.__version__),
    )
    write(staging / MANIFEST_FILE, manifest.as_json())
    sync_folder(staging)


def _moved_into_place(staging: Path, store: Path, model: ModelId) -> bool:
    """Rename the staged folder to its version; False where another publisher came first."""
    target = version_folder(store, model)
    target.parent.mkdir(exist_ok=True)
    try:
        staging.rename(target)
    except OSError as error:
        # A version's folder is never empty, not even after its removal.
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    sync_folder(target.parent)
    sync_folder(store)
    return True
