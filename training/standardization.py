"""The units that networks see data in. Models take, give and are measured in the data's own.

Goes into the checkpoint, so it keeps to what TorchScript understands.
"""

import torch
from torch import Tensor, nn


class AsTheyAre(nn.Module):
    """For images, which lie in [0, 1] by contract."""

    def standardize(self, x: Tensor) -> Tensor:
        """Rows as the networks see them: → [N, *data_shape]."""
        return x

    def restore(self, x: Tensor) -> Tensor:
        """Rows in the data's units again: → [N, *data_shape]."""
        return x

    def log_density(self, log_prob: Tensor) -> Tensor:
        """log p of rows in the data's units, from that of the standardized ones: [N] → [N]."""
        return log_prob


class Standardized(AsTheyAre):
    """For vectors: each column less its mean, over its standard deviation."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        """Both [D]; no deviation may be 0."""
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", deviation.float())

    def standardize(self, x: Tensor) -> Tensor:
        """See AsTheyAre."""
        return (x - self.mean) / self.deviation

    def restore(self, x: Tensor) -> Tensor:
        """See AsTheyAre."""
        return x * self.deviation + self.mean

    def log_density(self, log_prob: Tensor) -> Tensor:
        """Less Σ log deviation: a density falls as its space is stretched."""
        return log_prob - torch.log(self.deviation).sum()
