"""The training loop. Knows tensors and the run state; no files, no pictures, no screen."""

import math
import time
from typing import Protocol

import torch
from torch import Tensor

from training.config import RunConfig
from training.errors import TrainingDiverged
from training.objectives import OBJECTIVES, Objective, Options, Terms, draw
from training.precision import PRECISIONS
from training.run_state import RunState, average
from training.schedules import SCHEDULES, warmth
from training.streams import stream


class Watcher(Protocol):
    """Who looks on: told of every step and every epoch, and asked whether to go on."""

    def stepped(self, state: RunState) -> None:
        """A step is done."""

    def epoch_done(self, state: RunState, epoch: int, means: dict[str, float]) -> None:
        """The epoch (counted from 1) is done; `means` are over its rows, in nats."""

    def should_stop(self) -> bool:
        """Whether to leave the loop at this step boundary."""


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Full batches only, which the order of the next epoch makes up for; one at least."""
    return max(1, rows // batch_size)


def train(state: RunState, rows: Tensor, config: RunConfig, watcher: Watcher) -> None:
    """Take the steps that are left; `rows` [N, *data_shape] lie on the model's device.

    Returns early, between two steps, when the watcher says so.
    """
    steps = steps_per_epoch(len(rows), config.batch_size)
    objective = objective_of(config)
    for epoch in range(state.step // steps, config.epochs):
        order = torch.randperm(len(rows), generator=stream(config.seed, "order", epoch))
        batches = torch.split(order.to(rows.device), config.batch_size)[:steps]
        for batch in batches[state.step % steps :]:
            if watcher.should_stop():
                return
            _step(state, rows[batch], config, steps, objective)
            watcher.stepped(state)
        means = _close_epoch(state, config, steps)
        watcher.epoch_done(state, epoch + 1, means)


def objective_of(config: RunConfig) -> Objective:
    """The configured one."""
    options = Options(config.beta, config.free_bits, config.capacity)
    return OBJECTIVES[config.objective](options)


def _step(state: RunState, x: Tensor, config: RunConfig, steps: int, objective: Objective) -> None:
    began = time.perf_counter()
    noise_stream = stream(config.seed, "noise", state.step, x.device)
    x = state.vae.likelihood.observe(x, noise_stream)
    wanted = (config.draws, len(x), config.latent_dim)
    noise = torch.randn(wanted, generator=noise_stream, device=x.device)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(config, state.step, steps)
    state.optimizer.zero_grad()
    epoch = state.step / steps
    warm = warmth(epoch, config.epochs, config.beta_warmup, config.beta_cycles)
    precision = PRECISIONS[config.precision]
    terms = objective(draw(state.vae, x, noise, precision), warm)
    _refuse_nonsense(terms, state.step, steps)
    terms.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    if config.gradient_clip is not None:
        torch.nn.utils.clip_grad_norm_(state.vae.parameters(), config.gradient_clip)
    state.optimizer.step()
    average(state, config.averaging)
    state.step += 1
    for position, term in enumerate(terms):
        state.sums[position] += float(term.detach()) * len(x)
    state.sums[3] += len(x)
    state.seconds += time.perf_counter() - began


def learning_rate(config: RunConfig, step: int, steps: int) -> float:
    """The rate of a step: the schedule sees the middle of it, so neither end is exactly zero."""
    progress = (step + 0.5) / (steps * config.epochs)
    return config.learning_rate * SCHEDULES[config.schedule](min(1.0, progress))


def _refuse_nonsense(terms: Terms, step: int, steps: int) -> None:
    loss, rate, distortion = (float(term.detach()) for term in terms)
    if math.isfinite(loss):
        return
    raise TrainingDiverged(
        f"the loss became {loss} at step {step + 1} (epoch {step // steps + 1}; rate {rate:g}, "
        f"distortion {distortion:g}): lower learning_rate or set gradient_clip"
    )


def _close_epoch(state: RunState, config: RunConfig, steps: int) -> dict[str, float]:
    """The epoch's means; TrainingDiverged before anybody saves weights that are not numbers."""
    if not all(bool(weights.isfinite().all()) for weights in state.vae.parameters()):
        raise TrainingDiverged(
            f"weights became NaN or infinite in epoch {state.step // steps}: lower learning_rate "
            "or set gradient_clip"
        )
    loss, rate, distortion, rows = state.sums
    state.sums = [0.0] * 4
    return {
        "loss": loss / rows,
        "rate": rate / rows,
        "distortion": distortion / rows,
        "learning_rate": learning_rate(config, state.step - 1, steps),
    }
