"""The families of networks by name. A new one is a file here and a line in `FAMILIES`."""

from collections.abc import Callable

from training.families import convolutional, mlp, residual, two_layers
from training.families.architecture import ACTIVATIONS, Architecture, Networks

FAMILIES: dict[str, Callable[[Architecture], Networks]] = {
    "mlp": mlp.build,
    "convolutional": convolutional.build,
    "residual": residual.build,
    "two_layers": two_layers.build,
}

__all__ = ["ACTIVATIONS", "FAMILIES", "Architecture", "Networks"]
