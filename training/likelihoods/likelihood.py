"""What a likelihood p(x | z) must be able to do; it knows tensors, not networks or configurations.

`log_prob` and `mean` go into the checkpoint, so they keep to what TorchScript understands.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from training.errors import ConfigError
from training.likelihoods.squash import Kind

Support = Literal["binary", "levels", "unit", "real"]
DISCRETE: tuple[Support, ...] = ("binary", "levels")
"""Where `log_prob` is the logarithm of a probability, so that bits per dimension mean something;
elsewhere it is a density's and depends on the data's units."""


class Likelihood(nn.Module):
    """The distribution of a data row given the decoder's numbers for it."""

    parameters_per_dimension: int = 1
    """How many numbers the decoder gives for each dimension of a row."""

    support: Support = "real"
    """The values that it gives probability to: 0 and 1; the 256 levels k / 255 of 8 bits; all of
    [0, 1]; all real numbers. Vectors have the last alone."""

    def __init__(self, kind: Kind) -> None:
        """Raises ConfigError where rows of that kind have other values."""
        super().__init__()
        if kind == "vectors" and self.support != "real":
            raise ConfigError(
                f"{type(self).__name__} describes pixels in [0, 1], and these rows are vectors: "
                "choose likelihood=gaussian_learned or likelihood=gaussian"
            )

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """log p(x | z) in nats, summed over the data dimensions.

        `parameters` [N, P, *data_shape], `x` [N, *data_shape] → [N].
        """
        raise NotImplementedError

    def mean(self, parameters: Tensor) -> Tensor:
        """E[x | z]: `parameters` [N, P, *data_shape] → [N, *data_shape]."""
        raise NotImplementedError

    def level_probabilities(self, parameters: Tensor) -> Tensor:
        """Where the support is levels: each one's probability, [N, P, *data_shape] → [N,
        *data_shape, 256].
        """
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
