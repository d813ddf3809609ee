"""Whether the service takes requests, as orchestrators are told: the probe and the gauge are one.

Also what an application does with itself when its device is lost under a server that does not say.
"""

import logging
import os
import signal

from fastapi import FastAPI

log = logging.getLogger("latentd")


def set_ready(app: FastAPI, *, ready: bool) -> None:
    """Let `/health/ready` and the gauge `latentd_ready` say whether to send requests here."""
    app.state.ready = ready
    app.state.metrics.ready.set(ready)


def end_by_signal(app: FastAPI, reason: str) -> None:
    """Take no more requests and ask the server, whichever it is, to end this process."""
    log.critical("cannot go on: %s", reason)
    set_ready(app, ready=False)
    os.kill(os.getpid(), signal.SIGTERM)
