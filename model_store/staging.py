"""Hidden folders of a store in which versions are put together, and the end of those left behind.

A publisher holds a lock on its folder for as long as it works. What is old and not locked was left
by one that was killed; age alone does not say that, for clocks jump.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_store.durable import make_folder

STAGING = ".staging-"
DEAD_AFTER_SECONDS = 24 * 3600.0  # no publisher takes a day; what it left behind is litter
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def staging_folder(store: Path) -> Iterator[Path]:
    """Make a folder of one's own in the store, which is gone afterwards, moved or removed."""
    _clear_dead_staging(store)
    staging = store / f"{STAGING}{secrets.token_hex(8)}"
    make_folder(staging)
    descriptor = os.open(staging, _FOLDER)
    try:
        # Where file systems know no locks, age alone decides, and the folder is young.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # gone already where it was renamed
        os.close(descriptor)


def _clear_dead_staging(store: Path) -> None:
    for folder in store.glob(f"{STAGING}*"):
        with suppress(OSError):  # its publisher may just have renamed it
            _clear_if_dead(folder)


def _clear_if_dead(folder: Path) -> None:
    descriptor = os.open(folder, _FOLDER)
    try:
        if time.time() - os.fstat(descriptor).st_mtime > DEAD_AFTER_SECONDS:
            # OSError where somebody holds the lock, or where nobody can: then the folder stays.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
