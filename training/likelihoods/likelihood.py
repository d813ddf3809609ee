"""What a likelihood p(x | z) must be able to do; it knows tensors, not networks or configurations.

`log_prob` and `mean` go into the checkpoint, so they keep to what TorchScript understands.
"""

import torch
from torch import Tensor, nn


class Likelihood(nn.Module):
    """The distribution of a data row given the decoder's numbers for it."""

    parameters_per_dimension: int = 1
    """How many numbers the decoder gives for each dimension of a row."""

    discrete: bool = False
    """Whether `log_prob` is the logarithm of a probability, so that bits per dimension mean
    something; otherwise it is a density's and depends on the data's units."""

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """log p(x | z) in nats, summed over the data dimensions.

        `parameters` [N, P, *data_shape], `x` [N, *data_shape] → [N].
        """
        raise NotImplementedError

    def mean(self, parameters: Tensor) -> Tensor:
        """E[x | z]: `parameters` [N, P, *data_shape] → [N, *data_shape]."""
        raise NotImplementedError

    def start(self, average: Tensor) -> Tensor:
        """The parameters that describe the average row alone: [*data_shape] → [P, *data_shape].

        Where training sets out from.
        """
        raise NotImplementedError

    def observe(self, x: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Rows as a training step sees them: here, as they are."""
        return x

    def observe_once(self, x: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Rows as an evaluation sees them: values for which `log_prob` is exact."""
        return x
