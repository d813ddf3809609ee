"""Every metric of the service, declared once; written where the event happens.

One registry an application, so that several can live in one process.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = tuple(float(2**power) for power in range(13))


class Metrics:
    """The metrics by name; each is described in docs/metrics.md."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "latentd_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "latentd_request_seconds",
            "Seconds from a request's first line to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.queued_rows = Gauge(
            "latentd_queued_rows", "Rows that wait for the device.", registry=registry
        )
        self.queue_seconds = Histogram(
            "latentd_queue_seconds",
            "Seconds from a request's arrival in the queue to its first batch.",
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_rows = Histogram(
            "latentd_batch_rows",
            "Rows in a batch, without padding.",
            ["model", "operation"],
            buckets=ROWS,
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "latentd_batch_seconds",
            "Seconds that a batch took on the device.",
            ["model", "operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self.dropped = Counter(
            "latentd_dropped_total",
            "Requests given up before their answer: overloaded, deadline, client_gone, "
            "device_failed.",
            ["reason"],
            registry=registry,
        )
        self.model_info = Gauge(
            "latentd_model_info",
            "1 for every model that is served, with its version, device and digest.",
            ["model", "version", "device", "sha256"],
            registry=registry,
        )
        self.ready = Gauge(
            "latentd_ready", "1 while the service takes requests, else 0.", registry=registry
        )
