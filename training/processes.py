"""The processes that train one model together, as `torchrun` starts them; alone without it.

Each takes its share of every batch and the gradients are averaged: torch.distributed and its
DistributedDataParallel, which come with torch and leave the loop, the run state and its bit-exact
resumption as they are for one process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.errors import ConfigError


class Team(NamedTuple):
    """This process among those that train together."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether it is the one that speaks, evaluates, saves and publishes."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """Its rows of a batch; ConfigError where they cannot be dealt out evenly."""
        if rows % self.size:
            raise ConfigError(
                f"a batch of {rows} rows cannot be shared evenly by {self.size} processes: choose "
                f"a batch_size that is a multiple of {self.size} and no larger than the data"
            )
        return slice(self.rank, None, self.size)

    def mean(self, numbers: Tensor) -> Tensor:
        """The mean of everybody's numbers, the same for all."""
        if self.size > 1:
            dist.all_reduce(numbers)
            numbers /= self.size
        return numbers

    def any(self, *, mine: bool) -> bool:
        """Whether it is so for one of them; the same answer for all."""
        return bool(self.mean(torch.tensor(float(mine))) > 0) if self.size > 1 else mine

    def together(self, module: nn.Module) -> nn.Module:
        """The module, with gradients that are the mean of everybody's."""
        return nn.parallel.DistributedDataParallel(module) if self.size > 1 else module


ALONE = Team()


@contextmanager
def joined() -> Iterator[Team]:
    """The team that `torchrun` started this process in; alone where nobody did."""
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(dist.get_node_local_rank())
    dist.init_process_group()
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
