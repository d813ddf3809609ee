"""Strided convolutions with blocks between them that add to what they are given.

He et al., "Identity Mappings in Deep Residual Networks" (ECCV 2016): activations come before
convolutions, so that nothing stands on the way past a block.
"""

import torch
from torch import Tensor, nn

from training.families import convolutional
from training.families.architecture import ACTIVATIONS, Architecture, Networks

# A block begins close to the identity; that makes normalization layers unnecessary (Zhang, Dauphin
# & Ma, "Fixup Initialization", ICLR 2019), which would let the rows of a batch see each other.
QUIET = 0.1


def build(wanted: Architecture) -> Networks:
    """As `convolutional`, with wider kernels where the map is halved or doubled, and a block at
    each width."""
    return convolutional.build(wanted, kernel=5, refine=_Block)


class _Block(nn.Module):
    """A map [N, C, h, w] and what two convolutions have to add to it."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        with torch.no_grad():
            last.weight.mul_(QUIET)
        self.added = nn.Sequential(
            ACTIVATIONS[activation](),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            ACTIVATIONS[activation](),
            last,
        )

    def forward(self, given: Tensor) -> Tensor:
        """→ [N, C, h, w]."""
        added: Tensor = self.added(given)
        return given + added
