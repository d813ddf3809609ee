"""The picture of a sweep: what was found against the key's values. Knows figures by name only."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Values: a key's, as words, with the figures that were found for each.
Values = Mapping[str, Mapping[str, float]]
WIDE = 8  # from so many times the smallest value on, the axis is logarithmic
CLOSE = 0.03  # of the axes, for points to share a label


def draw(key: str, values: Values, path: Path) -> None:
    """A rate–distortion curve for β, NLL and active units for a latent's size, else the bounds."""
    values = _in_order(values)
    if key == "beta":
        figure = _rate_and_distortion(values)
    else:
        figure = _against(key, values, units=key == "latent_dim")
    figure.savefig(path, dpi=100)


def _in_order(values: Values) -> Values:
    """Numbers rising, words as they came."""
    if all(map(_is_number, values)):
        return dict(sorted(values.items(), key=lambda pair: float(pair[0])))
    return values


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _rate_and_distortion(values: Values) -> Figure:
    """Alemi et al., "Fixing a Broken ELBO" (ICML 2018), figure 1: what a nat of rate buys.

    On the dashed line −ELBO is as low as that of the best value; above it, it is higher.
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    rates = [found["rate"] for found in values.values()]
    distortions = [found["distortion"] for found in values.values()]
    axes.plot(rates, distortions, marker="o")
    axes.margins(0.15)
    axes.autoscale_view()
    axes.set_autoscale_on(False)  # the guide, which has no end, shall not widen it
    best = min(found["negative_elbo"] for found in values.values())
    guide = f"rate + distortion = {best:.2f}"
    axes.axline((rates[0], best - rates[0]), slope=-1, color="gray", linestyle="--", label=guide)
    for place, words in _labels(values).items():
        text = f"β = {', '.join(words)}"
        axes.annotate(text, place, xytext=(6, 6), textcoords="offset points")
    axes.set(xlabel="rate, nats a row", ylabel="distortion, nats a row")
    axes.legend()
    return figure


def _labels(values: Values) -> dict[tuple[float, float], list[str]]:
    """The values at each (rate, distortion): one place for neighbours too close to label apart, as
    those are whose latents are all switched off."""
    places = {value: (found["rate"], found["distortion"]) for value, found in values.items()}
    spans = [max(numbers) - min(numbers) for numbers in zip(*places.values(), strict=True)]
    labels: dict[tuple[float, float], list[str]] = {}
    for value, place in places.items():
        last = next(reversed(labels), None)
        if last is not None and all(
            abs(one - other) <= CLOSE * span
            for one, other, span in zip(place, last, spans, strict=True)
        ):
            labels[last].append(value)
        else:
            labels[place] = [value]
    return labels


def _against(key: str, values: Values, *, units: bool) -> Figure:
    """−ELBO and NLL above, active units below where they are wanted."""
    figure = Figure(figsize=(6, 6.5 if units else 4.5), layout="constrained")
    panels = figure.subplots(2 if units else 1, sharex=True, squeeze=False).flatten()
    for name, label in (("negative_elbo", "-ELBO"), ("nll", "NLL")):
        _line(panels[0], values, name, label)
    panels[0].set(ylabel="nats a row")
    panels[0].legend()
    if units:
        _line(panels[1], values, "active_units", "active units")
        panels[1].set(ylabel="active units", ylim=(0, None))
    panels[-1].set(xlabel=key)
    return figure


def _line(axes: Axes, values: Values, name: str, label: str) -> None:
    heights = [found[name] for found in values.values()]
    if not all(map(_is_number, values)):
        axes.plot(list(values), heights, marker="o", linestyle="none", label=label)
        return
    numbers = list(map(float, values))
    axes.plot(numbers, heights, marker="o", label=label)
    if min(numbers) > 0 and max(numbers) >= WIDE * min(numbers):
        axes.set_xscale("log")
    axes.set_xticks(numbers, list(values))
    axes.minorticks_off()
