"""What the posteriors of many rows say together: how much each number of the latent tells, and all.

Knows means and variances only; no model, no data.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from training.priors.normal import kl_by_dimension
from training.streams import stream
from training.vae import reparameterize

ACTIVE = 0.01  # the variance of a latent's posterior mean over the rows, from which it is in use
COMPARED = 10_000  # rows whose posteriors are compared pair by pair; seconds on one core
CHUNK = 256  # of these rows at a time, so that the pairs take 40 MB at most


class Posteriors(NamedTuple):
    """q(z | x) = N(mean, exp log_var) of every row; float64, on the CPU."""

    mean: Tensor  # [N, D]
    log_var: Tensor  # [N, D]
    prior_learned: bool
    """Whether p(z) is another than N(0, I)."""

    @property
    def active(self) -> Tensor:
        """Which dimensions tell rows apart, [D] bool: Var_x(E[z | x]) > 0.01.

        Burda, Grosse & Salakhutdinov 2016, section 5.2.
        """
        return self.mean.var(0, correction=0) > ACTIVE

    @property
    def rates(self) -> Tensor:
        """What each dimension tells about a row on average, in nats: [D].

        For p(z) = N(0, I) the share of the dimension in the rate, in closed form. A learned prior
        has no such shares: then it is KL(q(z_d | x) ‖ N(m_d, v_d)), m_d and v_d being mean and
        variance of z_d over all rows, which comes to ½ (log v_d − E[log σ_d²]). It is the rate to
        the best of all normal priors of that dimension, 0 where the rows do not differ, and never
        below what the dimension tells (Alemi et al., "Fixing a Broken ELBO", 2018, section 2).
        """
        if not self.prior_learned:
            return kl_by_dimension(self.mean, self.log_var).mean(0)
        spread = self.mean.var(0, correction=0) + self.log_var.exp().mean(0)
        return 0.5 * (spread.log() - self.log_var.mean(0))

    @property
    def measured_against(self) -> str:
        """What the rates of the dimensions are to."""
        return "to the normal with its mean and variance" if self.prior_learned else "to N(0, 1)"

    @property
    def compared(self) -> int:
        """How many rows the mutual information is taken over."""
        return min(len(self.mean), COMPARED)

    def draw(self, seed: int, purpose: str) -> Tensor:
        """One latent of every row: [N, D]."""
        noise = torch.randn(self.mean.shape, generator=stream(seed, purpose, 0))
        return reparameterize(self.mean, self.log_var, noise.double())


def mutual_information(posteriors: Posteriors, seed: int) -> float:
    """I(x; z) = E[log q(z | x) − log q(z)] in nats, of the first 10,000 rows, one draw of each.

    q(z) is the aggregate posterior, the mixture of the q(z | x) of these rows: Hoffman & Johnson,
    "ELBO surgery" (2016). It lies between 0 and the logarithm of the number of rows, which is
    reached where every draw belongs to one row alone; an estimate near 0 may come out below it.
    The rate is this and KL(q(z) ‖ p(z)).
    """
    rows = posteriors.compared
    mean, log_var = posteriors.mean[:rows], posteriors.log_var[:rows]
    z = posteriors.draw(seed, "mutual information")[:rows]
    # log q(zᵢ | xⱼ) of all pairs is a product of matrices: −½ z²/σ² + z μ/σ² and what has no z in
    # it. The logarithm of 2π would cancel.
    precision = torch.exp(-log_var)
    of_z = torch.cat([z.square(), z], 1)  # [N, 2 · D]
    of_x = torch.cat([-0.5 * precision, mean * precision], 1).T  # [2 · D, N]
    rest = -0.5 * (mean.square() * precision + log_var).sum(1)  # [N]
    total = 0.0
    for first in range(0, rows, CHUNK):
        pairs = torch.addmm(rest, of_z[first : first + CHUNK], of_x)
        total += float((pairs.diagonal(first) - pairs.logsumexp(1)).sum())
    return total / rows + math.log(rows)
