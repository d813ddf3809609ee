"""The report of a run, one HTML file made of plain records; no model is needed for it."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from model_store import Figure
from training import charts, page, pictures
from training.collapse import advice, collapsed
from training.config import RunConfig, as_word
from training.datasets import Dataset
from training.page import Picture
from training.posteriors import Posteriors
from training.run_state import Record

FILE = "report.html"
FIRST = {"nll", "nll_bits", "negative_elbo", "rate", "distortion", "active_units"}
SAID = {"nll": "NLL", "nll_bits": "NLL", "negative_elbo": "-ELBO"}
CAPTIONS = {
    "samples": "Draws of the prior, decoded.",
    "reconstructions": "Test images, each row of them above its reconstructions.",
}


class Told(NamedTuple):
    """What is known of a run at its end."""

    recipe: str
    revision: str | None
    """The commit of the code; None outside git."""
    command: str
    """What runs it again, as one would type it."""
    config: RunConfig
    dataset: Dataset
    history: Sequence[Record]
    seconds: float
    """Of training steps."""
    figures: Sequence[Figure]
    posteriors: Posteriors
    """Of the test rows."""
    sheets: Mapping[str, Tensor]
    """Bytes [C, H, W] by name; none for vectors."""


def write(told: Told, folder: Path) -> None:
    """Put `report.html` into the folder of the run."""
    text = page.page(told.config.name, _parts(told))
    # A path may hold bytes that are no UTF-8, which no page can.
    (folder / FILE).write_bytes(text.encode("utf-8", "backslashreplace"))


def _parts(told: Told) -> Iterator[str]:
    yield page.paragraph(_summary(told), "soft")
    if collapsed(told.posteriors):
        yield page.paragraph(f"Warning: {advice(told.posteriors, told.config)}.", "warning")
    yield page.tiles(
        (_said(figure), f"{figure.value:.4g}", figure.unit)
        for figure in told.figures
        if figure.name in FIRST
    )
    if told.sheets:
        yield page.heading("What it draws and how it reconstructs")
        yield page.pictures(
            Picture(pictures.png(sheet), f"A sheet of {name}", CAPTIONS[name])
            for name, sheet in told.sheets.items()
        )
    yield page.heading("Training")
    yield page.pictures(_curves(told.history))
    yield page.heading("Latent space")
    yield page.pictures(_latent(told))
    yield page.heading("Figures")
    yield page.table(
        ("figure", "value", "unit", "how it was estimated"),
        [(_said(figure), figure.value, figure.unit, figure.estimator) for figure in told.figures],
    )
    yield page.heading("The run")
    yield page.command(told.command)
    yield page.facts(_facts(told))
    yield page.heading("Configuration")
    yield page.facts([(key, as_word(value)) for key, value in told.config], "long")


def _said(figure: Figure) -> str:
    return SAID.get(figure.name, figure.name.replace("_", " "))


def _summary(told: Told) -> str:
    config = told.config
    done = _epochs(told.history)[-1]["epoch"]
    return (
        f"A variational autoencoder of {told.dataset.name}: family {config.family}, "
        f"{config.latent_dim} latent dimensions, likelihood {config.likelihood}, prior "
        f"{config.prior}; recipe {told.recipe}, {done} epochs."
    )


def _curves(history: Sequence[Record]) -> Iterator[Picture]:
    last = _epochs(history)[-1]
    for name, of in charts.CURVES.items():
        caption = f"{of(last):.4g} nats a row in the last epoch of training."
        yield Picture(charts.svg(charts.curve(name, history)), f"Chart of the {name}", caption)
    chart = charts.curve("learning rate", history)
    yield Picture(
        charts.svg(chart), "Chart of the learning rate", "Of the last step of each epoch."
    )


def _epochs(history: Sequence[Record]) -> list[Record]:
    return [line for line in history if line["event"] == "epoch"]


def _latent(told: Told) -> Iterator[Picture]:
    found = told.posteriors
    rates, active = found.rates, found.active
    caption = (
        f"What each dimension tells about a test row: KL {found.measured_against}, from the "
        f"largest, {float(rates.max()):.3g} nats, to the smallest, {float(rates.min()):.2g}. "
        f"{int(active.sum())} of {len(rates)} are active."
    )
    yield Picture(charts.svg(charts.rates(rates, active)), "Bars of the dimensions' rates", caption)
    if len(rates) > 1:
        points, names = plane(found.mean)
        means = "posterior means" if len(rates) == 2 else "posterior means' principal components"
        coloured = "" if told.dataset.test_labels is None else ", coloured by class"
        caption = f"Where the {len(points)} test rows lie: their {means}{coloured}."
        chart = charts.plane(points, names, told.dataset.test_labels)
        yield Picture(charts.svg(chart), "Map of the latent space", caption)


def plane(mean: Tensor) -> tuple[Tensor, tuple[str, str]]:
    """Posterior means [N, D] in two dimensions, [N, 2], and the names of these.

    The two themselves where there are two, else the first two principal components, with their
    shares of the variance.
    """
    if mean.shape[1] == 2:
        return mean, ("z₀", "z₁")
    centred = mean - mean.mean(0)
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(mean))  # ascending
    share = 100 * variances / variances.sum().clamp(min=1e-12)
    names = (
        f"first component ({float(share[-1]):.0f} %)",
        f"second component ({float(share[-2]):.0f} %)",
    )
    return centred @ directions[:, [-1, -2]], names


def _facts(told: Told) -> Iterator[tuple[str, str]]:
    dataset = told.dataset
    shape = " × ".join(str(size) for size in dataset.shape)
    yield "data", f"{dataset.name}, {dataset.kind} of {shape}"
    yield "rows", f"{len(dataset.train)} to train on, {len(dataset.test)} to test on"
    yield "SHA-256 of all rows", dataset.digest()
    yield "seed", str(told.config.seed)
    yield "time of training", _duration(told.seconds)
    yield "code", told.revision or "not in a git checkout"
    yield "torch", torch.__version__
    yield "Python", platform.python_version()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
