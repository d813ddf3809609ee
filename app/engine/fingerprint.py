"""A digest of what an operation computes here: equal ones give equal rows, bit for bit.

Another processor, device, library or batch shape rounds otherwise, in some rows of a hundred, so
an answer's bytes belong to where it was computed as much as to the checkpoint.
"""

import hashlib
from math import prod

import numpy as np
import torch

from app.arrays import FLOAT_BYTES, Floats
from app.engine.buckets import PROOF_BYTES, Buckets
from app.engine.execution import Execution

SEED = 0
# How many rows are looked at: the more, the smaller the model, so that it takes some milliseconds.
# Never by the clock, as workers and restarts are to find the same.
MOST_ROWS, FEWEST_ROWS = 256, 4
MODEL_BYTES = 2**27  # the size of the model's file, times the rows


def fingerprint(
    execution: Execution, buckets: Buckets, *, model_bytes: int, images_in: bool, images_out: bool
) -> str:
    """A digest over the answers to fixed rows, and over what chose the kernels.

    Rows lie in [0, 1) where the operation takes images, else they are of N(0, I). To be called on
    the thread that runs the operation.
    """
    max_rows, *row_shape = execution.stage.shape
    rows = _rows(tuple(row_shape), model_bytes, images=images_in)
    seen = hashlib.sha256(f"{type(execution).__name__} {max_rows} {_kernels()}".encode())
    size = buckets.fit(min(len(rows), buckets.sizes[-1]))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        execution.stage[: len(part)] = part
        answers = execution.run(size, values=True, levels=images_out)
        for found in (answers.values, answers.levels):
            if found is not None:
                seen.update(found[: len(part)].tobytes())
    return seen.hexdigest()


def _rows(row_shape: tuple[int, ...], model_bytes: int, *, images: bool) -> Floats:
    most = min(MOST_ROWS, max(FEWEST_ROWS, MODEL_BYTES // model_bytes))
    count = min(most, max(1, PROOF_BYTES // (FLOAT_BYTES * prod(row_shape))))
    draws = np.random.Generator(np.random.Philox(key=SEED))
    shape = (count, *row_shape)
    return draws.random(shape, np.float32) if images else draws.standard_normal(shape, np.float32)


def _kernels() -> str:
    """What torch chooses kernels by, beside shapes."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(number) for number in range(count)]
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{torch.__version__} {capability} {torch.get_num_threads()} {names}"
