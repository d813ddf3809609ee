"""The likelihoods by name. A new one is a file beside this one and a line in `LIKELIHOODS`."""

from collections.abc import Callable

from training.likelihoods.bernoulli import Bernoulli, GreyBernoulli
from training.likelihoods.beta_binomial import BetaBinomial
from training.likelihoods.continuous_bernoulli import ContinuousBernoulli
from training.likelihoods.gaussian import FixedGaussian, GaussianPerDimension, LearnedGaussian
from training.likelihoods.likelihood import DISCRETE, Likelihood
from training.likelihoods.logistic_mixture import LogisticMixture
from training.likelihoods.squash import Kind

LIKELIHOODS: dict[str, Callable[[Kind, float], Likelihood]] = {
    # (kind of data, sigma to start from) → likelihood
    "bernoulli": lambda kind, _: Bernoulli(kind),
    "bernoulli_grey": lambda kind, _: GreyBernoulli(kind),
    "beta_binomial": lambda kind, _: BetaBinomial(kind),
    "continuous_bernoulli": lambda kind, _: ContinuousBernoulli(kind),
    "gaussian": FixedGaussian,
    "gaussian_learned": LearnedGaussian,
    "gaussian_per_dimension": lambda kind, _: GaussianPerDimension(kind),
    "logistic_mixture": lambda kind, _: LogisticMixture(kind),
}

__all__ = ["DISCRETE", "LIKELIHOODS", "Kind", "Likelihood"]
