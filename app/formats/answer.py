"""What a format is given to write."""

from dataclasses import dataclass

from torch import Tensor

from app.layout import Sheet


@dataclass(frozen=True)
class Answer:
    """Rows of one model and how to lay them out if they are drawn.

    `rows` is [N, C, H, W] in [0, 1] for images and [N, D] for vectors; `sheet` is None where the
    rows are not images.
    """

    model: str
    seeds: tuple[int, ...]
    rows: Tensor
    sheet: Sheet | None
