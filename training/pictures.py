"""Pictures of a run for people: contact sheets and loss curves.

Knows tensors and log lines only.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from training.run_state import Record

COLUMNS = 8
GAP = 1  # pixels between images, before enlarging
SHEET_WIDTH = 512  # pixels, about


def contact_sheet(images: Tensor, path: Path) -> None:
    """Images [N, C, H, W] in [0, 1], C being 1 or 3, row by row as an enlarged PNG."""
    count, channels, height, width = images.shape
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    sheet = torch.full((channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), 0.5)
    for index, image in enumerate(images.cpu()):
        top = GAP + (index // columns) * (height + GAP)
        left = GAP + (index % columns) * (width + GAP)
        sheet[:, top : top + height, left : left + width] = image
    # A grey sheet is [1, H, W] and a coloured one [3, H, W]; Pillow wants [H, W] or [H, W, 3].
    pixels = (sheet * 255).round().byte().movedim(0, 2).squeeze(2).numpy()
    scale = max(1, round(SHEET_WIDTH / pixels.shape[1]))
    size = (pixels.shape[1] * scale, pixels.shape[0] * scale)
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path)


def originals_over_reconstructions(originals: Tensor, reconstructions: Tensor) -> Tensor:
    """The two interleaved so that a contact sheet shows each row of originals above its own."""
    pairs = zip(torch.split(originals, COLUMNS), torch.split(reconstructions, COLUMNS), strict=True)
    return torch.cat([rows for pair in pairs for rows in pair])


def loss_curves(history: Sequence[Record], path: Path) -> None:
    """Training and test −ELBO, rate and distortion against epochs."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for event, axes_label in (("epoch", "training"), ("evaluation", "test")):
        lines = [line for line in history if line["event"] == event]
        epochs = [float(line["epoch"]) for line in lines]
        marker = "o" if event == "evaluation" else None
        left.plot(
            epochs,
            [float(line["rate"]) + float(line["distortion"]) for line in lines],
            marker=marker,
            markersize=3,
            label=axes_label,
        )
        if event == "epoch":
            right.plot(epochs, [float(line["rate"]) for line in lines], label="rate")
            right.plot(epochs, [float(line["distortion"]) for line in lines], label="distortion")
    for axes, title in ((left, "-ELBO"), (right, "rate and distortion, training")):
        axes.set(title=title, xlabel="epoch", ylabel="nats a row")
        axes.legend()
    figure.savefig(path, dpi=100)
