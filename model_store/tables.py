"""Manifests as text for a terminal: the table of all, and the facts of one. Prints nothing."""

from collections.abc import Iterable, Sequence

from model_store.manifest import Figure, Manifest

_COLUMNS = ("name", "version", "data", "latent", "likelihood", "size", "created", "figures")


def overview(manifests: Iterable[Manifest]) -> str:
    """One line a version under a head line, columns aligned."""
    rows = [_COLUMNS, *(_row(manifest) for manifest in manifests)]
    return "\n".join(_aligned(rows))


def facts(manifest: Manifest) -> str:
    """Everything a manifest says but the numbers of its probe, one fact a line."""
    training = manifest.training
    lines = [
        ("model", str(manifest.model)),
        ("created", f"{manifest.created:%Y-%m-%d %H:%M:%S %Z}"),
        ("family", manifest.family),
        ("likelihood", manifest.likelihood),
        ("data", f"{manifest.data.kind} {_shape(manifest.data.shape)}{_range(manifest)}"),
        *([("columns", ", ".join(manifest.data.columns))] if manifest.data.columns else []),
        ("latent", _shape(manifest.latent_shape)),
        ("exports", " ".join(manifest.exports)),
        *((figure.name, f"{_figure(figure)} ({figure.estimator})") for figure in manifest.figures),
        *_scores(manifest),
        *([("directions", ", ".join(manifest.directions))] if manifest.directions else []),
        ("dataset", f"{training.dataset} (SHA-256 {training.dataset_sha256})"),
        ("recipe", f"{training.recipe}, seed {training.seed}, {training.epochs} epochs"),
        ("revision", training.git_revision or "unknown"),
        *((f"  {key}", str(value)) for key, value in training.config.items()),
        ("file", f"{_bytes(manifest.file.size)} (SHA-256 {manifest.file.sha256})"),
        ("format", f"{manifest.format}, written by torch {manifest.torch}"),
        ("probe", f"{manifest.probe.x.shape[0]} rows, tolerance {manifest.probe.tolerance:g}"),
    ]
    return "\n".join(_aligned(lines))


def _row(manifest: Manifest) -> Sequence[str]:
    return (
        manifest.name,
        str(manifest.version),
        _shape(manifest.data.shape),
        _shape(manifest.latent_shape),
        manifest.likelihood,
        _bytes(manifest.file.size),
        f"{manifest.created:%Y-%m-%d %H:%M}",
        # Their units and estimators are among the facts: this is the widest column.
        ", ".join(f"{figure.name} {figure.value:.4g}" for figure in manifest.figures) or "-",
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)


def _range(manifest: Manifest) -> str:
    bounds = manifest.data.value_range
    return "" if bounds is None else f" in [{bounds[0]:g}, {bounds[1]:g}]"


def _scores(manifest: Manifest) -> list[tuple[str, str]]:
    scores = manifest.scores
    if scores is None:
        return []
    least, median, most = (f"{scores.quantiles[percent]:.5g}" for percent in (0, 50, 100))
    how = f"{scores.draws} posterior draws a row, {scores.rows} training rows, seed {scores.seed}"
    return [("scores", f"{least} to {most} nats, half of them up to {median} ({how})")]


def _figure(figure: Figure) -> str:
    return f"{figure.value:.5g} {figure.unit}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
