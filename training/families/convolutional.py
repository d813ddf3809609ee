"""Strided convolutions down to a small map and transposed ones back, for images of any size."""

import math
from itertools import pairwise

from torch import nn

from training.errors import ConfigError
from training.families.architecture import ACTIVATIONS, Architecture, Networks, Offset

Size = tuple[int, int]


def build(wanted: Architecture) -> Networks:
    """A convolution for each width, which halves (or doubles) the map, and one linear layer."""
    if len(wanted.data_shape) != 3:
        raise ConfigError(
            f"family=convolutional wants images, and these rows have shape "
            f"{list(wanted.data_shape)}: choose family=mlp"
        )
    channels, height, width = wanted.data_shape
    down = (channels, *wanted.encoder)
    up = (*wanted.decoder, wanted.start.shape[0] * channels)
    narrow = (down[-1], *_sizes((height, width), len(wanted.encoder))[-1])
    # The decoder starts from the map that as many halvings as it has layers would have left.
    sizes = _sizes((height, width), len(wanted.decoder))[::-1]
    seed = (up[0], *sizes[0])
    encoder = nn.Sequential(
        *_down(down, wanted.activation),
        nn.Flatten(),
        nn.Linear(math.prod(narrow), 2 * wanted.latent_dim),
    )
    decoder = nn.Sequential(
        nn.Linear(wanted.latent_dim, math.prod(seed)),
        nn.Unflatten(1, seed),
        *_up(up, sizes, wanted.activation),
        Offset(wanted.start),
    )
    return Networks(encoder, decoder)


def _sizes(size: Size, halvings: int) -> list[Size]:
    """Height and width at the outset and after each halving, odd sizes rounded up."""
    sizes = [size]
    for _ in range(halvings):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def _down(channels: tuple[int, ...], activation: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1),
            ACTIVATIONS[activation](),
        ]
    return layers


def _up(channels: tuple[int, ...], sizes: list[Size], activation: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for (inputs, outputs), (small, large) in zip(pairwise(channels), pairwise(sizes), strict=True):
        # An odd size was rounded up on the way down; this brings back exactly that size.
        padding = (large[0] - 2 * small[0] + 1, large[1] - 2 * small[1] + 1)
        layers += [
            ACTIVATIONS[activation](),
            nn.ConvTranspose2d(
                inputs, outputs, kernel_size=3, stride=2, padding=1, output_padding=padding
            ),
        ]
    return layers
