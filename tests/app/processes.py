"""A running service as an operator sees it: its process, its workers and its log."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from tests.serving import READY, start, start_cold
from tests.warm import Warm

T = TypeVar("T")


class Service:
    """A process and what it has logged so far."""

    def __init__(self, process: "subprocess.Popen[str] | Warm") -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as log:
            self.lines.extend(iter(log.readline, ""))

    @property
    def log(self) -> str:
        return "".join(self.lines)

    @property
    def url(self) -> str:
        return self.said(READY.pattern)[1]

    def said(self, pattern: str, times: int = 1) -> "re.Match[str]":
        """The match of what the log says, or will say soon, for the `times`-th time."""

        def found() -> "list[re.Match[str]]":
            ended = not self._reader.is_alive()
            matches = list(re.finditer(pattern, self.log))
            assert matches or not ended, f"it ended without {pattern!r}:\n{self.log}"
            return matches[times - 1 : times]

        return until(found, lambda: f"{pattern!r} was not logged:\n{self.log}")[0]

    def get(self, path: str) -> httpx.Response:
        """An answer over a connection of its own, so that any worker may give it."""
        return httpx.get(self.url + path, timeout=30)

    def workers(self) -> set[int]:
        """The processes that this one has started and that still run."""
        return children(self.process.pid)

    def end(self) -> int:
        """The exit status, once it has ended by itself."""
        status = self.process.wait(timeout=60)
        self._reader.join()
        return status


def service(store: Path, **settings: object) -> AbstractContextManager[Service]:
    """A service that has just been started; killed at the end if it still runs."""
    return _killed_at_the_end(start(store, **settings))


def cold_service(store: Path, **settings: object) -> AbstractContextManager[Service]:
    """The same, started from nothing, for what happens while it starts."""
    return _killed_at_the_end(start_cold(store, **settings))


def process(command: list[str], environment: dict[str, str]) -> AbstractContextManager[Service]:
    """The same of any Python command."""
    return _killed_at_the_end(
        subprocess.Popen(
            [sys.executable, *command], env=environment, stderr=subprocess.PIPE, text=True
        )
    )


@contextmanager
def _killed_at_the_end(started: "subprocess.Popen[str] | Warm") -> Iterator[Service]:
    running = Service(started)
    try:
        yield running
    finally:
        running.process.kill()
        running.end()


def until(condition: Callable[[], T], complaint: Callable[[], str], seconds: float = 60) -> T:
    """The first true value of `condition`; fails with the complaint after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.02)
    return value


def children(parent: int) -> set[int]:
    """The running children of a process."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


def runs(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
