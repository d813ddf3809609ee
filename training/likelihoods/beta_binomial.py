"""8-bit pixels: how often 255 throws of a coin come up white, the coin itself being drawn.

The likelihood of the MNIST experiments of Townsend, Bird & Barber, "Practical lossless compression
with latent variables using bits back coding" (ICLR 2019), section 3.1. Knows nothing of networks.
"""

import torch
from torch import Tensor
from torch.nn import functional

from training.likelihoods.eight_bits import EightBits
from training.likelihoods.squash import Kind

# log(α + β): at the lower end all mass lies on black and white, at the upper it is the binomial's.
LEAST, MOST = -7.0, 10.0
FARTHEST_LOGIT = 600.0  # float64's sigmoid is no zero there


class BetaBinomial(EightBits):
    """x·255 ~ BetaBinomial(255, α, β); the decoder gives logit(α / (α + β)) and log(α + β)."""

    parameters_per_dimension = 2

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        # Attributes, because TorchScript does not see a module's globals.
        self.least, self.most, self.farthest = LEAST, MOST, FARTHEST_LOGIT
        counts = torch.arange(256, dtype=torch.float64)
        ways = torch.lgamma(torch.tensor(256.0, dtype=torch.float64))
        self.log_ways: Tensor
        self.register_buffer(
            "log_ways",
            ways - torch.lgamma(counts + 1) - torch.lgamma(256 - counts),
            persistent=False,
        )

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Σ log C(255, k) B(k + α, 255 − k + β) / B(α, β), k = 255·x: → [N].

        In float64: differences of logarithms of Γ that are thousands of times larger.
        """
        alpha, beta = self.take_apart(parameters)
        total = alpha + beta
        count = torch.round(x.double() * 255)
        log_mass = (
            self.log_ways[count.long()]
            + torch.lgamma(count + alpha)
            - torch.lgamma(alpha)
            + torch.lgamma(255 - count + beta)
            - torch.lgamma(beta)
            + torch.lgamma(total)
            - torch.lgamma(total + 255)
        )
        return log_mass.flatten(1).sum(1).to(parameters.dtype)

    def level_probabilities(self, parameters: Tensor) -> Tensor:
        """By p(k + 1) / p(k) = (255 − k)(k + α) / ((k + 1)(254 − k + β)).

        A tenth of the time that `log_prob` takes for all levels.
        """
        alpha, beta = self.take_apart(parameters)
        k = torch.arange(255, device=parameters.device).double()
        odds = (255 - k) / (k + 1) * (k + alpha[..., None]) / (254 - k + beta[..., None])
        log_mass = torch.cumsum(torch.log(functional.pad(odds, [1, 0], value=1.0)), -1)
        return torch.softmax(log_mass, -1).to(parameters.dtype)

    def take_apart(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """α and β in float64."""
        logit = parameters[:, 0].double().clamp(-self.farthest, self.farthest)
        raw = self.least + functional.softplus(parameters[:, 1].double() - self.least)
        total = torch.exp(self.most - functional.softplus(self.most - raw))
        return total * torch.sigmoid(logit), total * torch.sigmoid(-logit)

    def mean(self, parameters: Tensor) -> Tensor:
        """α / (α + β) in [0, 1]: → [N, *data_shape]."""
        return torch.sigmoid(parameters[:, 0])

    def start(self, average: Tensor) -> Tensor:
        """The logit of the average pixel, and α + β = 2: every level as likely for a grey one."""
        start = torch.full((2, *average.shape), 0.6931)
        start[0] = torch.logit(average, eps=1e-3)
        return start
