"""Receipts: notes in a folder of the user's of what was verified here, and by which checks.

A receipt spares the next start the verification. Whoever could write one could forge it, so the
folder must be this user's own and writable by nobody else. Where there is none, or it cannot be
written to, nothing is kept and nothing fails.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from platform import python_version

import torch

from model_store.settings import extra_operators, receipts_folder

MOST_KEPT = 1000
_LOCK = "lock"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def receipt_key(*facts: str) -> str:
    """The name of the receipt for what `facts` say, under the checks of this release."""
    return f"{_release()}-{_digest(*facts)}"


def _release() -> str:
    """Name the checks, and the versions of what runs them, as receipts begin."""
    here = (checks_digest(), torch.__version__, python_version(), *sorted(extra_operators()))
    return _digest(*here)[:16]


def _digest(*facts: str) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


@lru_cache(maxsize=1)
def checks_digest() -> str:
    """A digest of the source of this package: other checks have other receipts."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def has_receipt(key: str) -> bool:
    """Whether the receipt is there, in a folder that nobody else can write to."""
    with _opened() as folder:
        if folder is None:
            return False
        try:
            found = os.stat(key, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def has_any_receipt() -> bool:
    """Say whether anything was verified here by the checks of this release."""
    release = _release()
    with _opened() as folder:
        return folder is not None and any(name.startswith(release) for name in _names(folder))


def keep_receipt(key: str) -> None:
    """Keep the receipt where there is a folder for it."""
    _make_folder()
    with _opened() as folder, suppress(OSError):
        if folder is not None:
            os.close(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=folder))
            _forget_the_oldest(folder)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let processes that start together wait for one to verify, where there is a folder.

    The wait ends with the other process: the system frees the lock of one that dies.
    """
    _make_folder()
    with _opened() as folder:
        lock = None
        if folder is not None:
            with suppress(OSError):
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                lock = os.open(_LOCK, flags, 0o600, dir_fd=folder)
                fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)


def _make_folder() -> None:
    path = receipts_folder()
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _opened() -> Iterator[int | None]:
    """The folder, if it is there, this user's, and writable by nobody else."""
    path = receipts_folder()
    folder = None
    if path is not None:
        with suppress(OSError):
            folder = os.open(path, _FOLDER)
    try:
        if folder is not None:
            found = os.fstat(folder)
            trusted = found.st_uid == os.geteuid() and not found.st_mode & 0o022
            yield folder if trusted else None
        else:
            yield None
    finally:
        if folder is not None:
            os.close(folder)


def _names(folder: int) -> list[str]:
    return [name for name in os.listdir(folder) if name != _LOCK]


def _forget_the_oldest(folder: int) -> None:
    names = _names(folder)
    if len(names) > MOST_KEPT:
        names.sort(key=lambda name: os.stat(name, dir_fd=folder).st_mtime)
        for name in names[: len(names) - MOST_KEPT]:
            os.unlink(name, dir_fd=folder)
