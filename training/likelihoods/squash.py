"""The map from the decoder's real numbers to the range of the data, and back."""

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
