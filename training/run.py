"""One run from a recipe and `key=value` words to a published model, stoppable and resumable."""

import math
import os
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from model_store import (
    Figure,
    ModelId,
    StoreNotWritable,
    legal_name,
    store_path,
)
from training import loop, report, run_state
from training.config import RunConfig, unknown, with_changes
from training.errors import ConfigError, Interrupted, RunStateError
from training.evaluate import estimate, reconstruction_error
from training.export import for_export, script
from training.figures import figures_of
from training.learned import NOTHING, learned_from
from training.likelihoods import Kind
from training.loop import Watcher
from training.posteriors import Posteriors
from training.preparation import Prepared, prepare
from training.prior_fitting import with_fitted_prior
from training.processes import ALONE, Team
from training.progress import Progress, bar
from training.publication import Trained, git_revision, publish
from training.recipes import RECIPES, Recipe
from training.report import Told
from training.run_state import RunState
from training.vae import VAE
from training.watch import Watch, draw_sheets


class Outcome(NamedTuple):
    """What a run came to."""

    folder: Path
    figures: tuple[Figure, ...]
    kind: Kind
    published: ModelId | None
    """None where the configuration says not to publish."""
    store: Path
    seconds: float
    """Of training steps, also of those before it was resumed."""
    notes: tuple[str, ...]
    """What could not be published beside the model, and why."""


class _Begun(NamedTuple):
    """A run before its next step."""

    config: RunConfig
    folder: Path
    prepared: Prepared
    state: RunState
    revision: str | None
    """Of the code as it was loaded, which may differ from the files' when the run ends."""


def run(recipe: str, words: Sequence[str], team: Team = ALONE) -> Outcome:
    """Train, evaluate and publish. Raises TrainingError or StoreError.

    Interrupted, with the command that goes on, after a first Ctrl-C or SIGTERM.
    """
    config = configure(recipe, words)
    store = _usable_store(config)
    begun = _begin(config)
    if config.publish:
        # What TorchScript cannot express is better known before the first step than after the last.
        script(for_export(begun.prepared.vae))
    command = _command(recipe, words, team)
    go_on = f"{command} resume=true"
    _train(begun, go_on, team)
    dataset = begun.prepared.dataset
    try:
        vae = _finished(begun)
        figures, posteriors = _measure(vae, begun)
        train = begun.prepared.train
        learned = learned_from(vae, dataset, train, config.seed) if config.publish else NOTHING
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped while measuring; the training is saved. Go on: {go_on}"
        ) from None
    told = Told(
        recipe=recipe,
        revision=begun.revision,
        command=command,
        config=config,
        dataset=dataset,
        history=begun.state.history,
        seconds=begun.state.seconds,
        figures=figures,
        posteriors=posteriors,
        sheets=draw_sheets(vae, begun.prepared, config.seed, begun.folder),
    )
    report.write(told, begun.folder)
    published = None
    if config.publish:
        trained = Trained(recipe, config, dataset, vae, figures, begun.revision, learned)
        published = publish(trained, store)
    begun.state.finished = True
    run_state.save(begun.state, config, begun.folder)
    seconds = begun.state.seconds
    folder, kind = begun.folder, dataset.kind
    return Outcome(folder, figures, kind, published, store, seconds, learned.notes)


def follow(recipe: str, words: Sequence[str], team: Team) -> None:
    """Take the same steps as the process that runs it; everything else is left to that one."""
    begun = _begin(configure(recipe, words))
    with stop_signals() as should_stop:
        watcher = _Follower(should_stop)
        loop.train(begun.state, begun.prepared.train, begun.config, watcher, team)


def _begin(config: RunConfig) -> _Begun:
    """Afresh, or where the saved run stopped."""
    folder = config.out or Path("runs") / config.name
    saved = _saved_run(folder, config)
    prepared = prepare(config, folder)
    state = run_state.fresh(prepared.vae, config)
    if saved is not None:
        run_state.restore(state, saved, config)
    return _Begun(config, folder, prepared, state, git_revision())


