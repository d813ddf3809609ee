"""What may happen to a running service, each as one function that does it and undoes it.

Each gives what was wrong meanwhile: that others were not answered while they could have been.
"""

import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.trials.leavers import leave
from benchmarks.trials.service import Service

SEVERAL = 40  # clients at a time
TRIES = 5
FEW_DESCRIPTORS = 6  # above those that are open
LITTLE_MEMORY = 32 << 20  # bytes above what is mapped
LISTENING = "0A"  # of a socket's state in /proc/net/tcp
PAGE = os.sysconf("SC_PAGE_SIZE")
# A large answer, a body, and a path each for those that ask for little.
STREAMED = b"GET /sample?n=200000&seed=1&format=npy HTTP/1.1\r\nHost: trial\r\n\r\n"
HALF = b"POST /decode HTTP/1.1\r\nHost: trial\r\nContent-Type: application/json\r\n"
HALF += b'Content-Length: 2000\r\n\r\n{"latents": [['
LARGE = b"GET /sample?n=512&seed=2&format=npy HTTP/1.1\r\nHost: trial\r\n\r\n"
# Before the head ends, in the body, while it is computed, while the answer is read.
FOUR_POINTS = ("head", "body", "sent", "reading")


class Patient(NamedTuple):
    """A service to which it happens, and a question that is always answered alike."""

    service: Service
    store: Path
    question: str
    answer: bytes
    seconds: float  # that it lasts

    def workers(self) -> set[int]:
        tree = self.service.server.tree
        return tree.alive() - {tree.root}

    def listening(self) -> int:
        """How many workers take connections; each has a socket of its own for that."""
        place = f":{self.service.address[1]:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(line[1].endswith(place) and line[3] == LISTENING for line in lines)

    def asked(self, timeout: float = 5.0) -> str:
        """What is wrong with the answer; a connection that is lost is made again."""
        wrong = ""
        for _ in range(TRIES):
            connection = HTTPConnection(*self.service.address, timeout=timeout)
            try:
                connection.request("GET", self.question)
                answer = connection.getresponse()
                if answer.status == 200:
                    return "" if answer.read() == self.answer else "the answer is another"
                wrong = f"status {answer.status}"
            except (OSError, HTTPException) as error:
                wrong = f"{type(error).__name__}: {error}"
            finally:
                connection.close()
            time.sleep(0.05)
        return wrong


def kill(patient: Patient) -> list[str]:
    """A worker is killed."""
    os.kill(min(patient.workers()), signal.SIGKILL)
    return _asked_on(patient)


def stop(patient: Patient) -> list[str]:
    """A worker hangs; the supervisor finds out. What it had accepted waits so long."""
    pid = min(patient.workers())
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + 60 * patient.seconds
    while pid in patient.workers():
        if time.monotonic() > end:
            os.kill(pid, signal.SIGCONT)
            return [f"a stopped worker was not replaced within {60 * patient.seconds:g} s"]
        time.sleep(0.2)
    return []


def descriptors(patient: Patient) -> list[str]:
    """A worker may open no more files or sockets, and many connect."""
    with ExitStack() as stack:
        for pid in patient.workers():
            with suppress(OSError):
                count = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
                stack.enter_context(_limited(pid, resource.RLIMIT_NOFILE, count + FEW_DESCRIPTORS))
        with _connected(patient, b"GET /health/live HTTP/1.1\r\nHost: trial\r\n"):
            time.sleep(patient.seconds)
    return []


def memory(patient: Patient) -> list[str]:
    """Workers may take hardly any more memory, and large answers are asked for."""
    with ExitStack() as stack:
        for pid in patient.workers():
            with suppress(OSError):
                mapped = PAGE * int(Path(f"/proc/{pid}/statm").read_text().split()[0])
                limit = mapped + LITTLE_MEMORY
                stack.enter_context(_limited(pid, resource.RLIMIT_AS, limit))
        with _connected(patient, LARGE):
            time.sleep(patient.seconds)
    return []


def store(patient: Patient) -> list[str]:
    """The store is gone while it is served from, and while it is to be read anew."""
    away = patient.store.with_name("away")
    patient.store.rename(away)
    try:
        wrong = _asked_on(patient)
        os.kill(patient.service.server.tree.root, signal.SIGHUP)
        return wrong + _asked_on(patient)
    finally:
        away.rename(patient.store)


def slow(patient: Patient) -> list[str]:
    """Clients read a byte a second of answers without end."""
    with _connected(patient, STREAMED) as clients:
        end = time.monotonic() + patient.seconds
        wrong: list[str] = []
        while time.monotonic() < end and not wrong:
            for client in clients:
                with suppress(OSError):
                    client.recv(1)
            wrong = _asked_on(patient, 1.0)
    return wrong


def half(patient: Patient) -> list[str]:
    """Clients send half of a body and wait."""
    with _connected(patient, HALF):
        return _asked_on(patient)


def leaving(patient: Patient) -> list[str]:
    """Clients leave at four points of a request."""
    draw = random.Random(time.monotonic_ns())
    for _ in range(SEVERAL):
        request = draw.choice((LARGE, STREAMED, HALF + b"0" * 1900))
        point = draw.choice(FOUR_POINTS)
        with suppress(OSError):
            uvloop.run(leave(patient.service.address, request, point, 0.05 * draw.random()))
    return _asked_on(patient, 0)


WAYS: dict[str, Callable[[Patient], list[str]]] = {
    "kill": kill,
    "stop": stop,
    "descriptors": descriptors,
    "memory": memory,
    "store": store,
    "slow": slow,
    "half": half,
    "leaving": leaving,
}


def _asked_on(patient: Patient, seconds: float | None = None) -> list[str]:
    """What is wrong for those who ask meanwhile."""
    end = time.monotonic() + (patient.seconds if seconds is None else seconds)
    while True:
        if wrong := patient.asked():
            return [wrong]
        if time.monotonic() > end:
            return []
        time.sleep(0.05)


@contextmanager
def _connected(patient: Patient, sent: bytes) -> Iterator[list[socket.socket]]:
    """SEVERAL clients that have sent this, as far as they are let in; gone at the end."""
    clients: list[socket.socket] = []
    try:
        for _ in range(SEVERAL):
            with suppress(OSError):
                clients.append(socket.create_connection(patient.service.address, timeout=1))
                clients[-1].sendall(sent)
        yield clients
    finally:
        for client in clients:
            client.close()


@contextmanager
def _limited(pid: int, what: int, most: int) -> Iterator[None]:
    """A process with less than it had, for a time."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it ended of it, and another came
            resource.prlimit(pid, what, before)
