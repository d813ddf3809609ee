"""A server under measurement: started in a session of its own, watched through /proc, ended by id.

Its processes are those that carry a marker in their environment, and the descendants of those, so
that workers which were re-parented or made sessions of their own are counted too. Linux only.
"""

import http.client
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

MARKER = "BENCHMARK_RUN"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
ENDING_PATIENCE = 4  # seconds between asking a server to end and killing it
ORPHANS_PATIENCE = 0.5  # seconds that its processes may outlive the first of them


@dataclass
class ProcessTree:
    """The processes of one server, looked up afresh at every question."""

    root: int
    marker: str
    _foreign: set[int] = field(default_factory=set)
    _own: set[int] = field(default_factory=set)

    def pids(self) -> set[int]:
        """Those that there are now, ended ones that nobody has reaped included."""
        parents = {int(p.name): _parent(p) for p in Path("/proc").iterdir() if p.name.isdigit()}
        own = {p for p in parents if p == self.root or p in self._own or self._marked(p)}
        while children := {p for p, parent in parents.items() if parent in own} - own:
            own |= children
        self._own = own
        return own

    def alive(self) -> set[int]:
        """Those that have not ended."""
        return {pid for pid in self.pids() if (stat := _stat(pid)) and stat[0] != b"Z"}

    def cpu_seconds(self) -> float:
        """User and system time since the start, of children that have ended too."""
        return sum(sum(map(int, stat[11:15])) for stat in map(_stat, self.pids()) if stat) / TICKS

    def resident_bytes(self) -> int:
        """The sum of the resident sizes; what processes share is counted for each."""
        return sum(int(stat[21]) for stat in map(_stat, self.pids()) if stat) * PAGE

    def peak_bytes(self) -> int:
        """The sum of each living process' highest resident size."""
        return sum(_kilobytes(pid, "status", "VmHWM:") for pid in self.pids()) * 1024

    def proportional_bytes(self) -> int:
        """The sum of the proportional sizes: a page that k processes share counts 1/k for each."""
        return sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in self.pids()) * 1024

    def _marked(self, pid: int) -> bool:
        if pid in self._foreign:
            return False
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False  # it has ended, or is not ours to look at
        if f"{MARKER}={self.marker}".encode() in environment:
            return True
        if environment:  # empty while a process is being made
            self._foreign.add(pid)
        return False


def machine_cpu_seconds() -> float:
    """What all processes of the machine have used, interrupts included."""
    line = Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, interrupts, soft_interrupts = map(int, line.split()[1:8])
    return (user + nice + system + interrupts + soft_interrupts) / TICKS


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat behind the name; none for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return []


def _parent(folder: Path) -> int:
    stat = _stat(int(folder.name))
    return int(stat[1]) if stat else 0


def _kilobytes(pid: int, file: str, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


@dataclass(frozen=True)
class Server:
    """A running server that answers."""

    address: tuple[str, int]
    tree: ProcessTree
    start_seconds: float  # from the start of its process to its first 200


@contextmanager
def running(
    command: Sequence[str],
    address: tuple[str, int],
    path: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    patience: float = 120,
) -> Iterator[Server]:
    """The server that `command` starts, once `path` answers 200; ended with all its processes.

    RuntimeError if it ends early or does not answer within `patience` seconds; its output is in
    `log`.
    """
    marker = uuid.uuid4().hex
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**(os.environ if environment is None else environment), MARKER: marker},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        tree = ProcessTree(process.pid, marker)
        try:
            while not _answers(address, path):
                if process.poll() is not None:
                    raise RuntimeError(f"the server ended with {process.returncode}; see {log}")
                if time.perf_counter() > began + patience:
                    raise RuntimeError(f"no answer of {path} within {patience:g} s; see {log}")
                time.sleep(0.02)
            yield Server(address, tree, time.perf_counter() - began)
        finally:
            _end(process, tree)


def _answers(address: tuple[str, int], path: str) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]", tree: ProcessTree) -> None:
    """Ask the root to end, which ends its workers; kill by id what is left after a while."""
    tree.pids()  # orphans are known by their parents, while these live
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDING_PATIENCE)
    patience = time.perf_counter() + ORPHANS_PATIENCE
    while tree.alive() and time.perf_counter() < patience:
        time.sleep(0.02)
    for pid in tree.alive():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
