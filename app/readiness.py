"""Whether the service takes requests, as orchestrators are told: the probe and the gauge are one.

Also what an application does with itself when its device is lost under a server that does not say.
"""

import logging
import os
import signal
from functools import partial

from fastapi import FastAPI

from app.running_clock import call_after

log = logging.getLogger("latentd")

# The exit status of a process whose device is lost: EX_SOFTWARE of sysexits.h.
DEVICE_LOST_STATUS = 70
# How long a server that may be hanging has to end at the signal's word.
END_SECONDS = 3.0


def set_ready(app: FastAPI, *, ready: bool) -> None:
    """Let `/health/ready` and the gauge `latentd_ready` say whether to send requests here."""
    app.state.ready = ready
    app.state.metrics.ready.set(ready)


def end_by_signal(app: FastAPI, reason: str) -> None:
    """Take no more requests and ask the server, whichever it is, to end this process.

    From any thread; a server that does not hear, for its event loop hangs, is ended all the same.
    """
    log.critical("cannot go on: %s", reason)
    set_ready(app, ready=False)
    call_after(END_SECONDS, partial(os._exit, DEVICE_LOST_STATUS))
    os.kill(os.getpid(), signal.SIGTERM)
