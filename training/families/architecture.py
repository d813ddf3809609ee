"""What a family of networks is asked for, what it gives back, and what families share."""

from typing import NamedTuple

from torch import Tensor, nn


class Architecture(NamedTuple):
    """The sizes of an encoder and a decoder that fit together."""

    latent_dim: int
    encoder: tuple[int, ...]
    """Widths of the hidden layers from the data to the latent."""
    decoder: tuple[int, ...]
    """Widths of the hidden layers from the latent to the data."""
    activation: str
    start: Tensor
    """[P, *data_shape]: the likelihood's parameters from which training sets out."""

    @property
    def data_shape(self) -> tuple[int, ...]:
        """[C, H, W] of an image or [D] of a vector."""
        return tuple(self.start.shape[1:])


class Networks(NamedTuple):
    """An encoder [N, *data_shape] → [N, 2 · latent_dim] (posterior mean, then log-variance) and a
    decoder [N, latent_dim] → [N, P, *data_shape] (the likelihood's parameters)."""

    encoder: nn.Module
    decoder: nn.Module


class Offset(nn.Module):
    """The last layer of a decoder: a learned bias for every parameter of every dimension.

    It starts at the parameters that describe the average row, so that the first epochs are not
    spent on learning what the average looks like.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.offset = nn.Parameter(start.clone())

    def forward(self, deviation: Tensor) -> Tensor:
        """Bring the network's numbers to the offset's shape and add it: → [N, P, *data_shape]."""
        shape = [deviation.shape[0]] + list(self.offset.shape)  # noqa: RUF005 (TorchScript)
        return deviation.reshape(shape) + self.offset


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}
