"""Black-or-white pixels: p(x | z) = Π Bernoulli(xᵢ; sigmoid(logitᵢ)). Knows nothing of networks."""

import torch
from torch import Tensor
from torch.nn import functional

from training.likelihoods.likelihood import Likelihood


class Bernoulli(Likelihood):
    """Each pixel is one with the probability whose logit the decoder gives.

    Grey values become black or white anew at each training step, each pixel being one with
    probability equal to its value (dynamic binarization; Salakhutdinov & Murray 2008, Burda et al.
    2016), so that the model never sees the same picture twice.
    """

    support = "binary"

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Σ x·logit − log(1 + exp logit), the negative binary cross-entropy: → [N]."""
        logits = parameters[:, 0]  # [N, *data_shape]
        # Two terms rather than binary_cross_entropy_with_logits: half the time on a CPU.
        return (x * logits - functional.softplus(logits)).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """sigmoid(logit) in [0, 1]: → [N, *data_shape]."""
        return torch.sigmoid(parameters[:, 0])

    def start(self, average: Tensor) -> Tensor:
        """The logit of the average pixel, kept within ±7: → [1, *data_shape]."""
        return torch.logit(average, eps=1e-3)[None]

    def observe(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A fresh draw of black and white from the grey values `x` in [0, 1]."""
        return binarize(x, generator)

    def observe_once(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """One draw of black and white: only on those is the cross-entropy a probability."""
        return binarize(x, generator)


class GreyBernoulli(Bernoulli):
    """The tutorials' VAE: trained by binary cross-entropy against the grey values themselves.

    For grey values that number is no log-likelihood, so an evaluation still looks at binarized
    rows, like that of `Bernoulli`.
    """

    def observe(self, x: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """The grey values as they are."""
        return x


def binarize(x: Tensor, generator: torch.Generator) -> Tensor:
    """Zeros and ones of `x`'s shape; each is one with the probability that `x` gives, in [0, 1]."""
    # A comparison is three times faster than torch.bernoulli on a CPU.
    return (torch.rand(x.shape, generator=generator, device=x.device) < x).to(x.dtype)
