"""The process that verifies candidates; run by model_store.verification, one question a line.

It imports torch once and has one thread, so that a fork of it for each candidate is cheap and safe.
The fork sets its limits, loads the candidate through every check on the CPU, and writes down how
that went; whatever else becomes of it is told by this process. No code of a candidate runs in here.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

import torch

from model_store.errors import CheckpointRejected
from model_store.loading import verify_here
from model_store.location import ModelId
from model_store.settings import allow_operators
from model_store.version_files import VersionFolder

STDIN, STDOUT, STDERR = range(3)
IDLE_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1  # the fork gets the signal when this process ends, however it does
# Forms in which torch and the C++ library say that there is no memory.
_NO_MEMORY = ("can't allocate memory", "bad_alloc", "not enough memory", "MemoryError")


def main() -> int:
    """Answer questions until there are none; the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process that started it
    report = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)  # what a library prints is no answer
    while select.select([STDIN], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.buffer.readline()
        if not line.endswith(b"\n"):
            break
        answer = json.dumps(_answer(json.loads(line)))
        os.write(report, answer.encode() + b"\n")
    return 0


def _answer(question: dict[str, Any]) -> dict[str, str]:
    """What the fork wrote, or what became of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _verify(question, writer)
    os.close(writer)
    try:
        written, in_time = _await(reader, question["seconds"])
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)  # where it has ended, nothing happens: it is not waited for
        _, status = os.waitpid(child, 0)
    if not in_time:
        return _limits(
            f"it was not verified within {question['seconds']:g} seconds; if it is sound and slow, "
            "raise LATENTD_VERIFY_TIMEOUT_S"
        )
    try:
        answer: dict[str, str] = json.loads(written)
    except ValueError:
        return _limits(f"the process that verified it ended {_ending(status)}")
    return answer


def _await(reader: int, seconds: float) -> tuple[bytes, bool]:
    """All that is written until the pipe is closed, and whether that was in time."""
    deadline = time.monotonic() + seconds
    written = b""
    while (left := deadline - time.monotonic()) > 0:
        ready = select.select([reader, STDIN], [], [], left)[0]
        if reader in ready:
            piece = os.read(reader, 1 << 16)
            if not piece:
                return written, True
            written += piece
        elif STDIN in ready:
            sys.exit(0)  # nobody asks any more; the fork is killed on the way out
    return written, False


def _verify(question: dict[str, Any], writer: int) -> None:
    """Verify in this process, which ends with it."""
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (STDIN, STDOUT, STDERR):
        os.dup2(silence, stream)
    answer: dict[str, str]
    try:
        _limit(question["memory_bytes"], question["seconds"])
        torch.set_num_threads(1)
        allow_operators(question["extra_operators"])
        folder = VersionFolder(Path(question["root"]), tuple(question["parts"]))
        model = ModelId(question["name"], question["version"])
        verify_here(folder, model, question["manifest_sha256"], getattr(torch, question["dtype"]))
        answer = {"check": "", "detail": ""}
    except CheckpointRejected as error:
        answer = {"check": error.check, "detail": error.detail}
    except MemoryError:
        answer = _limits(_NO_MEMORY[0])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        answer = _limits(f"its verification fails with {type(error).__name__}")
    if any(form in answer["detail"] for form in _NO_MEMORY):
        answer = _limits(
            "its verification takes more than the memory that it may, "
            f"{question['memory_bytes']} bytes; if it is sound and large, raise "
            "LATENTD_VERIFY_MEMORY_BYTES"
        )
    os.write(writer, json.dumps(answer).encode())
    os._exit(0)


def _limits(detail: str) -> dict[str, str]:
    return {"check": "limits", "detail": detail}


def _limit(memory_bytes: int, seconds: float) -> None:
    """Bound what this process may take from here on, beyond what torch's libraries take."""
    with suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # For where nothing else ends this process with those that wait for it.
    processor = ceil(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (processor, processor))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # no Linux: time alone is bounded
        return
    most = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _ending(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"with status {os.WEXITSTATUS(status)}, before it had passed"
    number = os.WTERMSIG(status)
    why = ", which the system does where memory runs out" if number == signal.SIGKILL else ""
    return f"by {signal.Signals(number).name}{why}: a damaged or hostile model does that"


if __name__ == "__main__":
    sys.exit(main())
