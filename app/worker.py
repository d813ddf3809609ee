"""One of several worker processes: a whole service on a port that others share.

Started by app.supervisor, which says in a line on standard input what to serve; told by `ready` or
a reason on standard output how the start went. It ends with the supervisor, however that ended.
"""

import logging
import os
import signal
import sys
import threading
import time
from functools import partial

from app import listening, logs, metrics
from app.engine.device import choose_device
from app.errors import LatentdError
from app.server import FATAL, serve
from app.settings import Settings
from app.supervisor import READY, Assignment, one_process_owns_a_gpu

log = logging.getLogger("latentd")

STDIN, STDOUT, STDERR = range(3)


def main() -> int:
    """Serve as the supervisor says; the exit status."""
    report = os.dup(STDOUT)
    # What a library prints is for the log, not for the supervisor.
    os.dup2(STDERR, STDOUT)
    assignment = Assignment.read(sys.stdin.buffer.readline())
    settings = assignment.settings
    ends = partial(_end_with_the_supervisor, settings.shutdown_seconds)
    threading.Thread(target=ends, daemon=True).start()
    logs.set_up(settings)
    metrics.join_workers(assignment.metrics_folder, assignment.number)

    def say(what: str) -> None:
        os.write(report, what.replace("\n", "; ").encode() + b"\n")

    try:
        _refuse_a_gpu(settings)
        sockets = listening.bind(settings.host, settings.port, shared=True)
    except (LatentdError, OSError) as error:
        say(f"cannot start: {error}")
        return 1
    return serve(settings, sockets, announce=lambda: say(READY), refuse=say)


def _refuse_a_gpu(settings: Settings) -> None:
    if choose_device(settings.device).type == "cuda":
        raise one_process_owns_a_gpu(settings)


def _end_with_the_supervisor(seconds: float) -> None:
    # Not through sys.stdin: its lock, held here, would disturb the interpreter's end.
    while os.read(STDIN, 1):
        pass
    log.error("the supervisor is gone; ending")
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(seconds)
    os._exit(FATAL)


if __name__ == "__main__":
    sys.exit(main())
