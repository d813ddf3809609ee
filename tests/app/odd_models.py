"""Models that show what small ordinary ones do not: large rows, rows that fail, two channels."""

from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from model_store import DataSpec, ModelId
from tests.factories import IMAGE_RANGE, Kind, draft_of, publish_module

# Beyond it, either way, the second latent of Cliff has no finite row.
EDGE = 3.5


class Straight(nn.Module):
    """Rows of any shape to 2 latents and back, by matrices."""

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        self.shape = [-1, *data.shape]
        self.posterior = nn.Linear(prod(data.shape), 4)
        self.row = nn.Linear(2, prod(data.shape))

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.posterior(x.flatten(1)).chunk(2, 1)
        return mean, log_var

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.row(z)).reshape(self.shape)


class Cliff(Straight):
    """The same, whose rows are infinite where the second latent lies beyond EDGE."""

    def __init__(self, data: DataSpec) -> None:
        super().__init__(data)
        self.edge = EDGE

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        beyond = torch.where(z[:, 1:].abs() > self.edge, torch.inf, 0.0)
        return (torch.sigmoid(self.row(z)) + beyond).reshape(self.shape)


def images(*shape: int) -> DataSpec:
    """Images of [C, H, W]."""
    return DataSpec(kind="image", shape=shape, value_range=IMAGE_RANGE)


def publish_odd(store: Path, name: str, data: DataSpec, kind: type[Straight] = Straight) -> ModelId:
    """Publish one with random but fixed weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = kind(data).eval()
    return publish_module(store, draft_of(name, Kind(kind, data, (2,)), module), module)
