"""The training loop. Knows tensors and the run state; no files, no pictures, no screen."""

import math
import time

import torch
from torch import Tensor, nn

from training.config import RunConfig
from training.datasets.rows import Rows
from training.errors import TrainingDiverged
from training.objectives import OBJECTIVES, Objective, Options, Terms, draw
from training.precision import PRECISIONS
from training.processes import ALONE, Team
from training.run_state import RunState, average
from training.schedules import SCHEDULES, warmth
from training.streams import stream
from training.vae import VAE

MOST_SKIPPED = 10  # steps in a row; a single overflow passes, a run that has diverged does not


class Watcher:
    """Who looks on: told of every step and every epoch, and asked whether to go on.

    This one does nothing about it.
    """

    def stepped(self, state: RunState) -> None:
        """A step is done."""

    def skipped(self, state: RunState, fault: str) -> None:
        """The last step changed no weight, because something in it was not a number."""

    def epoch_done(self, state: RunState, epoch: int, means: dict[str, float]) -> None:
        """The epoch (counted from 1) is done; `means` are over its rows, in nats."""

    def should_stop(self) -> bool:
        """Whether to leave the loop at this step boundary."""
        return False


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Full batches only, which the order of the next epoch makes up for; one at least."""
    return max(1, rows // batch_size)


class Bound(nn.Module):
    """A model under its objective, as one module whose gradients a team can average."""

    def __init__(self, vae: VAE, config: RunConfig) -> None:
        super().__init__()
        self.vae = vae
        self.objective = objective_of(config)
        self.precision = PRECISIONS[config.precision]

    def forward(self, x: Tensor, noise: Tensor, warmth: float) -> Terms:
        """See Objective: `x` [N, *data_shape], `noise` [K, N, latent_dim] from N(0, I)."""
        return self.objective(draw(self.vae, x, noise, self.precision), warmth)


def train(
    state: RunState, rows: Rows, config: RunConfig, watcher: Watcher, team: Team = ALONE
) -> None:
    """Take the steps that are left; `rows` [N, *data_shape] come on the model's device.

    Returns early, between two steps, when the watcher of one of the team says so.
    """
    steps = steps_per_epoch(len(rows), config.batch_size)
    bound = team.together(Bound(state.vae, config))
    for epoch in range(state.step // steps, config.epochs):
        order = torch.randperm(len(rows), generator=stream(config.seed, "order", epoch))
        batches = torch.split(order.to(rows.device), config.batch_size)[:steps]
        for batch in batches[state.step % steps :]:
            if team.any(mine=watcher.should_stop()):
                return
            fault = _step(state, bound, rows[batch], config, steps, team)
            _refuse_to_go_on(state, fault, steps)
            if fault is not None:
                watcher.skipped(state, fault)
            watcher.stepped(state)
        means = _close_epoch(state, config, steps)
        watcher.epoch_done(state, epoch + 1, means)


def objective_of(config: RunConfig) -> Objective:
    """The configured one."""
    options = Options(config.beta, config.free_bits, config.capacity)
    return OBJECTIVES[config.objective](options)


def _step(
    state: RunState, bound: nn.Module, x: Tensor, config: RunConfig, steps: int, team: Team
) -> str | None:
    """One step of the whole team; what was not a number, where it therefore left all weights alone.

    Everybody draws the noise of the whole batch and takes the own rows of it: the team's curve is
    that of one process. What decides whether to skip is the same for all of them.
    """
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
    mine = team.share(len(x))
    terms: Terms = bound(x[mine], noise[:, mine], warm)
    means = team.mean(torch.stack([term.detach() for term in terms])).tolist()
    fault = _descend(state, terms.loss, means, config)
    state.step += 1
    if fault is None:
        state.sums = [
            total + mean * len(x) for total, mean in zip(state.sums, [*means, 1.0], strict=True)
        ]
    state.seconds += time.perf_counter() - began
    return fault


def _descend(state: RunState, loss: Tensor, means: list[float], config: RunConfig) -> str | None:
    """Move the weights down the gradient, or say why there is none to follow."""
    if not math.isfinite(means[0]):
        return f"the loss was {means[0]} (rate {means[1]:g}, distortion {means[2]:g})"
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    weights = list(state.vae.parameters())
    norm = torch.nn.utils.get_total_norm([each.grad for each in weights if each.grad is not None])
    if not math.isfinite(norm):
        return f"the gradient's norm was {float(norm)} (loss {means[0]:g})"
    if config.gradient_clip is not None:
        torch.nn.utils.clip_grads_with_norm_(weights, config.gradient_clip, norm)
    state.optimizer.step()
    average(state, config.averaging)
    return None


def learning_rate(config: RunConfig, step: int, steps: int) -> float:
    """The rate of a step: the schedule sees the middle of it, so neither end is exactly zero."""
    progress = (step + 0.5) / (steps * config.epochs)
    return config.learning_rate * SCHEDULES[config.schedule](min(1.0, progress))


def _refuse_to_go_on(state: RunState, fault: str | None, steps: int) -> None:
    """TrainingDiverged where one step after the other is skipped."""
    state.skipped = 0 if fault is None else state.skipped + 1
    if state.skipped == MOST_SKIPPED:
        raise TrainingDiverged(
            f"{fault} at step {state.step} (epoch {(state.step - 1) // steps + 1}), the "
            f"{MOST_SKIPPED}th in a row: lower learning_rate or set gradient_clip"
        )


def _close_epoch(state: RunState, config: RunConfig, steps: int) -> dict[str, float]:
    """The epoch's means; TrainingDiverged before anybody saves weights that are not numbers."""
    if not all(bool(weights.isfinite().all()) for weights in state.vae.parameters()):
        raise TrainingDiverged(
            f"weights became NaN or infinite in epoch {state.step // steps}: lower learning_rate "
            "or set gradient_clip"
        )
    loss, rate, distortion, rows = state.sums
    if not rows:
        raise TrainingDiverged(
            f"no step of epoch {state.step // steps} could be taken: lower learning_rate or set "
            "gradient_clip"
        )
    state.sums = [0.0] * 4
    return {
        "loss": loss / rows,
        "rate": rate / rows,
        "distortion": distortion / rows,
        "learning_rate": learning_rate(config, state.step - 1, steps),
    }
