"""Which device the models run on, its settings, and how it runs them. Chosen once, at start-up."""

import torch

from app.engine.cuda_execution import OnCuda
from app.engine.execution import Execution, OnCpu, Work
from app.errors import SettingsError


def choose_device(wanted: str) -> torch.device:
    """The device that `wanted` names: `auto`, `cpu`, `cuda` or `cuda:N`.

    `auto` is CUDA where there is one, else the CPU. A device that is not there is refused by name.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        wanted = "cuda" if count else "cpu"
    if wanted == "cpu":
        return torch.device("cpu")
    index = int(wanted.partition(":")[2] or 0)
    if index >= count:
        there = f"cuda:0 to cuda:{count - 1} and cpu" if count else "cpu alone"
        raise SettingsError(
            f"LATENTD_DEVICE={wanted}: there is no such device here (there is {there}); "
            "set LATENTD_DEVICE to one that is there, or to auto"
        )
    return torch.device("cuda", index)


def prepare(device: torch.device, threads: int) -> None:
    """Set torch up for serving from the calling thread.

    `threads` is the number that one CPU operation may use. More than one pays only where cores are
    idle: on a busy machine OpenMP threads wait for each other, and a batch takes several times as
    long.
    """
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # TF32 keeps 10 bits of mantissa, too few for the probe's tolerance and for exact answers.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
        # The same for sums of half-precision products.
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


def execution_on(device: torch.device, work: Work, max_rows: int) -> Execution:
    """How `work`, whose weights are on `device`, is run in batches of up to `max_rows`."""
    if device.type == "cuda":
        return OnCuda(device, work, max_rows)
    return OnCpu(work.compute, work.row_shape, max_rows)


def describe(device: torch.device) -> str:
    """The device in words for the log: `cpu, 1 thread` or `cuda:0 (NVIDIA H200)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' if threads > 1 else ''}"
