"""The model alone: batches of latents to the device, rows back, and nothing else, for some seconds.

`python -m benchmarks.trials.bare_loop STORE MODEL DEVICE BATCH SECONDS` prints rows a second;
`rows_a_second` has a process of its own do so, as the service has.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.environments import PROJECT
from model_store import ModelId, find, load

WARM_UP_BATCHES = 5
STAGED = 16  # batches of latents, used in turn


def rows_a_second(store: Path, model: ModelId, device: str, batch: int, seconds: float) -> float:
    """Measured in another process."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.trials.bare_loop"]
    command += [str(store), str(model), device, str(batch), str(seconds)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def _measure(store: Path, reference: str, place: str, batch: int, seconds: float) -> float:
    torch.set_num_threads(1)  # as the service has, unless it is told otherwise
    device = torch.device(place)
    checkpoint = load(store, find(store, reference), device)
    latents = torch.randn(STAGED, batch, *checkpoint.manifest.latent_shape)
    with torch.inference_mode():
        for _ in range(WARM_UP_BATCHES):
            checkpoint.decode(latents[0].to(device)).cpu()
        batches, began = 0, time.perf_counter()
        while time.perf_counter() < began + seconds:
            # To the host and back, because whoever asks has his latents there and wants his rows.
            checkpoint.decode(latents[batches % STAGED].to(device)).cpu()
            batches += 1
    return batches * batch / (time.perf_counter() - began)


if __name__ == "__main__":
    store, reference, device, batch, seconds = sys.argv[1:]
    rate = _measure(Path(store), reference, device, int(batch), float(seconds))
    sys.stdout.write(f"{rate}\n")
