"""A map of what the encoder tells apart: samples, laid out by how they are seen."""

from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.arrays import Doubles, Floats, Rows, read_only
from app.errors import BadValue
from app.operations.dimensions import looked_at
from app.service import LatentService, ServedModel, Ticket
from app.worker_threads import offload

SAMPLES = 1024
LEAST, MOST = 0.02, 0.98  # the quantiles of an axis between which places lie


class Projected(NamedTuple):
    """Samples of a model."""

    z: Floats
    """Their latents [n, *latent_shape]."""
    where: Doubles
    """Where they lie on the two axes [n, 2]."""


async def project(
    service: LatentService, model: ServedModel, steps: int, ticket: Ticket, *, levels: bool = False
) -> Rows:
    """Rows [steps · steps, …], line by line: at each place of a grid the sample nearest to it.

    The axes are the two along which the posterior means of samples differ most (Pearson 1901), the
    first to the right, the second down; places lie at quantiles of both.
    """
    service.limits.check("max_rows", steps * steps, "images")
    ticket.reserve(steps * steps * (model.data_bytes + 3 * model.latent_bytes))
    if prod(model.manifest.latent_shape) < 2:
        raise BadValue(f"{model.id} has one latent only, and a map takes two: sample it instead")

    async def made(own: Ticket) -> Projected:
        z, mean, _ = await looked_at(service, model, SAMPLES, own)
        where = await offload(partial(principal, mean))
        return Projected(read_only(z), read_only(where))

    known = await service.made_once(Projected).of(model, made, ticket)
    rows = await offload(partial(nearest, known.where, steps), ticket=ticket)
    return await service.decode(model, known.z[rows], ticket, levels=levels)


def principal(mean: Floats) -> Doubles:
    """The two principal components of rows [n, D], D being two or more: [n, 2]."""
    u, s, _ = np.linalg.svd(mean.astype(np.float64) - mean.mean(0), full_matrices=False)
    where: Doubles = u[:, :2] * s[:2]
    # An axis has no sense of its own: what lies farthest out lies to the right, or below.
    return where * np.sign(where[np.abs(where).argmax(0), [0, 1]])


def nearest(where: Doubles, steps: int) -> NDArray[np.intp]:
    """For each place of the grid, line by line, the row of `where` [n, 2] that lies nearest."""
    across, down = np.quantile(where, np.linspace(LEAST, MOST, steps), axis=0).T
    lines = (np.stack([across, np.full(steps, y)], 1) for y in down)
    return np.concatenate([np.square(line[:, None] - where).sum(2).argmin(1) for line in lines])
