"""Summaries of manifests for those who list a store often: read when they change, without probes.

A probe is the end of a manifest and most of it; it is neither read nor parsed here.
"""

import json
import os
from pathlib import Path
from typing import BinaryIO

from model_store.errors import CheckpointRejected, Fault
from model_store.location import MANIFEST_FILE, ModelId, list_store
from model_store.manifest import MAX_BYTES, Summary, parse_summary
from model_store.version_files import VersionFolder

_PIECE = 1 << 15  # bytes read at a time until the probe begins
_PROBE = b'\n  "probe": '  # as publishing writes it

Stamp = tuple[int, int, int]


class Summaries:
    """What each version in a store says of itself; kept while its manifest stays the same file."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._kept: dict[ModelId, tuple[Stamp, Summary | str]] = {}

    def read(self) -> dict[str, Summary | str]:
        """The summary of each version by its name@version, or in a line why there is none.

        What cannot be listed is there, too, by the name that it has. May be called by several
        threads: what one reads in vain another has read.
        """
        listing = list_store(self._store)
        kept = self._kept
        self._kept = fresh = {}
        for model in listing.models:
            try:
                fresh[model] = self._read_one(model, kept.get(model))
            except FileNotFoundError:  # removed meanwhile
                continue
        found: dict[str, Summary | str] = {str(model): said for model, (_, said) in fresh.items()}
        return found | listing.unreadable

    def _read_one(
        self, model: ModelId, kept: tuple[Stamp, Summary | str] | None
    ) -> tuple[Stamp, Summary | str]:
        stamp: Stamp = (0, 0, 0)
        try:
            folder = VersionFolder(self._store, (model.name, str(model.version)))
            with folder.open(MANIFEST_FILE) as file:
                found = os.fstat(file.fileno())
                stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
                if kept is not None and kept[0] == stamp:
                    return kept
                text = _without_probe(file)
            return stamp, parse_summary(text, model)
        except CheckpointRejected as error:
            return stamp, str(error)
        except FileNotFoundError:
            raise
        except OSError as error:
            return stamp, f"{model} cannot be read: {error.strerror}"
        except Fault as fault:
            return stamp, f"{model} cannot be read: {fault}"


def _without_probe(file: BinaryIO) -> bytes:
    """The text of a manifest as if it had no probe, which is not read where it is the end of it."""
    text = b""
    while (start := text.find(_PROBE)) < 0:
        piece = file.read(_PIECE)
        if not piece:
            return _cut_out(text)
        text += piece
        if len(text) > MAX_BYTES:
            raise Fault(f"{MANIFEST_FILE} has more than {MAX_BYTES} bytes")
    return text[:start].rstrip(b",") + b"}"


def _cut_out(text: bytes) -> bytes:
    """The same of a manifest that somebody else wrote."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return text  # whoever parses it says what is wrong with it
    if isinstance(manifest, dict) and manifest.pop("probe", None) is None:
        raise Fault(f"{MANIFEST_FILE} has no probe")
    return json.dumps(manifest).encode()
