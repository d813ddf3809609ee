"""What happens beside the steps of a run: log lines, evaluations, pictures, saved states."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from training import pictures, run_state
from training.collapse import advice, collapsed, is_time
from training.config import RunConfig
from training.evaluate import estimate
from training.loop import Watcher
from training.posteriors import Posteriors
from training.preparation import Prepared
from training.progress import Progress
from training.run_state import RunState
from training.stopping import evaluations_since_best, has_converged
from training.vae import VAE


class Watch(Watcher):
    """The loop's watcher: after each epoch it logs and saves, and now and then it evaluates."""

    def __init__(
        self,
        config: RunConfig,
        prepared: Prepared,
        progress: Progress,
        folder: Path,
        should_stop: Callable[[], bool],
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.progress = progress
        self.folder = folder
        self.asked_to_stop = should_stop
        self.enough = has_converged(progress.history, config)

    def should_stop(self) -> bool:
        """Whether somebody asked for it, or the run has converged."""
        return self.enough or self.asked_to_stop()

    def skipped(self, state: RunState, fault: str) -> None:
        """Say so, and log it."""
        self.progress.record({"event": "skipped", "step": state.step, "fault": fault})
        self.progress.say(f"step {state.step} skipped: {fault}")

    def stepped(self, state: RunState) -> None:  # noqa: ARG002
        """Move the bar."""
        self.progress.step()

    def epoch_done(self, state: RunState, epoch: int, means: dict[str, float]) -> None:
        """Log the epoch, evaluate where it is time to, and save."""
        seconds = round(state.seconds, 2)
        self.progress.record({"event": "epoch", "epoch": epoch, "seconds": seconds, **means})
        if epoch % self.config.evaluate_every == 0 or epoch == self.config.epochs:
            self._evaluate(state, epoch, means)
        run_state.save(state, self.config, self.folder)

    def _evaluate(self, state: RunState, epoch: int, means: dict[str, float]) -> None:
        found = estimate(state.result, self.prepared.test, samples=1, seed=self.config.seed)
        self.progress.record(
            {
                "event": "evaluation",
                "epoch": epoch,
                "seconds": round(state.seconds, 2),
                "rate": found.rate,
                "distortion": found.distortion,
                "active_units": found.active_units,
            }
        )
        self.progress.say(
            f"epoch {epoch}/{self.config.epochs}, {state.seconds:.0f} s: -ELBO "
            f"{means['rate'] + means['distortion']:.2f} in training, {found.negative_elbo:.2f} on "
            f"test rows (rate {found.rate:.2f} + distortion {found.distortion:.2f} nats), "
            f"{found.active_units} of {self.config.latent_dim} dimensions active"
        )
        self._warn_of_collapse(found.posteriors, epoch)
        if self.config.patience is not None:
            self._look_back(state)
        self._show(state.result, found.posteriors, epoch)

    def _look_back(self, state: RunState) -> None:
        """Keep the weights of the best evaluation, and stop where there has been none for long."""
        since = evaluations_since_best(self.progress.history, self.config)
        if not since:
            weights = state.result.state_dict()
            state.best = {name: tensor.clone() for name, tensor in weights.items()}
        self.enough = has_converged(self.progress.history, self.config)
        if self.enough:
            self.progress.say(f"no better -ELBO in {since} evaluations: the best one is kept")

    def _warn_of_collapse(self, posteriors: Posteriors, epoch: int) -> None:
        """Once in a run, however often it stops and goes on."""
        warned = any(line["event"] == "collapse" for line in self.progress.history)
        if not warned and is_time(self.config, epoch) and collapsed(posteriors):
            warning = advice(posteriors, self.config)
            self.progress.say(f"warning: {warning}")
            self.progress.record({"event": "collapse", "epoch": epoch, "warning": warning})

    def _show(self, vae: VAE, posteriors: Posteriors, epoch: int) -> None:
        """Curves and sheets as files, and all that TensorBoard can show where it is wanted."""
        self.progress.draw_curves()
        events = self.progress.events
        if events is not None:
            events.latents(posteriors, self.config.seed, epoch)
        for name, sheet in draw_sheets(vae, self.prepared, self.config.seed, self.folder).items():
            if events is not None:
                events.sheet(name, sheet, epoch)


def draw_sheets(vae: VAE, prepared: Prepared, seed: int, folder: Path) -> dict[str, Tensor]:
    """The sheets by name, written to the folder as PNG files too; none for vectors."""
    if prepared.dataset.kind != "image":
        return {}
    sheets = pictures.sheets(vae, prepared.dataset.test, seed, prepared.test.device)
    for name, sheet in sheets.items():
        (folder / f"{name}.png").write_bytes(pictures.png(sheet))
    return sheets
