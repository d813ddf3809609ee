"""The likelihoods by name. A new one is a file beside this one and a line in `LIKELIHOODS`."""

from collections.abc import Callable

from training.likelihoods.bernoulli import Bernoulli, GreyBernoulli
from training.likelihoods.gaussian import FixedGaussian, GaussianPerDimension, LearnedGaussian
from training.likelihoods.likelihood import Likelihood
from training.likelihoods.squash import Kind

LIKELIHOODS: dict[str, Callable[[Kind, float], Likelihood]] = {
    # (kind of data, sigma to start from) → likelihood
    "bernoulli": lambda kind, _: Bernoulli(kind),
    "bernoulli_grey": lambda kind, _: GreyBernoulli(kind),
    "gaussian": FixedGaussian,
    "gaussian_learned": LearnedGaussian,
    "gaussian_per_dimension": lambda kind, _: GaussianPerDimension(kind),
}

__all__ = ["LIKELIHOODS", "Kind", "Likelihood"]
