"""Every metric of the service, declared once; written where the event happens.

One registry an application, so that several can live in one process; where several processes share
a port, each writes files in one folder, and `/metrics` of any of them is the sum of all.
"""

import os
from collections.abc import Callable
from functools import lru_cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# prometheus_client asks the environment for the folder, each time that it opens a file in it.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = tuple(float(2**power) for power in range(13))


def join_workers(folder: str, number: int) -> None:
    """Let the `Metrics` made from now on in this process be part of those in `folder`.

    Files are named by `number`, not by the process: who takes the place of a dead worker counts on
    in its files, so that they stay as few as the workers.
    """
    os.environ[FOLDER] = folder
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


def forget_worker(folder: str, number: int) -> None:
    """Take the gauges of a process that has ended out of `folder`; its counts stay."""
    mark_process_dead(number, folder)  # type: ignore[no-untyped-call]


class CacheResults:
    """The results of asking the cache, each bound once: to look a label up costs as much again."""

    def __init__(self, counter: Counter) -> None:
        self.hit = counter.labels("hit")
        self.miss = counter.labels("miss")
        self.shared = counter.labels("shared")
        self.not_modified = counter.labels("not_modified")


class Metrics:
    """The metrics by name; each is described in docs/metrics.md."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        seconds = partial(Histogram, registry=registry, buckets=SECONDS)
        rows = partial(Histogram, registry=registry, buckets=ROWS)
        batch = ("model", "operation")

        self.requests = counter(
            "latentd_requests_total", "Requests answered.", ("method", "route", "status")
        )
        self.request_seconds = seconds(
            "latentd_request_seconds",
            "Seconds from a request's first line to the end of its answer.",
            ("route",),
        )
        self.queue_seconds = seconds(
            "latentd_queue_seconds",
            "Seconds from a request's arrival in the queue to its first batch.",
        )
        self.batch_rows = rows("latentd_batch_rows", "Rows in a batch, without padding.", batch)
        self.batch_seconds = seconds(
            "latentd_batch_seconds", "Seconds that a batch took on the device.", batch
        )
        self.render_seconds = seconds(
            "latentd_render_seconds", "Seconds that an answer's rows took to become bytes."
        )
        self._declare_load(gauge)
        self._declare_connections(gauge, counter)
        # An operation's rows and seconds; looked up once, for that costs as much as to count.
        self.batches = lru_cache(1024)(self._batches)
        self.cache_results = CacheResults(
            counter(
                "latentd_cache_total",
                "Answers that may be kept: hit, miss, shared, not_modified.",
                ("result",),
            )
        )
        self.cache_bytes = gauge(
            "latentd_cache_bytes", "Memory that kept answers take.", multiprocess_mode="livesum"
        )
        self.dropped = counter(
            "latentd_dropped_total",
            "Requests given up before their answer: overloaded, deadline, client_gone, "
            "device_failed, not_finite.",
            ("reason",),
        )
        self.model_info = gauge(
            "latentd_model_info",
            "1 for every model that is served, with its version, device and digest.",
            ("model", "version", "device", "sha256"),
            multiprocess_mode="livemax",
        )
        self.ready = gauge(
            "latentd_ready",
            "1 while the service takes requests, else 0.",
            multiprocess_mode="livemax",
        )

    def _declare_load(self, gauge: Callable[..., Gauge]) -> None:
        self.queued_rows = gauge(
            "latentd_queued_rows", "Rows that wait for the device.", multiprocess_mode="livesum"
        )
        self.queued_renderings = gauge(
            "latentd_queued_renderings",
            "Responses that wait for a thread to draw them, or are drawn by one.",
            multiprocess_mode="livesum",
        )
        self.held_bytes = gauge(
            "latentd_held_bytes",
            "Memory reserved for requests that need more than a MiB each.",
            multiprocess_mode="livesum",
        )

    def _declare_connections(
        self, gauge: Callable[..., Gauge], counter: Callable[..., Counter]
    ) -> None:
        self.refused = counter(
            "latentd_refused_total",
            "Requests and connections that the server refused by itself.",
            ("status",),
        )
        self.connections = gauge(
            "latentd_connections", "Connections that are open.", multiprocess_mode="livesum"
        )
        self.in_flight_bytes = gauge(
            "latentd_in_flight_bytes",
            "Bytes of bodies on their way to an answer, and of answers not yet taken.",
            multiprocess_mode="livesum",
        )

    def set_connections(self, number: int, in_flight_bytes: int) -> None:
        """Note how many connections are open, and what is held for them."""
        self.connections.set(number)
        self.in_flight_bytes.set(in_flight_bytes)

    def count_refusal(self, status: int) -> None:
        """Count an answer that the server gave without the application."""
        self.refused.labels(status).inc()

    def _batches(self, model: str, operation: str) -> tuple[Histogram, Histogram]:
        return (
            self.batch_rows.labels(model, operation),
            self.batch_seconds.labels(model, operation),
        )

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format, summed over the processes that share the port."""
        if FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
