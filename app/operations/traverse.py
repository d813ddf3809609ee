"""One dimension of the latent after the other, each over what its prior makes likely."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.arrays import Floats, Rows
from app.operations.dimensions import check_named, dimensions
from app.service import LatentService, Point, ServedModel, Ticket
from app.worker_threads import offload


class Traversal(NamedTuple):
    """A point, and the dimensions along which to leave it, each in so many steps."""

    point: Point
    dimensions: Sequence[int]
    steps: int


async def traverse(
    service: LatentService,
    model: ServedModel,
    traversal: Traversal,
    ticket: Ticket,
    *,
    levels: bool = False,
) -> Rows:
    """Rows [dimensions · steps, …]: dimension by dimension from its 0.05 to its 0.95 quantile."""
    point, chosen, steps = traversal
    service.limits.check("max_rows", len(chosen) * steps, "images")
    ticket.reserve(len(chosen) * steps * (model.data_bytes + 3 * model.latent_bytes))
    known = await dimensions(service, model, ticket)
    check_named(known, chosen)
    start = (await service.locate(model, [point], ticket)).reshape(-1)
    values = known.quantiles(steps, chosen)

    def walks() -> Floats:
        z = np.tile(start, (len(chosen), steps, 1))
        for row, dimension in enumerate(chosen):
            z[row, :, dimension] = values[:, row]
        return z.reshape(-1, *model.manifest.latent_shape)

    way = await offload(walks, len(chosen) * steps * model.latent_bytes, ticket)
    return await service.decode(model, way, ticket, levels=levels)
