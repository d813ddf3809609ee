"""Charts of a run: how it went, what each number of the latent tells, where the rows lie.

Knows numbers only: log lines, rates, points and their classes.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType
from torch import Tensor

from training.run_state import Record

# Told apart by the colour-blind as well: Okabe & Ito, "Color Universal Design" (2008).
BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#a0a0a0"
NAMED = 32  # bars that have room for the names of their dimensions
MOST_CLASSES = 20  # that colours can tell apart

CURVES: dict[str, Callable[[Record], float]] = {
    "-ELBO": lambda line: float(line["rate"]) + float(line["distortion"]),
    "rate": lambda line: float(line["rate"]),
    "distortion": lambda line: float(line["distortion"]),
}


def curves(history: Sequence[Record]) -> Figure:
    """-ELBO, rate and distortion in training and on test rows, and the learning rate."""
    figure = Figure(figsize=(8, 5.6))
    # Margins that fit; to have them found takes as long again as to draw, at every evaluation.
    room = {"left": 0.1, "right": 0.98, "bottom": 0.09, "top": 0.95, "wspace": 0.26, "hspace": 0.4}
    names = [*CURVES, "learning rate"]
    for axes, name in zip(figure.subplots(2, 2, gridspec_kw=room).flat, names, strict=True):
        _curve(axes, name, history)
    return figure


def curve(name: str, history: Sequence[Record]) -> Figure:
    """One of them."""
    figure = Figure(figsize=(4.8, 3.0))
    room = {"left": 0.16, "right": 0.97, "bottom": 0.16, "top": 0.91}
    _curve(figure.subplots(gridspec_kw=room), name, history)
    return figure


def _curve(axes: Axes, name: str, history: Sequence[Record]) -> None:
    epochs = [line for line in history if line["event"] == "epoch"]
    tests = [line for line in history if line["event"] == "evaluation"]
    at = [float(line["epoch"]) for line in epochs]
    if name in CURVES:
        of = CURVES[name]
        axes.plot(at, [of(line) for line in epochs], color=BLUE, label="training")
        at = [float(line["epoch"]) for line in tests]
        test = [of(line) for line in tests]
        axes.plot(at, test, color=VERMILION, marker="o", markersize=3, label="test")
        axes.legend(frameon=False)
        axes.set_ylabel("nats a row")
    else:
        axes.plot(at, [float(line["learning_rate"]) for line in epochs], color=BLUE)
        axes.ticklabel_format(axis="y", scilimits=(-2, 3))
    axes.set(title=name, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)


def rates(nats: Tensor, active: Tensor) -> Figure:
    """The rates [D] of the dimensions from the largest to the smallest; [D] bool says which are
    active."""
    order = torch.argsort(nats, descending=True)
    figure, axes = _blank(4.8, 3.6)
    places = range(len(order))
    colours = [BLUE if on else GREY for on in active[order].tolist()]
    axes.bar(places, nats[order].tolist(), color=colours, width=0.8)
    if len(order) <= NAMED:
        names = [str(number) for number in order.tolist()]
        axes.set_xticks(places, names, fontsize="x-small", rotation=0 if len(order) < 20 else 90)
    else:
        axes.set_xticks([])
    axes.set(xlabel="dimension of the latent", ylabel="nats a row")
    kinds = [Patch(color=BLUE, label="active"), Patch(color=GREY, label="not active")]
    figure.legend(handles=kinds, loc="outside upper right", ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plane(points: Tensor, names: tuple[str, str], labels: Tensor | None) -> Figure:
    """Points [N, 2] with the names of the axes, coloured by labels [N] where there are some."""
    figure, axes = _blank(4.8, 3.6)
    classes = sorted(set([] if labels is None else labels.tolist()))
    size = max(1.5, min(16.0, 20_000 / len(points)))
    if labels is None:
        _cloud(axes, points, size, BLUE)
    elif len(classes) > MOST_CLASSES:
        figure.colorbar(_cloud(axes, points, size, labels.tolist()), label="label")
    else:
        palette = colormaps["tab10" if len(classes) <= 10 else "tab20"]
        for number, name in enumerate(classes):
            _cloud(axes, points[labels == name], size, to_hex(palette(number)), str(name))
        figure.legend(loc="outside right center", frameon=False, markerscale=(40 / size) ** 0.5)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _cloud(
    axes: Axes, points: Tensor, size: float, colour: ColorType | list[int], label: str = ""
) -> PathCollection:
    x, y = points.T.tolist()
    # As pixels: ten thousand shapes would be a megabyte.
    cloud = axes.scatter(x, y, s=size, c=colour, label=label, linewidths=0, alpha=0.7)
    cloud.set_rasterized(True)
    return cloud


def _blank(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of that many inches with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def write(figure: Figure, path: Path) -> None:
    """As a PNG."""
    figure.savefig(path, dpi=100)


def svg(figure: Figure) -> bytes:
    """As an SVG without a background."""
    content = BytesIO()
    figure.savefig(content, format="svg", transparent=True, dpi=200, metadata={"Date": None})
    return content.getvalue()
