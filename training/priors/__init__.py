"""The priors by name. A new one is a file beside this one and a line in `PRIORS`."""

from collections.abc import Callable

from training.priors.flow import CouplingFlow
from training.priors.normal import StandardNormal
from training.priors.prior import Prior

PRIORS: dict[str, Callable[[int], Prior]] = {
    # latent_dim → prior
    "normal": lambda _: StandardNormal(),
    "flow": CouplingFlow,
}

__all__ = ["PRIORS", "Prior"]
