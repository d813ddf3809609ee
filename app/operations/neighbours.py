"""The training rows that lie nearest to points of latent space."""

from collections.abc import Sequence

import numpy as np

from app.arrays import Rows
from app.errors import LimitExceeded
from app.neighbour_index import Neighbours
from app.service import LatentService, Point, ServedModel, Ticket

# Their places and distances stand in a header, of at most 20 bytes each.
MOST = 128


async def neighbours(
    service: LatentService, model: ServedModel, points: Sequence[Point], count: int, ticket: Ticket
) -> Neighbours:
    """Of each point's latent the `count` nearest, by the distance of posterior means."""
    if len(points) * count > MOST:
        raise LimitExceeded(
            f"{count} neighbours of {len(points)} points are {len(points) * count}: one request "
            f"may have at most {MOST}; ask for fewer at a time"
        )
    ticket.reserve(len(points) * count * 2 * model.data_bytes)
    z = await service.locate(model, points, ticket)
    return await service.neighbours(model, z, count, ticket)


def rows_of(found: Neighbours, *, levels: bool) -> Rows:
    """The rows in numbers, images [n, C, H, W] in [0, 1]; with `levels`, uint8 [n, H, W, C]."""
    if levels:
        return found.rows.transpose(0, 2, 3, 1)
    if found.rows.dtype != np.uint8:
        return found.rows
    return (found.rows / np.float32(255)).astype(np.float32)
