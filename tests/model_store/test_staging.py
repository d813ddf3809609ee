"""What a publisher leaves on the disk, and when, on file systems and by clocks of any kind."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from model_store import ModelId, StoreNotWritable, publish_again, published, remove
from tests.model_store.tiny import publish_tiny

HOUR = 3600.0


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_whoever_serves_may_read_what_was_published_whatever_the_umask(
    store: Path, umask: int
) -> None:
    os.umask(0o022)
    np.save(store.parent / "rows.npy", np.zeros(3))
    first = publish_tiny(store)
    os.umask(umask)
    publish_again(store, first, {}, None, {"rows.npy": store.parent / "rows.npy"})
    remove(store, first)
    os.umask(0o022)
    for path in store.rglob("*"):
        wanted = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert published(store) == [ModelId("tiny", 2)]


def failing_on_folders(code: int) -> Callable[[int], None]:
    """The system's fsync as some file systems have it."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    return fsync


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EBADF, errno.ENOTSUP])
def test_a_file_system_that_flushes_no_folders_can_hold_a_store(
    store: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing_on_folders(code))
    remove(store, publish_tiny(store))
    assert publish_tiny(store) == ModelId("tiny", 2)


def test_a_folder_that_fails_to_flush_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing_on_folders(errno.ENOSPC))
    with pytest.raises(StoreNotWritable, match="No space"):
        publish_tiny(store)
    assert published(store) == []


@pytest.mark.parametrize(("age", "stays"), [(0, 1), (1 * HOUR, 1), (48 * HOUR, 0), (-HOUR, 1)])
def test_a_publisher_clears_only_staging_that_is_long_dead(
    store: Path, age: float, stays: int
) -> None:
    leftover = left_behind(store, age)
    publish_tiny(store)
    assert leftover.exists() == bool(stays)


def left_behind(store: Path, age: float) -> Path:
    leftover = store / ".staging-0123456789abcdef"
    leftover.mkdir()
    (leftover / "model.ts").write_bytes(b"half of a mod")
    then = time.time() - age
    os.utime(leftover, (then, then))
    return leftover


def test_the_staging_of_one_who_works_stays_however_old_it_seems(store: Path) -> None:
    leftover = left_behind(store, 48 * HOUR)
    code = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_SH); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(leftover)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as working:
        assert working.stdout is not None
        working.stdout.readline()
        publish_tiny(store)
        assert leftover.exists()
        working.kill()
    publish_tiny(store)
    assert not leftover.exists()


def test_a_publisher_holds_its_staging(store: Path) -> None:
    pipe = store.parent / "pipe"
    os.mkfifo(pipe)
    code = (
        "import sys; from pathlib import Path; from model_store import publish\n"
        "from tests.model_store.tiny import tiny_draft\n"
        "publish(tiny_draft(), Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(pipe), str(store)]
    with (
        subprocess.Popen(command, stderr=subprocess.DEVNULL) as working,
        pipe.open("wb", buffering=0) as writer,
    ):
        writer.write(b"half")
        while not (staged := [*store.glob(".staging-*/model.ts")]):
            assert working.poll() is None
            time.sleep(0.02)
        folder = os.open(staged[0].parent, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        working.kill()


def test_a_link_in_the_place_of_staging_is_left_alone(store: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    os.utime(precious, (1, 1))
    (store / ".staging-link").symlink_to(precious)
    publish_tiny(store)
    assert (precious / "file").exists()
