"""One recipe trained once for each value of one key, and what the values come to side by side.

A sweep always goes on: a value that was measured is not trained again, and one whose training was
stopped is trained to its end.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from training import run_state, sweep_pictures
from training.config import PLACES, RunConfig, as_word, unknown
from training.errors import ConfigError, Interrupted, RunStateError, TrainingDiverged
from training.run import configure, run

RECORD = "sweep.json"
TABLE = "sweep.md"
PICTURE = "sweep.png"
MARGIN = 0.5  # nats of NLL that one gives away for a smaller latent
# Figures by name, with their titles in the table and the digits after the point.
COLUMNS = {
    "negative_elbo": ("-ELBO", 2),
    "rate": ("rate", 2),
    "distortion": ("distortion", 2),
    "nll": ("NLL", 2),
    "active_units": ("active units", 0),
}
Figures = dict[str, float]


class Measured(BaseModel):
    """What one value came to."""

    config: dict[str, Any]
    """All that the figures depend on."""
    figures: Figures = {}
    """By name, on test rows; none where the training diverged."""
    seconds: float = 0.0
    """Of training steps."""
    diverged: str = ""
    """Why there are no figures."""


class Record(BaseModel):
    """The content of `sweep.json`: every value that was ever measured in its folder."""

    recipe: str
    key: str
    values: dict[str, Measured]


class Sweep(NamedTuple):
    """What was asked for and found, and the folder where it is written down."""

    folder: Path
    key: str
    values: dict[str, Measured]

    @property
    def figures(self) -> dict[str, Figures]:
        """Of the values whose training did not diverge."""
        return {value: found.figures for value, found in self.values.items() if found.figures}


def sweep(recipe: str, over: str, words: Sequence[str], say: Callable[[str], None]) -> Sweep:
    """Train and measure what of `over` is not measured yet; the `key=value` words hold for all.

    `over` is KEY=VALUE,VALUE… or, where a value has commas itself, KEY=VALUE/VALUE…; nothing is
    published without the word publish=true. Raises TrainingError or StoreError; Interrupted, with
    the command that goes on, after Ctrl-C or SIGTERM.
    """
    go_on = shlex.join(["python", "-m", "training", "sweep", recipe, over, *words])
    if not any(word.startswith("publish=") for word in words):
        words = [*words, "publish=false"]
    key, configs = plan(recipe, over, words)
    first = next(iter(configs.values()))
    folder = first.out or Path("runs") / f"{first.name}-sweep-{key}"
    record = _record(folder, recipe, key)
    for number, (value, config) in enumerate(configs.items(), 1):
        title = f"{key}={value} ({number} of {len(configs)})"
        # Places decide nothing, but what shall be published has to be.
        content = config.model_dump(mode="json", exclude=set(PLACES - {"publish"}))
        if value in record.values and record.values[value].config == content:
            say(f"{title} was measured before")
            continue
        say(title)
        try:
            found = _measure(recipe, [*words, f"{key}={value}"], folder / value, content)
        except (Interrupted, KeyboardInterrupt):
            raise Interrupted(f"stopped at {title}, all saved. Go on: {go_on}") from None
        if found.diverged:
            say(f"{title} diverged: {found.diverged}")
        record.values[value] = found
        _write(record, folder)
    swept = Sweep(folder, key, {value: record.values[value] for value in configs})
    _show(swept, f"{recipe} over {key}")
    return swept


def plan(recipe: str, over: str, words: Sequence[str]) -> tuple[str, dict[str, RunConfig]]:
    """The key and, for each value as a word, the run's configuration; ConfigError for a bad one."""
    key, _, listed = over.partition("=")
    if key not in RunConfig.model_fields:
        raise ConfigError(unknown("key", key, RunConfig.model_fields))
    if key in PLACES:
        raise ConfigError(f"{key} is no matter of what is computed: sweep over another key")
    if any(word.startswith("resume=") for word in words):
        raise ConfigError("a sweep goes on by itself: leave resume out")
    texts = listed.split("/" if "/" in listed else ",")
    if len(texts) < 2:
        raise ConfigError(
            f"{over} is one value, and a sweep takes two or more: as in beta=0.5,1,2 or, with "
            "commas within, encoder=400/400,200. Keys that are the same for all come after it"
        )
    given = [configure(recipe, [*words, f"{key}={text}"]) for text in texts]
    configs = {as_word(getattr(config, key)): config for config in given}
    if len(configs) < len(texts):
        raise ConfigError(f"{over} has a value twice: leave one of them out")
    return key, configs


def _measure(recipe: str, words: Sequence[str], folder: Path, content: dict[str, Any]) -> Measured:
    """Train one value, or the rest of it, and measure it."""
    going_on = (folder / run_state.FILE).exists()
    kept = [word for word in words if not word.startswith("out=")]
    try:
        outcome = run(recipe, [*kept, f"out={folder}", f"resume={as_word(going_on)}"])
    except TrainingDiverged as error:
        return Measured(config=content, diverged=str(error))
    figures = {figure.name: figure.value for figure in outcome.figures}
    return Measured(config=content, figures=figures, seconds=round(outcome.seconds, 2))


def _record(folder: Path, recipe: str, key: str) -> Record:
    """What the folder holds already; RunStateError where that is no record of this sweep."""
    path = folder / RECORD
    if not path.exists():
        return Record(recipe=recipe, key=key, values={})
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RunStateError(
            f"{path} cannot be read ({error.error_count()} faults): remove it; what was trained is "
            "then measured again"
        ) from error
    if (record.recipe, record.key) != (recipe, key):
        raise RunStateError(
            f"{path} is that of {record.recipe} over {record.key}: choose another out=FOLDER"
        )
    return record


def _write(record: Record, folder: Path) -> None:
    """In one move, so that a crash leaves the old or the new one whole."""
    partial = folder / f"{RECORD}.partial"
    partial.write_text(record.model_dump_json(indent=1), encoding="utf-8")
    partial.replace(folder / RECORD)


def _show(swept: Sweep, title: str) -> None:
    lines = [f"# {title}", "", table(swept), "", *conclusions(swept)]
    if swept.figures:
        sweep_pictures.draw(swept.key, swept.figures, swept.folder / PICTURE)
        lines += ["", f"![{title}]({PICTURE})"]
    (swept.folder / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(swept: Sweep) -> str:
    """The figures as Markdown that also reads well as it is: nats, and seconds of training."""
    rows = [[swept.key, *(title for title, _ in COLUMNS.values()), "seconds"]]
    rows += [[value, *_cells(found)] for value, found in swept.values.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, [f"{'-' * (width - 1)}:" for width in widths])
    lines = [map(str.rjust, row, widths) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(found: Measured) -> list[str]:
    if found.diverged:
        return ["diverged", *["–"] * len(COLUMNS)]
    figures = [f"{found.figures[name]:.{digits}f}" for name, (_, digits) in COLUMNS.items()]
    return [*figures, f"{found.seconds:.1f}"]


def conclusions(swept: Sweep) -> list[str]:
    """What to take from it: the best value and, of sizes of the latent, the one that suffices."""
    key, nll = swept.key, {value: found["nll"] for value, found in swept.figures.items()}
    if not nll:
        return []
    best = min(nll, key=nll.__getitem__)
    lines = [f"lowest NLL: {nll[best]:.2f} nats, with {key}={best}"]
    if key == "latent_dim":
        enough = min(int(value) for value in nll if nll[value] <= nll[best] + MARGIN)
        lines.append(f"the smallest within {MARGIN} nats of it: {key}={enough}")
    return lines
