"""Starts `python -m app` as a fork of a process that has imported all that it imports.

The imports take nine tenths of a start, of which the tests make a hundred and fifty. What a test
calls is a process of its own all the same, with its own environment, signals and log. Tests that
are about the start itself begin with nothing, as users do.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from multiprocessing.connection import Connection

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["app.server"])


class Warm:
    """The process, to be used as a `subprocess.Popen` with text on its standard error."""

    def __init__(self, environment: dict[str, str]) -> None:
        log, write_end = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=_run, args=(environment, write_end))
        self._process.start()
        write_end.close()
        # Of a descriptor of its own: either may be closed first.
        self.stderr = os.fdopen(os.dup(log.fileno()), encoding="utf-8")
        log.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As `Popen` has it: negative of a signal, None of a process that runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; raises TimeoutExpired."""
        self._process.join(timeout)
        if (status := self.returncode) is None:
            raise subprocess.TimeoutExpired("app", timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[None, str]:
        """The rest of what it says, once it has ended."""
        # Read first: a process that has more to say than a pipe holds would never end.
        with self.stderr:
            said = self.stderr.read()
        self.wait(timeout)
        return None, said

    def send_signal(self, number: int) -> None:
        """Send a signal to the process if it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _run(environment: dict[str, str], log: Connection) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(log.fileno(), sys.stderr.fileno())
    log.close()
    sys.argv = ["app"]
    runpy.run_module("app", run_name="__main__", alter_sys=True)
