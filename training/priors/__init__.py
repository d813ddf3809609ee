"""The priors by name. A new one is a file beside this one and a line in `PRIORS`."""

from collections.abc import Callable

from training.priors.flow import CouplingFlow
from training.priors.normal import StandardNormal
from training.priors.prior import Prior, Setting
from training.priors.two_layers import TwoLayers
from training.priors.vamp import VampPrior

PRIORS: dict[str, Callable[[Setting], Prior]] = {
    "normal": lambda _: StandardNormal(),
    "flow": lambda setting: CouplingFlow(setting.latent_dim),
    "vamp": VampPrior,
    "two_layers": TwoLayers,
}

__all__ = ["PRIORS", "Prior", "Setting"]
