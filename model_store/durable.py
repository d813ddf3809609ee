"""Files and folders that survive a power cut once the call returns, and that everybody may read.

Their modes do not depend on the umask of whoever writes them: a store is written by one user and
read by others. Knows nothing of models.
"""

import errno
import os
import shutil
from pathlib import Path
from typing import IO, Any, BinaryIO

FOLDER_MODE, FILE_MODE = 0o755, 0o644
# How network and user-space file systems say that folders cannot be flushed there.
_NO_SYNC = frozenset((errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS))


def copy(source: BinaryIO, target: Path) -> None:
    """Copy an open file to a new one and wait until it is on the disk."""
    with target.open("xb") as writer:
        shutil.copyfileobj(source, writer, 1 << 20)
        _finish(writer)


def write(file: Path, text: str) -> None:
    """Write a text file and wait until it is on the disk."""
    with file.open("w", encoding="utf-8") as writer:
        writer.write(text)
        _finish(writer)


def make_folder(folder: Path, *, exist_ok: bool = False) -> None:
    """Make a folder, be there one or not where that is allowed."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not (exist_ok and folder.is_dir()):
            raise
    else:
        folder.chmod(FOLDER_MODE)


def _finish(writer: IO[Any]) -> None:
    writer.flush()
    os.fchmod(writer.fileno(), FILE_MODE)
    os.fsync(writer.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; a file's own fsync does not cover them.

    Where the file system cannot do that, its names are as durable as it makes them.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
