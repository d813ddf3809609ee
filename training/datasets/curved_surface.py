"""Rows of numbers near a curved two-dimensional surface in a space of 100 dimensions; no download.

A stand-in for sensor readings or other tables: two hidden causes move a hundred columns.
"""

import torch

from training.datasets.dataset import Dataset, Request
from training.streams import stream

COLUMNS = 100
CAUSES = 2
FEATURES = 16
NOISE = 0.1
TRAIN_ROWS = 8000
TEST_ROWS = 1000


def load(request: Request) -> Dataset:  # noqa: ARG001 (always the same rows)
    """x = tanh(c A + b) B + 0.1 ε, with c of two and ε of a hundred standard normal numbers."""
    fixed = stream(0, "curved surface", 0)
    rows = TRAIN_ROWS + TEST_ROWS
    causes = torch.randn(rows, CAUSES, generator=fixed)
    features = torch.tanh(
        causes @ torch.randn(CAUSES, FEATURES, generator=fixed)
        + torch.randn(FEATURES, generator=fixed)
    )
    # Divided by √16, so that a column's spread is about one.
    surface = features @ torch.randn(FEATURES, COLUMNS, generator=fixed) / FEATURES**0.5
    x = surface + NOISE * torch.randn(rows, COLUMNS, generator=fixed)  # [N, 100]
    train, test = x[:TRAIN_ROWS], x[TRAIN_ROWS:]
    return Dataset(name="curved surface", kind="vectors", train=train, test=test)
