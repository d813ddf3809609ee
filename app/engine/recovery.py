"""Runs a batch on the device, and what to do where the device cannot.

Without memory for a batch, its halves are tried. A batch that fails otherwise is run again request
by request, so that only the request at fault fails. And where nothing of a batch succeeds, rows
that are known to work are tried: if those fail too, the device is lost, not the request.
"""

import logging

import numpy as np

from app.arrays import Rows, read_only
from app.engine.entry import Share
from app.engine.execution import OUT_OF_MEMORY, Answers
from app.engine.loaded_model import Operation
from app.errors import DeviceFailed, LatentdError

log = logging.getLogger("latentd")


def run_shares(operation: Operation, shares: list[Share]) -> list[Rows | LatentdError]:
    """The answer to each share, or the error that its owner is told."""
    stage = operation.execution.stage
    end = 0
    for share in shares:
        stage[end : end + share.num_rows] = share.rows
        end += share.num_rows
    try:
        answers = _run(operation, end, shares)
    except OUT_OF_MEMORY as error:
        return _in_halves(operation, shares, error)
    except Exception as error:  # noqa: BLE001 - whatever the device says, the thread lives on
        if len(shares) == 1:
            return [_failure(operation, error)]
        return [run_shares(operation, [share])[0] for share in shares]
    parts: list[Rows | LatentdError] = []
    start = 0
    for share in shares:
        parts.append(share.of(answers, start, operation))
        start += share.num_rows
    return parts


def is_lost(operation: Operation) -> bool:
    """Whether the device now fails even what it could do when the model was loaded."""
    operation.execution.stage[:] = 0
    try:
        operation.execution.run(operation.buckets.sizes[0], values=True, levels=False)
    except OUT_OF_MEMORY:
        return False
    except Exception:  # noqa: BLE001 - any failure of rows that worked
        return True
    return False


def _run(operation: Operation, num_rows: int, shares: list[Share]) -> Answers:
    answers = operation.execution.run(
        operation.buckets.fit(num_rows),
        values=not all(share.entry.levels for share in shares),
        levels=any(share.entry.levels for share in shares),
    )
    for array in (answers.values, answers.levels):
        if array is not None:
            read_only(array)  # several clients have parts of it
    return answers


def _in_halves(
    operation: Operation, shares: list[Share], error: BaseException
) -> list[Rows | LatentdError]:
    num_rows = sum(share.num_rows for share in shares)
    half = num_rows // 2
    if not half or operation.buckets.fit(num_rows - half) == operation.buckets.fit(num_rows):
        return [_failure(operation, error)] * len(shares)
    log.warning("%s: no memory to %s %d rows at once", operation.model, operation.name, num_rows)
    if len(shares) > 1:
        middle = len(shares) // 2
        return [
            answer
            for part in (shares[:middle], shares[middle:])
            for answer in run_shares(operation, part)
        ]
    entry, first, _ = shares[0]
    halves = (Share(entry, first, half), Share(entry, first + half, num_rows - half))
    parts = [run_shares(operation, [share])[0] for share in halves]
    failed = next((part for part in parts if isinstance(part, LatentdError)), None)
    return [failed or np.concatenate([part for part in parts if isinstance(part, np.ndarray)])]


def _failure(operation: Operation, error: BaseException) -> DeviceFailed:
    """The error that the owner is told; what the device said is its cause, for the log alone."""
    if isinstance(error, OUT_OF_MEMORY):
        why = "the device has no memory for so many; ask for fewer"
    else:
        why = "the device failed at them; the log has what it said, under this request_id"
    failure = DeviceFailed(f"{operation.model} could not {operation.name} these rows: {why}")
    # Without its frames, which hold on to what was computed in them.
    failure.__cause__ = error.with_traceback(None)
    return failure
