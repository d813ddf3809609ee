"""A learned prior: a normalizing flow that bends N(0, I) to where the posteriors really lie.

A standard normal leaves holes, regions that it draws from and that no datum is encoded to; what is
decoded there looks like nothing. Chen et al., "Variational Lossy Autoencoder" (ICLR 2017), section
3.2, train such a prior with the model; it lowers the bound and cleans the samples.
"""

import torch
from torch import Tensor, nn

from training.errors import ConfigError
from training.priors.normal import standard_normal
from training.priors.prior import Prior

COUPLINGS = 6
WIDTH = 64
# A coupling scales by at most e² or e⁻², so that no single one can blow up.
MOST_LOG_SCALE = 2.0


class CouplingFlow(Prior):
    """Affine couplings with the order of the latent's numbers reversed between them.

    Real NVP: Dinh, Sohl-Dickstein & Bengio, "Density estimation using Real NVP" (ICLR 2017),
    equations 4 to 8. Each step is the identity at first, so training sets out from N(0, I).
    """

    learned = True

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ConfigError(
                f"latent_dim={latent_dim}: a flow couples one half of a latent with the other and "
                "needs 2 numbers or more; choose prior=normal"
            )
        self.couplings = nn.ModuleList(_Coupling(latent_dim) for _ in range(COUPLINGS))
        # The same modules the other way round: TorchScript cannot walk a list backwards.
        self.backwards = nn.ModuleList(reversed(list(self.couplings)))

    def forward(self, noise: Tensor) -> Tensor:
        """Through every coupling in turn."""
        z = noise
        for coupling in self.couplings:
            z, _ = coupling(z, back=False)
            z = z.flip(1)
        return z

    def log_density(self, z: Tensor) -> Tensor:
        """log N(noise; 0, I) + log |d noise / d z|, the noise being what z was drawn with."""
        log_scales = torch.zeros_like(z[:, 0])
        for coupling in self.backwards:
            z, log_scale = coupling(z.flip(1), back=True)
            log_scales = log_scales + log_scale
        return standard_normal(z) - log_scales


class _Coupling(nn.Module):
    """Keeps the first half; shifts and scales the second by what a small network makes of it."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.kept = latent_dim // 2
        self.most = MOST_LOG_SCALE
        last = nn.Linear(WIDTH, 2 * (latent_dim - self.kept))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(
            nn.Linear(self.kept, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), last
        )

    def forward(self, row: Tensor, *, back: bool) -> tuple[Tensor, Tensor]:
        """From noise to z, or `back`: [N, D], and the logarithm of how much the way from noise
        stretches there, [N]."""
        kept, moved = row[:, : self.kept], row[:, self.kept :]
        shift, free = self.network(kept).chunk(2, 1)
        log_scale = self.most * torch.tanh(free / self.most)
        moved = (moved - shift) * (-log_scale).exp() if back else moved * log_scale.exp() + shift
        return torch.cat([kept, moved], 1), log_scale.sum(1)
