"""What lies under a mask or noise: data completed by what the model finds likely.

Pseudo-Gibbs sampling (Rezende, Mohamed & Wierstra 2014, appendix F): what is hidden is filled in by
what the decoder says of a latent that was drawn for the whole. One chain keeps to where it began,
so several begin at samples of the prior, and each counts by how well it explains what is known.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from app import latent_math
from app.arrays import Floats, Rows, all_finite, to_levels
from app.errors import BadValue, NotFinite
from app.service import LatentService, Point, ServedModel, Ticket
from app.worker_threads import offload

# A mean is never quite 0 or 1, so that no pixel alone rules a chain out.
LEAST = 1e-6
# Of a chain's image while it is filled in, some of them in doubles.
COPIES = 16


class Restoration(NamedTuple):
    """An image, what of it is not known, and how to look for it."""

    point: Point
    hidden: Floats | None
    """[*data_shape] or [1, H, W]: 1 where it is not known, 0 where it is."""
    noise: float
    """Standard deviation of the noise on what is known; 0 for none."""
    seed: int
    chains: int = 16
    steps: int = 16
    num_samples: int | None = None
    """So many of the chains, the likeliest first; their weighted mean where it is None."""


async def restore(
    service: LatentService,
    model: ServedModel,
    asked: Restoration,
    ticket: Ticket,
    *,
    levels: bool = False,
) -> Rows:
    """The expected image [1, …], or `num_samples` possible ones."""
    _check(service, model, asked)
    chains_bytes = asked.chains * model.data_bytes
    ticket.reserve(asked.chains * (COPIES * model.data_bytes + 8 * model.latent_bytes))
    seen = (await service.data(model, [asked.point], ticket))[0]
    known = 1 - np.broadcast_to(0 if asked.hidden is None else asked.hidden, seen.shape)
    noise = latent_math.Noise(asked.seed, model.manifest.latent_shape)

    async def drawn() -> Floats:
        work = partial(noise.rows, asked.chains)
        return await offload(work, asked.chains * model.latent_bytes, ticket)

    z = await service.from_prior(model, await drawn(), ticket)
    for _ in range(asked.steps):
        guess = await service.decode_numbers(model, z, ticket)
        filled = await offload(
            partial(_fill, seen, known, guess, asked), COPIES * chains_bytes, ticket
        )
        mean, log_var, _ = await service.encode(model, filled, ticket)
        z = latent_math.draw_posterior(mean, log_var, await drawn())
    guess = await service.decode_numbers(model, mean, ticket)
    completed = partial(_completed, seen, known, guess, asked, levels=levels)
    return await offload(completed, 4 * COPIES * chains_bytes, ticket)


def _completed(
    seen: Floats, known: Floats, guess: Floats, asked: Restoration, *, levels: bool
) -> Rows:
    """The answer, from the last guess of each chain."""
    fit = _log_likelihood(seen, known, guess)
    filled = _fill(seen, known, guess, asked)
    if asked.num_samples is None:
        weights = np.exp(fit - fit.max())
        filled = np.tensordot(weights / weights.sum(), filled, axes=1)[None].astype(np.float32)
    else:
        filled = filled[np.argsort(-fit, kind="stable")[: asked.num_samples]]
    if not all_finite(filled):
        raise NotFinite("the model gave no finite image to what was to be restored")
    return to_levels(filled) if levels else filled


def _fill(seen: Floats, known: Floats, guess: Floats, asked: Restoration) -> Floats:
    """What is seen where it is known, the guess elsewhere; between the two where there is noise.

    A pixel's guess p is off by a variance of p(1 - p), what is seen of it by that of the noise:
    they count by the inverses of these.
    """
    spread = guess * (1 - guess)
    both = spread + np.float32(asked.noise**2)
    trust = known * np.divide(spread, both, out=np.ones_like(spread), where=both > 0)
    filled: Floats = (guess + trust * (seen - guess)).astype(np.float32)
    return filled


def _log_likelihood(seen: Floats, known: Floats, guess: Floats) -> Floats:
    """Of what is known under each guess [chains], as a Bernoulli's."""
    p = guess.clip(LEAST, 1 - LEAST).astype(np.float64)
    terms = known * (seen * np.log(p) + (1 - seen) * np.log1p(-p))
    fit: Floats = terms.reshape(len(guess), -1).sum(1)
    return fit


def _check(service: LatentService, model: ServedModel, asked: Restoration) -> None:
    if model.manifest.data.kind != "image":
        raise BadValue(f"{model.id} has rows of numbers; what is restored are images")
    service.limits.check("max_rows", asked.chains * asked.steps, "restored rows (chains × steps)")
    if asked.num_samples is not None and asked.num_samples > asked.chains:
        raise BadValue(
            f"{asked.num_samples} samples of {asked.chains} chains: ask for fewer samples or for "
            "more chains"
        )
    if asked.hidden is None:
        if asked.noise == 0:
            raise BadValue("there is nothing to restore: give a mask, a noise level or both")
    elif asked.hidden.all():
        raise BadValue("the mask hides every pixel: leave some to restore the others from")
    elif not asked.hidden.any() and asked.noise == 0:
        raise BadValue("the mask hides no pixel: what is to be restored is white in it")
