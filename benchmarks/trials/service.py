"""latentd as a trial sees it: a process with a log, an address, and metrics that it publishes."""

import http.client
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.environments import PROJECT
from benchmarks.processes import Server, running

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")  # of this process' environment
SETTLING_SECONDS = 10.0  # that metrics may lag behind what clients have seen
# What a service's log has where something went wrong that no answer tells of.
FAULTS = re.compile(r"Traceback|\bERROR\b|\bCRITICAL\b|never (?:retrieved|awaited)")


class Metrics(NamedTuple):
    """One reading: (name, label=value …) and the number."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def total(self, name: str, **labels: str) -> float:
        """The sum over every sample of the name that has these labels."""
        wanted = set(labels.items())
        return sum(v for (n, has), v in self.samples.items() if n == name and wanted <= has)

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The samples of the name by their values of `labels`; zeros left out."""
        table: dict[tuple[str, ...], float] = {}
        for (sample, has), value in self.samples.items():
            if sample == name and value:
                key = tuple(dict(has)[label] for label in labels)
                table[key] = table.get(key, 0.0) + value
        return table

    def since(self, before: "Metrics") -> "Metrics":
        """What was counted since; gauges make no sense in it."""
        return Metrics({k: v - before.samples.get(k, 0.0) for k, v in self.samples.items()})


class Service(NamedTuple):
    """A running service."""

    server: Server
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address

    def metrics(self) -> Metrics:
        """As published now."""
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        families = text_string_to_metric_families(text)
        return Metrics(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
            }
        )

    def settled(self, so: Callable[[Metrics], bool]) -> Metrics:
        """The first metrics of which `so` holds, or the last ones that there was patience for."""
        patience = time.perf_counter() + SETTLING_SECONDS
        while not so(metrics := self.metrics()) and time.perf_counter() < patience:
            time.sleep(0.05)
        return metrics

    def idle(self) -> Metrics:
        """The metrics once no rows wait."""
        return self.settled(lambda metrics: metrics.total("latentd_queued_rows") == 0)

    def faults(self) -> list[str]:
        """Lines of its log that no service under load should write."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if FAULTS.search(line)]

    def descriptors(self) -> int:
        """Open ones, of all its processes."""
        return sum(_count(Path(f"/proc/{pid}/fd")) for pid in self.server.tree.alive())


@contextmanager
def serving(store: Path, logs: Path, **settings: object) -> Iterator[Service]:
    """`python -m app` with `settings` as LATENTD_*; it keeps no answers, unless they say so."""
    logs.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {"store": store, "port": port, "log_level": "warning", "cache_bytes": 0} | settings
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    environment |= {f"LATENTD_{name.upper()}": str(value) for name, value in given.items()}
    log = logs / f"trial-{port}.log"
    command = [sys.executable, "-m", "app"]
    with running(command, ("127.0.0.1", port), "/health/ready", log, environment) as server:
        yield Service(server, log)


def _count(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return 0  # it has ended
