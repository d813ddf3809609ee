"""Strided convolutions down to a small map and transposed ones back, for images of any size."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from training.errors import ConfigError
from training.families.architecture import ACTIVATIONS, Architecture, Networks, Offset

Size = tuple[int, int]
Refine = Callable[[int, str], nn.Module]
"""Channels and activation → a layer that keeps a map's shape."""


def build(wanted: Architecture, kernel: int = 3, refine: Refine | None = None) -> Networks:
    """A convolution for each width, which halves (or doubles) the map, and one linear layer.

    `kernel` is odd. `refine` makes a layer for the map of each width, before its activation.
    """
    if len(wanted.data_shape) != 3:
        raise ConfigError(
            f"a family of convolutions wants images, and these rows have shape "
            f"{list(wanted.data_shape)}: choose family=mlp"
        )
    channels, height, width = wanted.data_shape
    down = (channels, *wanted.encoder)
    up = (*wanted.decoder, wanted.start.shape[0] * channels)
    narrow = (down[-1], *_sizes((height, width), len(wanted.encoder))[-1])
    # The decoder starts from the map that as many halvings as it has layers would have left.
    sizes = _sizes((height, width), len(wanted.decoder))[::-1]
    seed = (up[0], *sizes[0])

    def meeting(channels: int) -> list[nn.Module]:
        refined = [refine(channels, wanted.activation)] if refine else []
        return [*refined, ACTIVATIONS[wanted.activation]()]

    encoder = nn.Sequential(
        *[layer for pair in pairwise(down) for layer in (_halve(*pair, kernel), *meeting(pair[1]))],
        nn.Flatten(),
        nn.Linear(math.prod(narrow), 2 * wanted.latent_dim),
    )
    steps = zip(pairwise(up), pairwise(sizes), strict=True)
    decoder = nn.Sequential(
        nn.Linear(wanted.latent_dim, math.prod(seed)),
        nn.Unflatten(1, seed),
        *[
            layer
            for (inputs, outputs), pair in steps
            for layer in (*meeting(inputs), _double(inputs, outputs, kernel, pair))
        ],
        Offset(wanted.start),
    )
    # The channels of a pixel side by side: a CPU's convolutions are up to twice as fast.
    beside = torch.channels_last
    for network in (encoder, decoder):
        network.to(memory_format=beside)  # type: ignore[call-overload]  # torch does not declare it
    return Networks(encoder, decoder)


def _sizes(size: Size, halvings: int) -> list[Size]:
    """Height and width at the outset and after each halving, odd sizes rounded up."""
    sizes = [size]
    for _ in range(halvings):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def _halve(inputs: int, outputs: int, kernel: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2)


def _double(inputs: int, outputs: int, kernel: int, sizes: tuple[Size, Size]) -> nn.Module:
    (height, width), large = sizes
    # An odd size was rounded up on the way down; this brings back exactly that size.
    more = (large[0] - 2 * height + 1, large[1] - 2 * width + 1)
    return nn.ConvTranspose2d(
        inputs, outputs, kernel, stride=2, padding=kernel // 2, output_padding=more
    )
