"""Verification of a candidate in a process of its own, with limits of memory and time.

A checkpoint is a program. Before a process that serves or publishes loads one, another loads it
through every check, and is the one that crashes, hangs or fills the memory if the program does.
That process is model_store.verifier_process: it imports torch once, and forks for each candidate.
It ends when this process does, or when it has nothing to do for a while.
"""

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import NamedTuple, get_args

from model_store.errors import CannotVerify, Check, CheckpointRejected, StoreError
from model_store.location import ModelId
from model_store.receipts import (
    has_any_receipt,
    has_receipt,
    keep_receipt,
    one_at_a_time,
    receipt_key,
)
from model_store.settings import (
    extra_operators,
    verifier_environment,
    verify_memory_bytes,
    verify_timeout_s,
)
from model_store.version_files import VersionFolder

log = logging.getLogger("latentd")

CHECKS: tuple[Check, ...] = get_args(Check)
# Copies of the file that are in memory at once while it is checked and loaded.
FILE_COPIES = 8
# What the process may take to begin, and to say how a candidate did whose time is over.
PATIENCE_SECONDS = 60.0
# What it may take to end once it is told to.
END_SECONDS = 1.0


class Candidate(NamedTuple):
    """What is to be verified; the digests say of which bytes."""

    folder: VersionFolder
    model: ModelId
    manifest_sha256: str
    file_sha256: str
    file_bytes: int
    dtype: str  # "float32", "bfloat16" or "float16"


def require_verified(candidate: Candidate) -> None:
    """Return once the candidate has passed every check, here and now or before.

    Raises CheckpointRejected, or CannotVerify where the process does not run.
    """
    model = candidate.model
    key = receipt_key(candidate.manifest_sha256, candidate.file_sha256, candidate.dtype)
    if has_receipt(key):
        log.info("%s was verified here before, by the checks of this release", model)
        return
    with one_at_a_time():
        if has_receipt(key):  # by the process that was waited for
            return
        began = time.monotonic()
        _VERIFIER.verify(candidate)
        keep_receipt(key)
    seconds = time.monotonic() - began
    log.info("%s is verified, in a process of its own, which took %.1f s", model, seconds)


def expect_to_verify() -> None:
    """Have the process imported what it needs by the time that it is asked, if that is likely to
    be soon: where this release has verified nothing here yet.
    """
    with suppress(StoreError):  # which is told to whoever needs it
        if not has_any_receipt():
            _VERIFIER.begin()


def stop_verifying() -> None:
    """End what is being verified, from any thread or signal handler, as this process is to end.

    Whoever waits for it gets CannotVerify, and so does whoever comes later.
    """
    _VERIFIER.stop()


class _Verifier:
    """The process that verifies, which is started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._stopped = False

    def verify(self, candidate: Candidate) -> None:
        """Have a candidate verified; CheckpointRejected says how it failed."""
        timeout = verify_timeout_s()
        question = {
            "root": str(candidate.folder.root.absolute()),
            "parts": candidate.folder.parts,
            "name": candidate.model.name,
            "version": candidate.model.version,
            "manifest_sha256": candidate.manifest_sha256,
            "dtype": candidate.dtype,
            "extra_operators": sorted(extra_operators()),
            "seconds": timeout,
            "memory_bytes": verify_memory_bytes() + FILE_COPIES * candidate.file_bytes,
        }
        with self._lock:
            # Twice: it may just have ended by itself, having had nothing to do.
            answer = self._ask(question, timeout) or self._ask(question, timeout)
        if answer is None:
            why = "it was told to stop" if self._stopped else "the process for it does not run"
            raise CannotVerify(f"{candidate.model} cannot be verified: {why}")
        for check in CHECKS:
            if answer["check"] == check:
                raise CheckpointRejected(check, candidate.model, answer["detail"])

    def begin(self) -> None:
        """Have the process started."""
        with self._lock:
            if not self._stopped:
                self._running()

    def stop(self) -> None:
        """Let the process end now, and none be started; takes no lock."""
        self._stopped = True
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()  # what it forked ends with it

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()  # whereupon it ends, and what it forked before it
        process.stdout.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, question: dict[str, object], timeout: float) -> dict[str, str] | None:
        """The answer, or None from a process that ended."""
        if self._stopped:
            return None
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process.stdout.fileno(), timeout + PATIENCE_SECONDS)
        except BrokenPipeError:
            line = b""
        except BaseException:  # interrupted: what it would answer must not be taken for the next
            self.close()
            raise
        if not line.endswith(b"\n"):
            self.close()
            return None
        answer: dict[str, str] = json.loads(line)
        return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._owner != os.getpid():
            self._process = None  # this process was forked: the verifier is its parent's
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            # -P: modules come from where this process has them, not from where it happens to be.
            command = [sys.executable, "-P", "-m", "model_store.verifier_process"]
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=verifier_environment(),
                )
            except OSError as error:
                raise CannotVerify(
                    f"the process that verifies models cannot be started: {error.strerror}"
                ) from error
            self._owner = os.getpid()
        return self._process


def _read_line(descriptor: int, seconds: float) -> bytes:
    """The line that comes within so many seconds, or as much of it as did."""
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            break
        line += piece
    return line


_VERIFIER = _Verifier()
atexit.register(_VERIFIER.close)
