"""A map of the latent space: what lies over a plane of two of its dimensions."""

from typing import NamedTuple

import numpy as np

from app.arrays import Floats, Rows
from app.operations.dimensions import check_named, dimensions
from app.service import LatentService, Point, ServedModel, Ticket
from app.worker_threads import offload


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
    ticket.reserve(steps * steps * (model.data_bytes + 3 * model.latent_bytes))
    known = await dimensions(service, model, ticket)
    check_named(known, (across, down))
    if point is None:
        start = known.median()
    else:
        start = (await service.locate(model, [point], ticket)).reshape(-1)
    values = known.quantiles(steps, (across, down))

    def grid() -> Floats:
        z = np.tile(start, (steps, steps, 1))
        z[:, :, across] = values[None, :, 0]
        z[:, :, down] = values[:, None, 1]
        return z.reshape(-1, *model.manifest.latent_shape)

    way = await offload(grid, steps * steps * model.latent_bytes, ticket)
    return await service.decode(model, way, ticket, levels=levels)
