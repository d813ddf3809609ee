"""The map from the decoder's real numbers to the range of the data, and back."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["image", "vectors"]


class Sigmoid(nn.Sigmoid):
    """Onto (0, 1), where pixels live."""

    def inverse(self, value: Tensor) -> Tensor:
        """The logit, of values kept a little away from 0 and 1, where it would be infinite."""
        return torch.logit(value, eps=1e-3)


class Identity(nn.Identity):
    """Onto all real numbers, where vectors live."""

    def inverse(self, value: Tensor) -> Tensor:
        """The value itself."""
        return value


SQUASH: dict[Kind, type[Sigmoid | Identity]] = {"image": Sigmoid, "vectors": Identity}


def inverse(increasing: Callable[[Tensor], Tensor], value: Tensor, far: float) -> Tensor:
    """Where an increasing function without a closed inverse takes `value`, within ±`far`.

    By halving, each element for itself; as exact as float64.
    """
    low = torch.full_like(value, -far, dtype=torch.float64)
    high = -low
    for _ in range(60):
        middle = (low + high) / 2
        below = increasing(middle) < value
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return ((low + high) / 2).to(value.dtype)
