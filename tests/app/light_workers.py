"""A supervisor whose workers are small programs of the test's own: what it does when they fail.

They are real processes that speak as app.worker does, so that a start takes a tenth of a second
and the system, the clock and the signals are what they are in service.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.app.processes import Service, process
from tests.serving import environment

SUPERVISE = """
import signal, sys
from app import logs
from app.settings import Settings
from app.supervisor import SignalQueue, Supervisor

settings = Settings.read()
logs.set_up(settings)
signals = SignalQueue(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
folder, *command = sys.argv[1:]
sys.exit(Supervisor(settings, folder, command).run("nowhere", signals))
"""

# Its plan, read at its start, is one word; a line in `started` tells which plan each one had.
WORKER = """\
#!{python} -IS
import os, signal, sys, threading, time
os.set_blocking(1, False)
sys.stdin.readline()
plan = open({plan!r}).read().strip()
with open({started!r}, "a") as started:
    started.write(f"{{os.getpid()}} {{plan}}\\n")
for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(sig, lambda *_: os._exit(0))
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
def say(what):
    try:
        os.write(1, what + b"\\n")
    except OSError:
        pass
if plan == "refuse":
    say(b"cannot start: the store is damaged")
    sys.exit(1)
if plan == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if plan == "sleep":
    os.kill(os.getpid(), signal.SIGSTOP)
if plan == "slow":
    time.sleep(1)
say(b"ready")
if plan == "lost":
    sys.exit(70)
while True:
    time.sleep(0.3)
    if plan != "mute":
        say(b"")
"""


class Supervised:
    """A running supervisor, and the means to make its workers fail."""

    def __init__(self, running: Service, folder: Path) -> None:
        self.running = running
        self._folder = folder

    def plan(self, word: str) -> None:
        """What every worker that starts from now on does."""
        (self._folder / "plan").write_text(word)

    def forbid_starts(self) -> None:
        """Let the system refuse every new process (here: its program cannot be found)."""
        (self._folder / "worker").rename(self._folder / "hidden")

    def allow_starts(self) -> None:
        """Undo that."""
        (self._folder / "hidden").rename(self._folder / "worker")

    def plans(self, pids: set[int]) -> set[str]:
        """The plans that these workers started with."""
        lines = (self._folder / "started").read_text().splitlines()
        plans = dict(line.split(" ", 1) for line in lines)
        return {plans.get(str(pid), "") for pid in pids}


@contextmanager
def supervised(folder: Path, plan: str = "serve", **settings: object) -> Iterator[Supervised]:
    """A supervisor of light workers; killed at the end if it still runs."""
    folder.mkdir(exist_ok=True)
    (folder / "plan").write_text(plan)
    (folder / "started").touch()
    worker = folder / "worker"
    paths = {"plan": str(folder / "plan"), "started": str(folder / "started")}
    # The interpreter itself: that of a virtual environment takes longer to start.
    worker.write_text(WORKER.format(python=os.path.realpath(sys.executable), **paths))
    worker.chmod(0o755)
    command = ["-c", SUPERVISE, str(folder), str(worker)]
    given = environment(None, **({"workers": 3, "device": "cpu"} | settings))
    with process(command, given) as running:
        yield Supervised(running, folder)
