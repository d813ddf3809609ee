"""One of several worker processes: a whole service on a port that others share.

Started by app.supervisor; app.worker_process says how the two talk. It ends with the supervisor,
however that ended.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial

from app import first_process, listening, logs, metrics
from app.errors import LatentdError
from app.running_clock import limit_start
from app.settings import Settings
from app.supervisor import one_process_owns_a_gpu
from app.worker_process import BEAT_SECONDS, READY, Assignment

log = logging.getLogger("latentd")

STDIN, STDOUT, STDERR = range(3)


def main() -> int:
    """Serve as the supervisor says; the exit status."""
    first_process.prepare()
    report = os.dup(STDOUT)
    # A supervisor that is stopped reads nothing: beats are dropped then, not waited for.
    os.set_blocking(report, False)
    # What a library prints is for the log, not for the supervisor.
    os.dup2(STDERR, STDOUT)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):  # the supervisor is gone already
        return 0
    assignment = Assignment.read(line)
    settings = assignment.settings
    logs.set_up(settings)
    ends = partial(_end_with_the_supervisor, settings.shutdown_seconds)
    threading.Thread(target=ends, daemon=True).start()
    metrics.join_workers(assignment.metrics_folder, assignment.number)
    return _serve(settings, report)


def _serve(settings: Settings, report: int) -> int:
    def say(what: str) -> None:
        with suppress(BrokenPipeError, BlockingIOError):
            os.write(report, what.replace("\n", "; ").encode() + b"\n")

    started = limit_start(settings.start_timeout_s, refuse=say)
    # Imported only now: to load torch takes seconds, in which the supervisor may end.
    from app.server import serve

    def beat() -> None:
        say("")
        asyncio.get_running_loop().call_later(BEAT_SECONDS, beat)

    def announce() -> None:
        started()
        say(READY)
        beat()

    try:
        _refuse_a_gpu(settings)
        sockets = listening.bind(settings.host, settings.port, shared=True)
    except (LatentdError, OSError) as error:
        say(f"cannot start: {error}")
        return 1
    return serve(settings, sockets, announce, refuse=say)


def _refuse_a_gpu(settings: Settings) -> None:
    from app.engine.device import choose_device

    if choose_device(settings.device).type == "cuda":
        raise one_process_owns_a_gpu(settings)


def _end_with_the_supervisor(seconds: float) -> None:
    # Not through sys.stdin: its lock, held here, would disturb the interpreter's end.
    while os.read(STDIN, 1):
        pass
    log.error("the supervisor is gone; ending")
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(seconds)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
