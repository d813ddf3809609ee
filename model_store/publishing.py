"""Writing to the store: a version appears complete and verified, or not at all.

A version is staged in a hidden folder of the store, made durable, verified as a reader would
do it, and renamed into place; the rename is what decides between two publishers.
"""

import errno
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import torch

from model_store.directions import Directions
from model_store.durable import copy, make_folder, sync_folder, write
from model_store.errors import IllegalName, StoreNotWritable, VersionTaken
from model_store.loading import read_verified, verify_staged
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
from model_store.manifest import Draft, FileRecord, Manifest, legal_attachment, read_manifest
from model_store.scores import Scores
from model_store.staging import staging_folder
from model_store.version_files import LINKED, VersionFolder

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
    with ExitStack() as opened:
        contents = {
            legal_attachment(name): opened.enter_context(attachment.open("rb"))
            for name, attachment in attachments.items()
        }
        contents[MODULE_FILE] = opened.enter_context(file.open("rb"))
        return _publish(draft, contents, store, version)


def _publish(
    draft: Draft, contents: Mapping[str, BinaryIO], store: Path, version: int | None = None
) -> ModelId:
    with _writing(store), staging_folder(store) as staging:
        model = _wanted(store, draft.name, version)
        for name, content in contents.items():
            copy(content, staging / name)
        _write_manifest(draft, model, staging)
        verify_staged(VersionFolder(staging, ()), model)
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
    kept = {*manifest.attachments} - {*attachments}
    with ExitStack() as opened:
        contents: dict[str, BinaryIO] = {
            name: BytesIO(read_verified(store, manifest, name)) for name in (MODULE_FILE, *kept)
        }
        for name, attachment in attachments.items():
            contents[legal_attachment(name)] = opened.enter_context(attachment.open("rb"))
        return _publish(draft, contents, store)


def remove(store: Path, model: ModelId) -> None:
    """Remove a version, whose number stays taken. Raises ModelNotFound, StoreNotWritable."""
    folder = published_folder(store, model).path
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


def file_record(file: Path) -> FileRecord:
    """Digest and size of a file, read in pieces."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return FileRecord(sha256=digest, size=stream.tell())


def _moved_into_place(staging: Path, store: Path, model: ModelId) -> bool:
    """Rename the staged folder to its version; False where another publisher came first."""
    target = version_folder(store, model)
    if target.parent.is_symlink():
        raise StoreNotWritable(f"{target.parent}: {LINKED.format(model.name)}")
    make_folder(target.parent, exist_ok=True)
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
