"""Fully connected networks of any widths, for images and vectors alike."""

import math
from itertools import pairwise

from torch import nn

from training.families.architecture import ACTIVATIONS, Architecture, Networks, Offset


def build(wanted: Architecture) -> Networks:
    """data → encoder widths → latent → decoder widths → the likelihood's parameters."""
    dimensions = math.prod(wanted.data_shape)
    encoder = nn.Sequential(
        nn.Flatten(),
        *_hidden((dimensions, *wanted.encoder), wanted.activation),
        nn.Linear((dimensions, *wanted.encoder)[-1], 2 * wanted.latent_dim),
    )
    decoder = nn.Sequential(
        *_hidden((wanted.latent_dim, *wanted.decoder), wanted.activation),
        nn.Linear((wanted.latent_dim, *wanted.decoder)[-1], wanted.start.numel(), bias=False),
        Offset(wanted.start),
    )
    return Networks(encoder, decoder)


def _hidden(widths: tuple[int, ...], activation: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return layers
