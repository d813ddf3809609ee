"""A weighted sum of points and of directions that were published with the model."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.arrays import LARGEST, Floats, Rows
from app.errors import BadValue
from app.service import LatentPoint, LatentService, Point, ServedModel, Ticket


class Term(NamedTuple):
    """A point, or a direction by its name, times a weight."""

    what: Point | str
    weight: float


async def add(
    service: LatentService,
    model: ServedModel,
    terms: Sequence[Term],
    ticket: Ticket,
    *,
    levels: bool = False,
) -> Rows:
    """The one row [1, …] at Σ weight · what; a term counts as a point."""
    service.limits.check("max_points", len(terms), "terms")
    points = [
        LatentPoint(direction(model, term.what)) if isinstance(term.what, str) else term.what
        for term in terms
    ]
    latents = await service.locate(model, points, ticket)
    weights = np.array([term.weight for term in terms], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        z = np.tensordot(weights, latents, axes=1)[None]
    if not (np.abs(z) <= LARGEST).all():
        raise BadValue(
            f"the sum has numbers beyond ±{LARGEST:g}, and no latent has: give smaller weights"
        )
    return await service.decode(model, z, ticket, levels=levels)


def direction(model: ServedModel, name: str) -> Floats:
    """The direction [*latent_shape] of that name; BadValue lists those there are."""
    known = model.directions
    if name not in known:
        there = f"it has {', '.join(known)}" if known else "none was published with it"
        raise BadValue(f"{model.id} has no direction {name[:40]!r}: {there}")
    return known[name]