def configure(recipe: str, words: Sequence[str]) -> RunConfig:
    """A recipe's configuration with `key=value` words laid over it, its name filled in."""
    config = with_changes(recipe_named(recipe).config, words)
    config = config if config.name else config.model_copy(update={"name": recipe})
    legal_name(config.name)
    return config


def recipe_named(name: str) -> Recipe:
    """The recipe, or a ConfigError that names the nearest one."""
    if name not in RECIPES:
        raise ConfigError(unknown("recipe", name, RECIPES))
    return RECIPES[name]


def _usable_store(config: RunConfig) -> Path:
    """The store to publish to, looked at before hours of training rather than after."""
    store = config.store or store_path()
    if config.publish and not (store.is_dir() and os.access(store, os.W_OK)):
        raise StoreNotWritable(
            f"{store} is not a folder that can be written to: create it, give store=FOLDER, or "
            "train with publish=false"
        )
    return store


def _saved_run(folder: Path, config: RunConfig) -> dict[str, Any] | None:
    """The state to go on from, None to start afresh; RunStateError rather than overwriting one."""
    saved = run_state.read(folder)
    if config.resume and saved is None:
        raise RunStateError(f"resume=true: {folder} holds no saved run; leave it out to start one")
    if not config.resume and saved is not None and not saved["finished"]:
        raise RunStateError(
            f"{folder} holds an unfinished run ({saved['step']} steps done): go on with "
            "resume=true, choose another out=FOLDER, or remove the folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return saved if config.resume else None


def _command(recipe: str, words: Sequence[str], team: Team) -> str:
    kept = [word for word in words if not word.startswith("resume=")]
    start = ["python"] if team.size == 1 else ["torchrun", f"--nproc-per-node={team.size}"]
    return shlex.join([*start, "-m", "training", "run", recipe, *kept])


class _Follower(Watcher):
    """Looks on in the processes that leave everything but the steps to another."""

    def __init__(self, asked_to_stop: Callable[[], bool]) -> None:
        self.asked_to_stop = asked_to_stop

    def should_stop(self) -> bool:
        """Whether somebody asked for it."""
        return self.asked_to_stop()


def _train(begun: _Begun, go_on: str, team: Team) -> None:
    """Take the steps that are left; Interrupted, with everything saved, where somebody says so."""
    config, folder, prepared, state = begun.config, begun.folder, begun.prepared, begun.state
    total = config.epochs * loop.steps_per_epoch(len(prepared.train), config.batch_size)
    with (
        stop_signals() as should_stop,
        Progress(folder, total, state, tensorboard=config.tensorboard) as progress,
    ):
        for note in prepared.dataset.notes:
            progress.say(note)
        watch = Watch(config, prepared, progress, folder, should_stop)
        loop.train(state, prepared.train, config, watch, team)
        if state.step < total and not watch.enough:
            run_state.save(state, config, folder)
            raise Interrupted(f"stopped after step {state.step} of {total}, saved. Go on: {go_on}")


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Ask to stop at the first SIGINT or SIGTERM; a second one acts at once, as ever."""
    asked = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        restore()

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        restore()


def _finished(begun: _Begun) -> VAE:
    """The model to measure and to publish, with the prior that is fitted last."""
    config, vae = begun.config, begun.state.outcome
    if config.prior_after is None:
        return vae
    rows = begun.prepared.train
    return with_fitted_prior(vae, config.prior_after, rows, config.components, config.seed)


def _measure(vae: VAE, begun: _Begun) -> tuple[tuple[Figure, ...], Posteriors]:
    config, dataset, test = begun.config, begun.prepared.dataset, begun.prepared.test
    found = estimate(vae, test, config.nll_samples, config.seed, progress=bar)
    error = reconstruction_error(vae, dataset.test, test.device)
    figures = figures_of(found, error, vae.likelihood, math.prod(dataset.shape))
    return figures, found.posteriors
