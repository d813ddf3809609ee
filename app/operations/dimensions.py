"""Which dimensions of a latent space matter, and where its prior lies along each.

Found from the model alone, by samples of its own: no training data are needed, and an answer stays
a function of checkpoint and question.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from app import latent_math
from app.arrays import Doubles, Floats, read_only
from app.errors import BadValue
from app.service import LatentService, ServedModel, Ticket
from app.worker_threads import offload

SEED = 0
SEEN = 256  # samples that are encoded again
DRAWN = 4096  # samples of a learned prior that its quantiles are taken over
# The variance of a dimension's posterior mean from which it is in use (Burda et al. 2016).
ACTIVE = 0.01
LEAST, MOST = 0.05, 0.95  # the quantiles between which a dimension is walked


class Dimensions(NamedTuple):
    """What is known of a latent's numbers, taken flat: D of them."""

    strongest: tuple[int, ...]
    """Those in use, the one that tells most about a row first."""
    drawn: Floats | None
    """Samples of a learned prior [n, D], each dimension's in rising order; None for N(0, I)."""
    size: int
    """D."""

    def median(self) -> Floats:
        """Of each dimension's prior, [D]."""
        medians: Floats = self.quantiles(1, range(self.size))[0]
        return medians

    def quantiles(self, steps: int, chosen: Sequence[int]) -> Floats:
        """From 0.05 to 0.95 of the chosen dimensions' priors, [steps, chosen]; the median if it is
        one step.
        """
        where = np.linspace(LEAST, MOST, steps) if steps > 1 else np.array([0.5])
        if self.drawn is not None:
            return interpolate_quantiles(self.drawn, where, chosen)
        normal = np.array([NormalDist().inv_cdf(part) for part in where], np.float32)
        found: Floats = np.repeat(normal[:, None], len(chosen), axis=1)
        return found


async def dimensions(service: LatentService, model: ServedModel, ticket: Ticket) -> Dimensions:
    """Those of a model. The first call takes as long as some hundred samples do."""

    async def made(own: Ticket) -> Dimensions:
        _, mean, log_var = await looked_at(service, model, SEEN, own)
        if not model.prior:
            return Dimensions(strongest(mean, log_var), None, mean.shape[1])
        noise = latent_math.row_noise(SEED, DRAWN, model.manifest.latent_shape)
        drawn = await service.in_parts(
            lambda part: service.from_prior(model, part, own), noise, 2 * model.latent_bytes
        )
        rising = await offload(partial(np.sort, drawn.reshape(DRAWN, -1), axis=0), drawn.nbytes)
        return Dimensions(strongest(mean, log_var), read_only(rising), mean.shape[1])

    return await service.made_once(Dimensions).of(model, made, ticket)


class LookedAt(NamedTuple):
    """Samples of a model, and how it sees them."""

    z: Floats
    """[n, *latent_shape]"""
    mean: Floats
    """Of their posteriors, taken flat: [n, D]."""
    log_var: Floats
    """[n, D]"""


async def looked_at(
    service: LatentService, model: ServedModel, count: int, ticket: Ticket
) -> LookedAt:
    """The first `count` samples of seed 0, decoded and encoded again."""

    async def look(noise: Floats) -> Floats:
        z = await service.from_prior(model, noise, ticket)
        seen = await service.encode(model, await service.decode_numbers(model, z, ticket), ticket)
        return np.stack([z, seen.mean, seen.log_var], 1)

    noise = latent_math.row_noise(SEED, count, model.manifest.latent_shape)
    found = await service.in_parts(look, noise, model.data_bytes + 4 * model.latent_bytes)
    flat = found.reshape(count, 3, -1)
    return LookedAt(found[:, 0], flat[:, 1], flat[:, 2])


def interpolate_quantiles(rising: Floats, where: Doubles, chosen: Sequence[int]) -> Floats:
    """Give what `np.quantile` gives, bit for bit, of columns that are sorted already.

    `rising` [n, D], n ≥ 2; `where` [steps] in [0, 1]; → [steps, chosen].
    """
    places = where * (len(rising) - 1)
    below = np.floor(places).astype(np.intp).clip(max=len(rising) - 2)
    part = (places - below)[:, None]
    columns = np.asarray(chosen, np.intp)
    low, high = rising[below[:, None], columns], rising[below[:, None] + 1, columns]
    apart = high - low
    # As NumPy does it, from the nearer of the two.
    found = np.where(part < 0.5, low + apart * part, high - apart * (1 - part))
    quantiles: Floats = found.astype(np.float32)
    return quantiles


def strongest(mean: Floats, log_var: Floats) -> tuple[int, ...]:
    """By KL(q(z_d | x) ‖ N(m_d, v_d)), m_d and v_d being mean and variance over all rows [n, D].

    It is ½ (log v_d − E[log σ_d²]): a rate that also a learned prior has for each dimension.
    """
    means = mean.astype(np.float64)
    spread = means.var(0) + np.exp(log_var.astype(np.float64)).mean(0)
    rates = 0.5 * (np.log(spread) - log_var.mean(0))
    in_use = means.var(0) > ACTIVE
    return tuple(int(place) for place in np.argsort(-rates, kind="stable") if in_use[place])


def check_named(known: Dimensions, chosen: Sequence[int]) -> None:
    """BadValue where one of the chosen dimensions is not there, or is chosen twice."""
    for dimension in chosen:
        if dimension >= known.size:
            raise BadValue(
                f"there is no dimension {dimension}: the latent has {known.size}, counted from 0"
            )
    if len(set(chosen)) < len(chosen):
        twice = Counter(chosen).most_common(1)[0][0]
        raise BadValue(f"of the dimensions one is named twice: {twice}")
