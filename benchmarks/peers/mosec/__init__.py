"""mosec: HTTP in Rust, Python workers, batches by `max_batch_size` and `max_wait_time`."""

from benchmarks.peers import plain_api
from benchmarks.peers.peer import Launch, Peer


def _command(launch: Launch) -> list[str]:
    return [
        *(str(launch.python), "-m", "benchmarks.peers.mosec.server"),
        *("--address", "127.0.0.1", "--port", str(launch.port)),
        *("--timeout", "30000", "--log-level", "warning"),
    ]


PEER = Peer(
    name="mosec",
    title="mosec, its batching",
    command=_command,
    ask=plain_api.ask,
    ready="/metrics",
    environment=plain_api.environment,
    packages=("mosec", "pillow", "torch"),
    batches=(64, 16, 1),  # a batch of 16 fills sooner
)
