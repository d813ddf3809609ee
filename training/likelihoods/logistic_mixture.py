"""8-bit pixels: a mixture of logistic distributions, cut into the 256 levels.

Salimans, Karpathy, Chen & Kingma, "PixelCNN++" (ICLR 2017), section 2.1, without its coupling of
colours. Knows nothing of networks.
"""

import torch
from torch import Tensor
from torch.nn import functional

from training.likelihoods.eight_bits import EightBits
from training.likelihoods.squash import Kind, inverse

# A narrower logistic lies within one level, a wider one on black and white alone.
LEAST_LOG_SCALE, MOST_LOG_SCALE = -7.0, 5.0
HALF = 1 / 255  # of a level's width, where pixels go from −1 to 1
FAR = 20.0


class LogisticMixture(EightBits):
    """Each pixel has weights, places and scales of five logistics, pixels going from −1 to 1.

    What a logistic has below −1 or above 1 belongs to black or white.
    """

    components = 5
    parameters_per_dimension = 3 * components

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        # Attributes, because TorchScript does not see a module's globals.
        self.number = self.components
        self.least, self.most = LEAST_LOG_SCALE, MOST_LOG_SCALE
        self.half_level = HALF

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Σ log Σ_k π_k (F_k(x + half a level) − F_k(x − half a level)): → [N].

        A difference of two logistic functions is σ(a)·σ(−b)·(1 − exp(b − a)), which loses no digits
        where both are close to 0 or to 1.
        """
        log_weight, place, log_scale = self.take_apart(parameters)  # [N, K, *data_shape] each
        level = 2 * x[:, None] - 1
        precision = torch.exp(-log_scale)
        above = (level + self.half_level - place) * precision
        below = (level - self.half_level - place) * precision
        black, white = level < self.half_level - 1, level > 1 - self.half_level
        inside = torch.log(-torch.expm1(-2 * self.half_level * precision))
        log_mass = (
            functional.logsigmoid(above).masked_fill(white, 0.0)
            + functional.logsigmoid(-below).masked_fill(black, 0.0)
            + torch.where(black | white, torch.zeros_like(inside), inside)
        )
        return torch.logsumexp(log_weight + log_mass, dim=1).flatten(1).sum(1)

    def level_probabilities(self, parameters: Tensor) -> Tensor:
        """Σ_k π_k (F_k(x + half a level) − F_k(x − half a level)) of every level x."""
        log_weight, place, log_scale = self.take_apart(parameters)
        borders = (2 * torch.arange(1, 256, device=parameters.device) - 256) * self.half_level
        mass = torch.zeros(1, device=parameters.device)
        for k in range(self.number):  # one by one: together they would take five times the memory
            precision = torch.exp(-log_scale[:, k, ..., None])
            standard = (borders - place[:, k, ..., None]) * precision
            below = functional.pad(torch.sigmoid(standard), [0, 1], value=1.0)
            above = functional.pad(torch.sigmoid(-standard), [1, 0], value=1.0)
            inside = -torch.expm1(-2 * self.half_level * precision)
            inside = functional.pad(inside.expand_as(standard[..., 1:]), [1, 1], value=1.0)
            mass = mass + torch.exp(log_weight[:, k, ..., None]) * below * above * inside
        return mass

    def mean(self, parameters: Tensor) -> Tensor:
        """E[x], to half a level, of the mixture cut off at black and white: → [N, *data_shape].

        Of one logistic: −1 + s·(softplus((μ + 1) / s) − softplus((μ − 1) / s)) between −1 and 1.
        """
        log_weight, place, log_scale = self.take_apart(parameters)
        scale = torch.exp(log_scale)
        length = functional.softplus((place + 1) / scale) - functional.softplus((place - 1) / scale)
        return (torch.exp(log_weight) * scale * length).sum(1).mul(0.5).clamp(0.0, 1.0)

    def take_apart(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The logarithms of the weights, the places and the logarithms of the scales."""
        weight, place, log_scale = parameters.chunk(3, 1)
        log_scale = self.least + functional.softplus(log_scale - self.least)
        return torch.log_softmax(weight, 1), place, log_scale.clamp(max=self.most)

    def start(self, average: Tensor) -> Tensor:
        """Equal weights, wide scales, and places side by side whose mean is the average pixel."""
        start = torch.zeros(self.parameters_per_dimension, *average.shape)
        places, scales = start[self.number : 2 * self.number], start[2 * self.number :]
        scales.fill_(-1.0)
        aside = torch.linspace(-0.5, 0.5, self.number).reshape(-1, *[1] * average.dim())

        def mean_at(place: Tensor) -> Tensor:
            moved = start.double()
            moved[self.number : 2 * self.number] = place + aside
            return self.mean(moved[None])[0]

        places += inverse(mean_at, average.clamp(1e-3, 1 - 1e-3), FAR) + aside
        return start
