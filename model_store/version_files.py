"""Files of one version, opened through no symbolic link and read whole, once.

A link inside of a store could lead a reader to any file of the machine, and a second opening could
find other bytes than the first: what is checked is what was read. Knows nothing of their content.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from model_store.errors import Fault

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the opening of a pipe would wait for whoever writes to it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


LINKED = "{} is a symbolic link, and inside of a store none is followed: put the files there"


class VersionFolder(NamedTuple):
    """The folder of a version, published or staged; `root` alone may be a symbolic link."""

    root: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where it lies, for whoever may write there."""
        return self.root.joinpath(*self.parts)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a regular file of the version; Fault where it or a folder above it is a link."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part, flags in (*((part, _FOLDER) for part in self.parts), (name, _FILE)):
                inner = _open_below(descriptor, part, flags)
                os.close(descriptor)
                descriptor = inner
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Fault(f"{name} is no regular file")
            with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
                yield file
        finally:
            os.close(descriptor)

    def read(self, name: str, most: int) -> bytes:
        """Read a file of at most `most` bytes; Fault where it is larger."""
        with self.open(name) as file:
            size = os.fstat(file.fileno()).st_size
            content = b"" if size > most else _read(file, most + 1)
        if max(size, len(content)) > most:
            raise Fault(f"{name} has {max(size, len(content))} bytes, the limit is {most}")
        return content

    def read_exactly(self, name: str, size: int, sha256: str) -> bytes:
        """Read a file that must have this size and this digest, as the manifest says; else Fault.

        The size bounds what is read, and the digest is of the very bytes that are given.
        """
        try:
            with self.open(name) as file:
                found = os.fstat(file.fileno()).st_size
                # One byte more than there should be: a file that grows meanwhile is found out.
                content = _read(file, size + 1) if found == size else b""
        except FileNotFoundError as error:
            raise Fault(f"{name} is missing") from error
        if not found == len(content) == size:
            raise Fault(f"{name} has {max(found, len(content))} bytes, the manifest says {size}")
        digest = hashlib.sha256(content).hexdigest()
        if digest != sha256:
            raise Fault(f"{name} has SHA-256 {digest}, the manifest says {sha256}")
        return content


def _open_below(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise Fault(LINKED.format(name)) from None
        raise


def _read(file: BinaryIO, most: int) -> bytes:
    """Up to `most` bytes: one call may give fewer than there are."""
    pieces = []
    while most > 0 and (piece := file.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
