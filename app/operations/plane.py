"""A map of the latent space: what lies over a plane of two of its dimensions."""

from typing import NamedTuple

import numpy as np

from app.arrays import Rows
from app.operations.dimensions import check_named, dimensions
from app.service import LatentService, Point, ServedModel, Ticket


class Plane(NamedTuple):
    """Two dimensions, each over its prior's quantiles in so many steps."""

    across: int
    down: int
    steps: int
    point: Point | None
    """Where the other dimensions are; at their prior's median if absent."""


async def show(
    service: LatentService,
    model: ServedModel,
    plane: Plane,
    ticket: Ticket,
    *,
    levels: bool = False,
) -> Rows:
    """Rows [steps · steps, …], line by line."""
    across, down, steps, point = plane
    service.limits.check("max_rows", steps * steps, "images")
    known = await dimensions(service, model, ticket)
    check_named(known, (across, down))
    if point is None:
        start = known.quantiles(1)[0]
    else:
        start = (await service.locate(model, [point], ticket)).reshape(-1)
    z = np.tile(start, (steps, steps, 1))
    values = known.quantiles(steps)
    z[:, :, across] = values[None, :, across]
    z[:, :, down] = values[:, None, down]
    way = z.reshape(-1, *model.manifest.latent_shape)
    return await service.decode(model, way, ticket, levels=levels)
