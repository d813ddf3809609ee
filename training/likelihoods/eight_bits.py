"""What likelihoods of 8-bit pixels share."""

import torch
from torch import Tensor

from training.likelihoods.likelihood import Likelihood


class EightBits(Likelihood):
    """Pixels are one of the 256 levels k / 255: bits per dimension are those of a lossless code."""

    support = "levels"

    def observe(self, x: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """The nearest levels; those of 8-bit files are theirs already."""
        return torch.round(x * 255) / 255

    def observe_once(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The same: nothing is drawn."""
        return self.observe(x, generator)
