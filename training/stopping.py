"""When a run has converged: read from its history, so that a run that goes on decides the same."""

from collections.abc import Sequence

from training.config import RunConfig
from training.run_state import Record


def has_converged(history: Sequence[Record], config: RunConfig) -> bool:
    """Whether the last `patience` evaluations were no better than one before them."""
    return config.patience is not None and (
        evaluations_since_best(history, config) >= config.patience
    )


def evaluations_since_best(history: Sequence[Record], config: RunConfig) -> int:
    """How many evaluations ago -ELBO on test rows was lowest; the warm-up's are not counted.

    While beta rises the bound may well get worse, so a run that warms up cannot have converged.
    """
    last_cycle = config.epochs * (config.beta_cycles - 1) / config.beta_cycles
    counted = [
        float(line["rate"]) + float(line["distortion"])
        for line in history
        if line["event"] == "evaluation" and float(line["epoch"]) >= last_cycle + config.beta_warmup
    ]
    return len(counted) - 1 - counted.index(min(counted)) if counted else 0
