"""Real-valued data: p(x | z) = Π N(xᵢ; μᵢ, σᵢ²), with σ given or learned.

Knows nothing of networks. The mean is squashed into the range of the data: [0, 1] for images,
anything for vectors.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.likelihoods.likelihood import Likelihood
from training.likelihoods.squash import SQUASH, Kind

HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
LEAST_LOG_SIGMA = -6.0


class Gaussian(Likelihood):
    """What the Gaussians share; they differ in where log σ comes from."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.squash = SQUASH[kind]()
        # Attributes, because TorchScript does not see a module's globals.
        self.half_log_2_pi = HALF_LOG_2_PI
        self.least_log_sigma = LEAST_LOG_SIGMA

    def log_sigma(self, parameters: Tensor) -> Tensor:
        """The logarithm of σ, of a shape that broadcasts to [N, *data_shape]."""
        raise NotImplementedError

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Σ log N(x; μ, σ²), a log-density in nats: → [N]."""
        log_sigma = self.log_sigma(parameters)
        standardized = (x - self.mean(parameters)) * torch.exp(-log_sigma)
        return -(0.5 * standardized.square() + log_sigma + self.half_log_2_pi).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """μ, in [0, 1] for images: → [N, *data_shape]."""
        mean: Tensor = self.squash(parameters[:, 0])
        return mean

    def start(self, average: Tensor) -> Tensor:
        """The average row as mean, and log σ = 0 where the decoder gives it: → [P, *data_shape]."""
        start = torch.zeros(self.parameters_per_dimension, *average.shape)
        start[0] = self.squash.inverse(average)
        return start


class FixedGaussian(Gaussian):
    """One standard deviation for all dimensions, given beforehand.

    With σ = 1 the distortion is half the squared error plus a constant; a small σ asks for sharper
    reconstructions, as a small β does.
    """

    def __init__(self, kind: Kind, sigma: float) -> None:
        super().__init__(kind)
        self.given: Tensor
        self.register_buffer("given", torch.tensor(math.log(sigma)))

    def log_sigma(self, parameters: Tensor) -> Tensor:  # noqa: ARG002
        """The given one: → []."""
        return self.given


class LearnedGaussian(Gaussian):
    """One standard deviation for all dimensions, learned with the weights.

    The σ-VAE of Rybkin, Daniilidis & Levine, "Simple and Effective VAE Training with Calibrated
    Decoders" (ICML 2021), section 3: it finds the balance of rate and distortion for which β would
    otherwise be searched. log σ is kept above −6 by a softplus, as in their reference code, so that
    a perfect reconstruction cannot drive the density to infinity.
    """

    def __init__(self, kind: Kind, sigma: float) -> None:
        super().__init__(kind)
        self.learned = nn.Parameter(torch.tensor(math.log(sigma)))

    def log_sigma(self, parameters: Tensor) -> Tensor:  # noqa: ARG002
        """The learned one: → []."""
        return self.least_log_sigma + functional.softplus(self.learned - self.least_log_sigma)


class GaussianPerDimension(Gaussian):
    """A standard deviation for each dimension of each row, given by the decoder beside the mean.

    Kingma & Welling 2014, appendix C.2. The most flexible and the least stable of the three: it
    can put its density on a few dimensions that are easy to predict.
    """

    parameters_per_dimension = 2

    def log_sigma(self, parameters: Tensor) -> Tensor:
        """The decoder's second number, kept above −6: → [N, *data_shape]."""
        return self.least_log_sigma + functional.softplus(parameters[:, 1] - self.least_log_sigma)
