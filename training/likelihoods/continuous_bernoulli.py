"""Grey pixels as any number in [0, 1]: the Bernoulli's cross-entropy, made a density.

Loaiza-Ganem & Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational
autoencoders" (NeurIPS 2019, arXiv:1907.06845). Knows nothing of networks.
"""

import torch
from torch import Tensor

from training.likelihoods.likelihood import Likelihood
from training.likelihoods.squash import inverse

# How far from 0 the η of a mean within [0.001, 0.999] may lie; it is ±1000 at the ends.
FAR = 2000.0


class ContinuousBernoulli(Likelihood):
    """p(x | z) = Π exp(η x) · η / (exp η − 1), η the decoder's number for the pixel."""

    support = "unit"

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Σ η·x − log((exp η − 1) / η), a log-density in nats: → [N]."""
        eta = parameters[:, 0]  # [N, *data_shape]
        return (x * eta - _log_normalizer(eta)).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """1 / (1 − exp(−η)) − 1 / η in [0, 1]: → [N, *data_shape]."""
        return _mean(parameters[:, 0])

    def start(self, average: Tensor) -> Tensor:
        """The η of the average pixel's mean, found by halving: → [1, *data_shape]."""
        return inverse(_mean, average.clamp(1e-3, 1 - 1e-3), FAR)[None]


# Below 0.01 both divide 0 by 0 sooner or later, and their series are closer than float32.


def _log_normalizer(eta: Tensor) -> Tensor:
    """log((exp η − 1) / η): η⁺ + log((1 − exp(−|η|)) / |η|)."""
    size = eta.abs()
    safe = size.clamp(min=1e-2)
    far = torch.log(-torch.expm1(-safe) / safe)
    near = size * (size / 24 - 0.5)
    return torch.relu(eta) + torch.where(size < 1e-2, near, far)


def _mean(eta: Tensor) -> Tensor:
    """The normalizer's derivative: 1 / (1 − exp(−|η|)) − 1 / |η|, mirrored for η < 0."""
    size = eta.abs()
    safe = size.clamp(min=1e-2)
    above = torch.where(size < 1e-2, 0.5 + size / 12, -1 / torch.expm1(-safe) - 1 / safe)
    return torch.where(eta < 0, 1 - above, above)
