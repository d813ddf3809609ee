"""Ways between points: through them one after the other, round, or across a sheet."""

from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import Literal, NamedTuple

import numpy as np

from app import paths
from app.arrays import Doubles, Floats, Rows
from app.errors import BadValue
from app.service import LatentService, Point, ServedModel, Ticket
from app.worker_threads import offload

Spacing = Literal["even", "pixel"]
CORNERS = 4
# Pictures taken to see where a way changes how fast: for each frame, and for each leg beside.
FRAME_LOOKS = 4
LEG_LOOKS = 32
# Of latents while they are walked through, in doubles.
COPIES = 24


class Walk(NamedTuple):
    """A way through two or more points, in `steps` frames, the ends being two of them."""

    points: Sequence[Point]
    steps: int
    method: str = "slerp"
    easing: str = "linear"
    spacing: Spacing = "even"
    loop: bool = False
    """Whether it goes back to the first point, which is not drawn twice."""
    rows: int | None = None
    """Where given, the points are four corners, and so many rows of `steps` frames lie between."""

    @property
    def num_frames(self) -> int:
        """Of the whole answer."""
        return self.steps * (self.rows or 1)


async def interpolate(
    service: LatentService, model: ServedModel, walk: Walk, ticket: Ticket, *, levels: bool = False
) -> Rows:
    """Frames [num_frames, …] along the way, ends included; a sheet's row by row."""
    _check(service, walk)
    ticket.reserve(_num_bytes(model, walk))
    points = await service.locate(model, walk.points, ticket)
    if walk.rows is not None:
        down, right = (paths.parts(steps, walk.easing) for steps in (walk.rows, walk.steps))
        across = partial(paths.across, points, down, right, walk.method)
        way = await offload(across, walk.num_frames * COPIES * model.latent_bytes, ticket)
    else:
        way = await _way(service, model, points, walk, ticket)
    return await service.decode(model, way, ticket, levels=levels)


async def _way(
    service: LatentService, model: ServedModel, points: Floats, walk: Walk, ticket: Ticket
) -> Floats:
    """The latents [steps, *latent_shape] of the frames."""
    steps = walk.steps
    if walk.loop:
        points, steps = np.concatenate([points, points[:1]]), steps + 1
    legs = len(points) - 1
    parts = paths.parts(steps, walk.easing)

    async def along(positions: Doubles) -> Floats:
        work = partial(paths.along, points, positions, walk.method)
        return await offload(work, len(positions) * COPIES * model.latent_bytes, ticket)

    if walk.spacing == "pixel":
        # Of the points, too, for the way turns there; and as many whatever the operator has set.
        looks = await service.in_parts(
            lambda z: service.decode_numbers(model, z, ticket),
            await along(np.linspace(0, legs, _looks_of_a_leg(steps, legs) * legs + 1)),
            model.data_bytes + model.latent_bytes,
        )
        parts = await offload(partial(paths.evenly, looks, parts), ticket=ticket)
    return (await along(legs * parts))[: walk.steps]


def _looks_of_a_leg(steps: int, legs: int) -> int:
    return ceil(FRAME_LOOKS * steps / legs) + LEG_LOOKS


def _num_bytes(model: ServedModel, walk: Walk) -> int:
    """What a walk takes in memory at most: its frames, and what was looked at for them."""
    num_bytes = walk.num_frames * (model.data_bytes + COPIES * model.latent_bytes)
    if walk.spacing == "pixel":
        legs = len(walk.points) - 1 + walk.loop
        count = _looks_of_a_leg(walk.steps + walk.loop, legs) * legs + 1
        # The way of its looks is gone before its frames are there.
        num_bytes += count * (model.data_bytes + COPIES * model.latent_bytes) + paths.BLOCK_BYTES
    return num_bytes


def _check(service: LatentService, walk: Walk) -> None:
    count, limits = len(walk.points), service.limits
    limits.check("max_points", count, "points")
    limits.check("max_steps", walk.steps, "steps")
    if walk.rows is not None:
        limits.check("max_rows", walk.num_frames, "frames")
        if count != CORNERS:
            raise BadValue(f"rows = {walk.rows} asks for a sheet between {CORNERS} points; {count}")
        if walk.loop or walk.spacing != "even":
            raise BadValue("a sheet (rows = …) has neither loop nor spacing: leave them out")
        return
    if count < 2:
        raise BadValue(f"{count} point given; a way needs two or more")
    if walk.steps < count:
        raise BadValue(
            f"steps = {walk.steps} for {count} points; a way has no fewer frames than points, so "
            f"ask for {count} steps or more"
        )
