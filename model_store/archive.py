"""Whether a file is a TorchScript archive that is safe to hand to the loader of torch.

The loader itself checks neither checksums nor the sizes of its records, and runs code that the
archive brings for unpickling; nothing of the archive is run here.
"""

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from model_store.errors import Fault
from model_store.tensor_table import check_tensor_table

# Parts of a TorchScript archive, by the names torch gives them; the version's depends on the code.
_NEEDED = (("data.pkl",), ("constants.pkl",), ("version", ".data/version"))
_MAX_ENTRIES = 65_536
_MAX_INFLATION = 64 << 20  # bytes; weights are stored as they are, only source code is deflated
_FORBIDDEN_METHODS = (b"__setstate__", b"__getstate__")


def check_archive(file: Path) -> None:
    """Fault where the archive is damaged, incomplete, or would run code while it is loaded."""
    try:
        with zipfile.ZipFile(file) as archive:
            _check_directory(archive, file.stat().st_size)
            damaged = archive.testzip()
            if damaged is not None:
                raise Fault(f"the checksum of the entry {damaged!r} does not hold")
            _check_content(archive)
    # What zipfile raises on damaged directories and entries, besides its own error.
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Fault(f"it is no readable zip archive: {error}") from error


def _check_directory(archive: zipfile.ZipFile, file_size: int) -> None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if not 1 <= len(entries) <= _MAX_ENTRIES:
        raise Fault(f"it holds {len(entries)} entries, the limit is {_MAX_ENTRIES}")
    if len(set(names)) != len(names):
        raise Fault("two of its entries have the same name")
    unsafe = [name for name in names if not _is_safe(name)]
    if unsafe:
        raise Fault(f"the entry name {unsafe[0]!r} points outside of the archive")
    unpacked, limit = sum(entry.file_size for entry in entries), file_size + _MAX_INFLATION
    if unpacked > limit:
        raise Fault(f"its entries unpack to {unpacked} bytes, the limit is {limit}")


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name)


def _check_content(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    root = names[0].split("/")[0]
    missing = [part[0] for part in _NEEDED if not any(f"{root}/{name}" in names for name in part)]
    code = [name for name in names if name.startswith(f"{root}/code/") and name.endswith(".py")]
    if missing or not code:
        wanted = ", ".join(missing or ["code/*.py"])
        raise Fault(f"it is no TorchScript archive: {wanted} is missing")
    for name in code:
        source = archive.read(name)
        for method in _FORBIDDEN_METHODS:
            if method in source:
                raise Fault(f"{name} defines {method.decode()}, which would run at loading")
    check_tensor_table(archive, f"{root}/data.pkl", f"{root}/data")
    check_tensor_table(archive, f"{root}/constants.pkl", f"{root}/constants")
