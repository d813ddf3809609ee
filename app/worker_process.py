"""A worker process as its supervisor sees it: what it is told, what it says, and since when.

What a worker (app.worker) is to do is one line on its standard input, which stays open for as long
as the supervisor lives. On its standard output it says READY or, in one line, why it cannot be, and
from then on an empty line each BEAT_SECONDS, from its event loop.
"""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from app.settings import Settings

READY = "ready"
BEAT_SECONDS = 1.0


@dataclass(frozen=True)
class Assignment:
    """What a worker is told: its number (of those that run, each has its own), and what to do."""

    number: int
    metrics_folder: str
    settings: Settings

    def write(self) -> bytes:
        """As one line."""
        values = self.settings.model_dump(mode="json")
        return json.dumps([self.number, self.metrics_folder, values]).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """What `write` wrote."""
        number, folder, values = json.loads(line)
        return cls(number, folder, Settings.read(**values))


class WorkerProcess:
    """One process and its state; times are seconds of the supervisor's clock."""

    def __init__(
        self, command: Sequence[str], assignment: Assignment, generation: int, now: float
    ) -> None:
        """Start it; raises OSError where the system gives no process."""
        self.number = assignment.number
        self.generation = generation
        self.started = now
        self.ready_since: float | None = None
        self.last_beat = now
        self.told_to_end: float | None = None
        self.killed = False
        self.refusal = ""  # why it cannot start, in its own words
        self._unread = b""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C in a terminal goes to a whole group; the workers hear of it from here, once.
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        with suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.write(assignment.write())
            self._process.stdin.flush()

    def listen(self, now: float) -> bool:
        """Note what it has said since; whether it may say more."""
        try:
            said = os.read(self.output, 65_536)
        except BlockingIOError:
            return True
        if said:
            self.last_beat = now
        *lines, self._unread = (self._unread + said).split(b"\n")
        for line in filter(None, lines):
            if line.decode() == READY:
                self.ready_since = now
            else:
                self.refusal = line.decode(errors="replace")
        return bool(said)

    def tell(self, sig: signal.Signals, now: float) -> None:
        """Send `sig`; a worker that is not ready has nothing to end in order, and is killed."""
        if self.told_to_end is None:
            self.told_to_end = now
        self._process.send_signal(signal.SIGKILL if self.ready_since is None else sig)

    def kill(self) -> None:
        """End it whatever it does."""
        self.killed = True
        self._process.kill()

    def has_ended(self) -> bool:
        """Whether it is no more."""
        return self._process.poll() is not None

    def ending(self) -> str:
        """How it ended, in words."""
        status = self._process.returncode
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        return f"worker {self.pid} ended with {how}"

    def close(self) -> None:
        """Give up the pipes of one that has ended."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
