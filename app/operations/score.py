"""How likely a model finds rows, and how that compares with the rows that it learned from."""

from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app import latent_math
from app.arrays import FLOAT_BYTES, NUM_LEVELS, Doubles, Floats
from app.errors import LimitExceeded
from app.operations.bits_back import nearest_levels, numbers
from app.service import LatentService, Posterior, ServedModel, Ticket
from app.worker_threads import offload

LOG_TWO_PI = float(np.log(2 * np.pi))
NUMBERS = 2**22  # of rows and draws that are made ready at a time
COPIES = 8  # of the draws' noise, three of them in doubles


class Scores(NamedTuple):
    """Of rows [n], in nats."""

    reconstruction: Doubles
    """E[log p(x | z)] over posterior draws."""
    kl: Doubles
    """KL(q(z | x) ‖ p(z)): in closed form for N(0, I), else over the same draws."""
    negative_elbo: Doubles
    """KL minus reconstruction."""
    log_likelihood: Doubles
    """log p(x) by importance weighting (Burda et al. 2016), which k draws bound from below."""
    percentile: Doubles | None
    """How many in a hundred training rows have a lower -ELBO; None where the model does not say."""


async def score(
    service: LatentService, model: ServedModel, x: Floats, k: int, seed: int, ticket: Ticket
) -> Scores:
    """Scores of `x` [n, *data_shape] by `k` posterior draws of each row; row i's are of (seed, i).

    Rows are observed once, as those were that the percentiles are of.
    """
    draws = len(x) * k
    if draws > service.limits.max_draws:
        raise LimitExceeded(
            f"{len(x)} rows by k = {k} draws are {draws}: one request may have at most "
            f"{service.limits.max_draws}; ask for a smaller k or fewer rows, or have the operator "
            "raise LATENTD_MAX_DRAWS"
        )
    pair_size = prod(model.manifest.data.shape) + prod(model.manifest.latent_shape)
    most = max(1, min(service.limits.max_rows, NUMBERS // pair_size))
    pairs_bytes = FLOAT_BYTES * pair_size * min(most, draws)
    ticket.reserve(
        3 * len(x) * model.data_bytes + COPIES * draws * model.latent_bytes + 4 * pairs_bytes
    )
    x = await offload(partial(_observed, model, x, seed), 4 * x.nbytes, ticket)
    posterior = await service.encode(model, x, ticket)
    shape = (k, *model.manifest.latent_shape)
    num_bytes = FLOAT_BYTES * len(x) * prod(shape)
    noise = await offload(partial(latent_math.row_noise, seed, len(x), shape), num_bytes, ticket)
    densities = []
    for start in range(0, draws, most):
        part = np.arange(start, min(start + most, draws))
        work = partial(_pairs, x, posterior, noise, part)
        pairs = await offload(work, FLOAT_BYTES * len(part) * pair_size, ticket)
        densities.append(await service.densities(model, pairs, ticket))
    found = np.concatenate(densities).reshape(len(x), k, 2).astype(np.float64)
    return await offload(partial(_scores, model, posterior, noise, found), num_bytes, ticket)


def _observed(model: ServedModel, x: Floats, seed: int) -> Floats:
    """Values that the likelihood gives probability to, for which alone it is one of the data."""
    match model.manifest.known_support:
        case "binary":
            return latent_math.binarize(x, seed)
        case "levels":
            return numbers(nearest_levels(x, NUM_LEVELS), NUM_LEVELS)
    return x


def _pairs(x: Floats, posterior: Posterior, noise: Floats, part: NDArray[np.intp]) -> Floats:
    """Rows and draws from their posteriors, taken flat one after the other, of those draws' places
    [m] in `noise` [n, k, *latent_shape].
    """
    row = part // noise.shape[1]
    z = latent_math.draw_posterior(
        posterior.mean[row], posterior.log_var[row], noise.reshape(-1, *noise.shape[2:])[part]
    )
    return np.concatenate([x[row].reshape(len(part), -1), z.reshape(len(part), -1)], axis=1)


def _scores(model: ServedModel, posterior: Posterior, noise: Floats, densities: Doubles) -> Scores:
    """From log p(x | z) and log p(z) [n, k, 2] at the draws that `noise` [n, k, …] led to."""
    num_rows, k = densities.shape[:2]
    mean, log_var = (
        part.reshape(num_rows, -1).astype(np.float64)
        for part in (posterior.mean, posterior.log_var)
    )
    standard = noise.reshape(num_rows, k, -1).astype(np.float64)
    log_q = -0.5 * (log_var[:, None] + standard**2 + LOG_TWO_PI).sum(2)  # [n, k]
    log_x, log_z = densities[:, :, 0], densities[:, :, 1]
    if model.prior is None:
        with np.errstate(over="ignore"):  # as an answer it is refused
            kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1)
    else:
        kl = (log_q - log_z).mean(1)
    reconstruction = log_x.mean(1)
    weights = log_x + log_z - log_q
    most = weights.max(1, keepdims=True)
    log_likelihood = most[:, 0] + np.log(np.exp(weights - most).mean(1))
    negative_elbo = kl - reconstruction
    return Scores(
        reconstruction, kl, negative_elbo, log_likelihood, _percentile(model, negative_elbo)
    )


def _percentile(model: ServedModel, negative_elbo: Doubles) -> Doubles | None:
    known = model.manifest.scores
    if known is None:
        return None
    found: Doubles = np.interp(negative_elbo, known.quantiles, np.arange(len(known.quantiles)))
    return found
