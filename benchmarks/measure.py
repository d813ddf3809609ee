"""Runs servers under load, one at a time, and yields a row for each number of connections.

Repeats go through all servers before they begin again (A B C, A B C), so that a slow minute of the
machine is everyone's.
"""

import http.client
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import uvloop

from benchmarks.environments import PROJECT, Home
from benchmarks.load import Tally, closed_loop, open_loop
from benchmarks.peers.peer import Launch, Peer
from benchmarks.processes import Server, machine_cpu_seconds, running
from benchmarks.questions import Question, Sample, Unchanged
from benchmarks.workloads import WORKLOADS, Checker, Workload, reference

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")  # of this process' environment
MEBI = 2**20


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    peers: tuple[Peer, ...]
    workloads: tuple[str, ...]
    connections: tuple[int, ...]
    seconds: float
    repeats: int
    processes: tuple[int, ...]
    png_level: int
    home: Home


class Run(NamedTuple):
    """One server, started once for one workload."""

    repeat: int
    workload: str
    peer: Peer
    processes: int
    batch: int

    @property
    def label(self) -> dict[str, object]:
        return self._asdict() | {"peer": self.peer.name}


def runs(plan: Plan) -> Iterator[Run]:
    """Every run, interleaved."""
    for workload in plan.workloads:
        for repeat in range(plan.repeats):
            for peer in plan.peers:
                if WORKLOADS[workload].operation in peer.operations:
                    for processes, batch in _variants(plan, peer):
                        yield Run(repeat, workload, peer, processes, batch)


def _variants(plan: Plan, peer: Peer) -> list[tuple[int, int]]:
    """(processes, batch): every size of batch where there are several processes."""
    first, *others = peer.batches
    several = [processes for processes in plan.processes if processes > 1]
    return [(processes, first) for processes in plan.processes] + [
        (processes, batch) for batch in others for processes in several
    ]


def measure(plan: Plan, run: Run) -> Iterator[dict[str, object]]:
    """The run's rows; one row with `failed` where the server does not start or answers wrongly."""
    try:
        yield from _measured(plan, run)
    except (RuntimeError, AssertionError, OSError) as failure:
        yield run.label | {"failed": f"{type(failure).__name__}: {failure}"}


def _measured(plan: Plan, run: Run) -> Iterator[dict[str, object]]:
    workload = WORKLOADS[run.workload]
    work = reference(plan.home.store, workload.operation)
    questions = workload.questions(work)
    checker = Checker(work, questions, own_noise=run.peer.own_noise)
    launch = Launch(
        python=plan.home.python(run.peer),
        port=_free_port(),
        store=plan.home.store,
        operation=workload.operation,
        processes=run.processes,
        batch=run.batch,
        png_level=plan.png_level,
    )
    log = plan.home.logs / f"{run.peer.name}-{run.workload}-{run.processes}-{run.batch}.log"
    with running(
        run.peer.command(launch),
        ("127.0.0.1", launch.port),
        run.peer.ready,
        log,
        _environment(run.peer, launch),
    ) as server:
        requests = _requests(run.peer, workload, questions, server)
        check = None if run.peer.name == "bare" else checker  # whose bytes say nothing
        if check:
            _check(server, requests, check)
        bearable = [c for c in plan.connections if c <= workload.most_connections]
        for connections in bearable:
            yield run.label | _load(server, requests, connections, plan.seconds, check)


def _environment(peer: Peer, launch: Launch) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    given = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    return kept | given | dict(peer.environment(launch))


def _requests(
    peer: Peer, workload: Workload, questions: list[Question], server: Server
) -> list[bytes]:
    asked = [peer.ask(question) for question in questions]
    if workload.operation != "unchanged":
        return asked
    etags = [_etag(server, request) for request in asked]
    seeds = [question.seed for question in questions if isinstance(question, Sample)]
    return [peer.ask(Unchanged(*pair)) for pair in zip(seeds, etags, strict=True)]


def _etag(server: Server, request: bytes) -> str:
    """That of the answer; any where there is none."""
    method, path, _ = request.decode().split(" ", 2)
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    connection.request(method, path)
    etag = connection.getresponse().headers.get("ETag", '"none"')
    connection.close()
    return etag


def _check(server: Server, requests: list[bytes], checker: Checker) -> None:
    """Ask what is compared, many at a time: a server that mixes up its batches fails here."""
    chosen = [requests[index] for index in checker.indices]
    tally = uvloop.run(
        open_loop(
            server.address,
            chosen,
            rate=500,
            seconds=len(chosen) / 500,
            seed=None,
            check=lambda place, answer: checker(checker.indices[place], answer),
        )
    )
    wrong = {status for status in tally.statuses if status not in (200, 304)}
    assert not wrong, f"answers have the status {wrong}; the first request: {requests[0]!r:.300}"
    assert not tally.errors, f"connections failed: {dict(tally.errors)}"


def _load(
    server: Server, requests: list[bytes], connections: int, seconds: float, check: Checker | None
) -> dict[str, object]:
    began, cpu, own = time.perf_counter(), server.tree.cpu_seconds(), time.process_time()
    all_busy = machine_cpu_seconds()
    load = closed_loop(
        server.address, requests, connections=connections, seconds=seconds, check=check
    )
    tally = uvloop.run(load)
    took = time.perf_counter() - began
    busy = server.tree.cpu_seconds() - cpu
    own = time.process_time() - own
    others = max(machine_cpu_seconds() - all_busy - busy - own, 0)
    good = _good(tally)
    if not good.rate:
        raise RuntimeError(f"no good answer: {dict(tally.statuses)}, {dict(tally.errors)}")
    return {
        "connections": connections,
        "seconds": seconds,
        "rate": round(good.rate, 2),
        "p50_ms": _milliseconds(good, 50),
        "p99_ms": _milliseconds(good, 99),
        "cpu_ms": round(1000 * busy / tally.sent, 4),  # a request, by all of the server's processes
        "server_cores": round(busy / tally.sent * tally.rate, 2),
        "load_cores": round(own / tally.sent * tally.rate, 2),
        "other_cores": round(others / took, 2),  # much of it spoils the row
        "peak_mib": round(server.tree.peak_bytes() / MEBI),
        "pss_mib": round(server.tree.proportional_bytes() / MEBI),
        "start_seconds": round(server.start_seconds, 2),
        "statuses": {str(status): n for status, n in tally.statuses.items()},
        "errors": dict(tally.errors),
        "compared": check.compared if check else 0,  # of this server's answers so far
    }


def _good(tally: Tally) -> Tally:
    """The answers that count: 200, or 304 where nothing else came."""
    return tally.of(304) if set(tally.statuses) == {304} else tally.of(200)


def _milliseconds(tally: Tally, q: float) -> float:
    return round(1000 * tally.percentile(q), 3)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
