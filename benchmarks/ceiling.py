"""What the model alone can do: full batches on a thread of its own, nothing read and nothing drawn.

`python -m benchmarks.ceiling STORE OPERATION SECONDS` prints rows a second; `rows_a_second` runs as
many such processes at once as a server would have.
"""

import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.models import COLOUR, LATENTS, MLP
from benchmarks.peers.model_work import LARGEST_CALL, ModelWork


def rows_a_second(store: Path, operation: str, seconds: float, processes: int) -> float:
    """Of `processes` together."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.ceiling"]
    command += [str(store), operation, str(seconds)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    return sum(float(process.communicate()[0]) for process in running)


def _measure(store: Path, operation: str, seconds: float) -> float:
    work = ModelWork(store, operation)
    latents = torch.randn(LARGEST_CALL, LATENTS[COLOUR if operation == "colour" else MLP])
    rows, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        work.decode_rows(latents)
        rows += LARGEST_CALL
    return rows / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.stdout.write(f"{_measure(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))}\n")
