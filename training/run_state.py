"""A run between two steps: all that is needed to go on from there, and its file.

Random streams are functions of (seed, step), so the step is all that must be kept of them.
"""

import copy
import os
import pickle
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.config import MAY_CHANGE, RunConfig
from training.errors import RunStateError
from training.vae import VAE

FILE = "state.pt"
FORMAT = 1
Record = dict[str, str | float]
Weights = dict[str, Tensor]


@dataclass
class RunState:
    """What a training step changes, and what has been written down about the steps so far."""

    vae: VAE
    optimizer: torch.optim.Optimizer
    averaged: VAE | None
    """The exponential moving average of the weights, where the run keeps one."""
    step: int = 0
    seconds: float = 0.0
    """Time spent on training steps, evaluations not counted."""
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    """Of this epoch's steps: loss, rate and distortion, times rows; and rows."""
    history: list[Record] = field(default_factory=list)
    """The lines of the log."""
    skipped: int = 0
    """Steps in a row that changed no weight, up to now."""
    best: Weights | None = None
    """The weights of the best evaluation, where the run may stop early."""
    finished: bool = False
    """Nothing is left to do: trained, evaluated and, where wanted, published."""

    @property
    def result(self) -> VAE:
        """The model to evaluate."""
        return self.vae if self.averaged is None else self.averaged

    @property
    def outcome(self) -> VAE:
        """The model to publish: the best one of a run that may stop early, else the last."""
        if self.best is None:
            return self.result
        best = copy.deepcopy(self.result)
        best.load_state_dict(self.best)
        return best


def fresh(vae: VAE, config: RunConfig) -> RunState:
    """The state before the first step."""
    optimizer = torch.optim.AdamW(
        vae.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    averaged = copy.deepcopy(vae) if config.averaging else None
    return RunState(vae, optimizer, averaged)


def save(state: RunState, config: RunConfig, folder: Path) -> None:
    """Replace the saved state in one move, so that a crash leaves the old or the new one whole.

    RunStateError where the disk takes no more; the old one is whole then too.
    """
    content = {
        "format": FORMAT,
        "config": config.model_dump(mode="json"),
        "vae": state.vae.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "averaged": None if state.averaged is None else state.averaged.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "sums": state.sums,
        "history": state.history,
        "skipped": state.skipped,
        "best": state.best,
        "finished": state.finished,
    }
    # In memory first: torch hides what the system says of a file.
    whole = BytesIO()
    torch.save(content, whole)
    partial = folder / f"{FILE}.partial"
    try:
        with partial.open("wb") as file:
            file.write(whole.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / FILE)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunStateError(
            f"{folder / FILE} cannot be written ({error.strerror}), and is as it was before: make "
            "room, then go on with resume=true, or start anew where nothing was saved"
        ) from error


def read(folder: Path) -> dict[str, Any] | None:
    """The saved content as it is, None where there is none; RunStateError if it cannot be read."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise RunStateError(f"{path} cannot be read ({error}): remove it to start over") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunStateError(
            f"{path} is not a run state of format {FORMAT}: remove it to start over"
        )
    return content


def restore(state: RunState, content: dict[str, Any], config: RunConfig) -> None:
    """Bring a fresh state to the saved one; RunStateError names the keys that do not agree."""
    now, then = config.model_dump(mode="json"), content["config"]
    differing = [
        f"{key} was {then[key]} and is {now[key]}"
        for key in now
        if key not in MAY_CHANGE and key in then and then[key] != now[key]
    ]
    if differing:
        raise RunStateError(
            f"the saved run is another one: {'; '.join(differing)}. Give the same keys as then, or "
            "another out=FOLDER"
        )
    try:
        state.vae.load_state_dict(content["vae"])
        state.optimizer.load_state_dict(content["optimizer"])
        if state.averaged is not None:
            state.averaged.load_state_dict(content["averaged"])
    except (RuntimeError, ValueError) as error:
        raise RunStateError(f"the saved weights do not fit: {error}") from error
    state.step, state.seconds = content["step"], content["seconds"]
    state.sums, state.history = content["sums"], content["history"]
    state.skipped, state.best = content.get("skipped", 0), content.get("best")


@torch.no_grad()
def average(state: RunState, decay: float) -> None:
    """Move the averaged weights towards the current ones, faster in the first steps."""
    if state.averaged is None:
        return
    # (1 + t) / (10 + t) keeps the initial weights from lingering in the average.
    decay = min(decay, (1 + state.step) / (10 + state.step))
    averaged: list[Tensor] = list(state.averaged.parameters())
    torch._foreach_lerp_(averaged, list(state.vae.parameters()), 1.0 - decay)
