"""From the bytes of a TorchScript archive to a canonical archive, the only one that torch reads.

The reader of torch checks neither checksums nor sizes, ignores the case of names, takes whatever
lies around the entries, and runs code that an archive brings for unpickling. So the archive is read
here, strictly; each entry must be of a known form; and what is kept is written anew, as one would
expect it. Nothing of the archive is run here.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping

from model_store.errors import Fault
from model_store.tensor_table import check_tensor_table
from model_store.zip_directory import read_directory, unpack

MAX_ENTRIES = 65_536
MAX_INFLATION = 64 << 20  # bytes; weights are stored as they are, only source code is deflated
_LONGEST_NAME = 1024

# All that the loader of torch is given, by names below the archive's one folder.
_KEPT = re.compile(
    r"data\.pkl|constants\.pkl|version|\.data/version|byteorder"
    r"|(?:data|constants)/[0-9]{1,9}"
    r"|code/(?:\w+/)*\w+\.py",
    re.ASCII,
)
# What torch.jit.save writes beside them: notes for people, and the examples of a tracer.
_DROPPED = re.compile(
    r"\.format_version|\.storage_alignment|\.data/serialization_id"
    r"|code/(?:\w+/)*\w+\.py\.debug_pkl"
    r"|traced_inputs\.pkl|traced_inputs/[0-9]{1,9}",
    re.ASCII,
)
_NEEDED = ("data.pkl", "constants.pkl")
_VERSIONS = ("version", ".data/version")
_FORBIDDEN_METHODS = (b"__setstate__", b"__getstate__")

Records = Mapping[str, bytes | memoryview]


def canonical_archive(content: bytes) -> io.BytesIO:
    """Check an archive and write what torch may read of it; Fault says what is wrong with it."""
    try:
        records = _read(memoryview(content))
    except zlib.error as error:
        raise Fault(f"an entry does not unpack: {error}") from error
    _check_content(records)
    return _written(records)


def _read(content: memoryview) -> dict[str, bytes | memoryview]:
    """The records to keep, by their names below the archive's folder."""
    entries = read_directory(content, MAX_ENTRIES)
    unpacked, limit = sum(entry.size for entry, _ in entries), len(content) + MAX_INFLATION
    if unpacked > limit:
        raise Fault(f"its entries unpack to {unpacked} bytes, the limit is {limit}")
    root = entries[0][0].name.partition("/")[0]
    spelled: dict[str, str] = {}
    records: dict[str, bytes | memoryview] = {}
    for entry, packed in entries:
        inner = _inner_name(entry.name, root)
        other = spelled.setdefault(inner.casefold(), inner)
        if inner in records or other != inner:
            raise Fault(f"two of its entries have the same name, {other!r} and {inner!r}")
        records[inner] = unpack(entry, packed)
    return {name: record for name, record in records.items() if _KEPT.fullmatch(name)}


def _inner_name(name: str, root: str) -> str:
    folder, _, inner = name.partition("/")
    known = _KEPT.fullmatch(inner) or _DROPPED.fullmatch(inner)
    if len(name) > _LONGEST_NAME or folder != root or not root or not known:
        raise Fault(f"the entry {name[:200]!r} is none that torch.jit.save writes for a module")
    return inner


def _check_content(records: Records) -> None:
    missing = [name for name in _NEEDED if name not in records]
    versions = [records[name] for name in _VERSIONS if name in records]
    code = [name for name in records if name.startswith("code/")]
    if missing or not versions or not code:
        wanted = [*missing, *([] if versions else ["version"]), *([] if code else ["code/*.py"])]
        raise Fault(f"it is no TorchScript archive: {', '.join(wanted)} is missing")
    if len(versions) > 1 or not re.fullmatch(rb"[0-9]{1,4}\n?", bytes(versions[0])):
        raise Fault("its version is not one number")
    if bytes(records.get("byteorder", b"little")) != b"little":
        raise Fault("its numbers are not little-endian: save it on a machine where they are")
    for name in code:
        for method in _FORBIDDEN_METHODS:
            if method in bytes(records[name]):
                raise Fault(f"{name} defines {method.decode()}, which would run at loading")
    check_tensor_table(records, "data.pkl", "data")
    check_tensor_table(records, "constants.pkl", "constants")


def _written(records: Records) -> io.BytesIO:
    """The archive as this project writes it: stored, dated alike, nothing beside the records."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, record in records.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), record)
    target.seek(0)
    return target
