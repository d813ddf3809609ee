"""What a latent space is asked, on arrays: encode, decode, sample, and where points lie.

Everything here is a pure function of the model and the arguments: noise is drawn from (seed, row)
before any batching. Rows are checked for shape and range by whoever parses them; how many there are
is checked here, for every protocol alike. Knows no HTTP and no pictures.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from app import latent_math
from app.arrays import Floats, Rows
from app.engine.batcher import Batcher
from app.engine.entry import Ticket
from app.engine.loaded_model import RARE, LoadedModel, Operation, Rare
from app.engine.model_pool import ModelPool
from app.errors import BadValue, Overloaded
from app.limits import Limits
from app.neighbour_index import NeighbourIndex, Neighbours, open_index
from app.once import OncePerModel
from app.points import DataPoint, Draws, LatentPoint, Point, SeedPoint
from app.worker_threads import INLINE_BYTES, offload

T = TypeVar("T")

# Seconds after which a stream that found the queue full looks again.
LONGEST_PAUSE = 0.25
# Data that a call in parts, or a part of a stream, comes to at most: large rows go in fewer.
PART_BYTES = 2**24

__all__ = [
    "DataPoint",
    "Draws",
    "LatentPoint",
    "LatentService",
    "Limits",
    "Point",
    "Posterior",
    "SeedPoint",
    "ServedModel",
    "Ticket",
]


class Posterior(NamedTuple):
    """q(z|x) of some rows, and a latent of each: [n, *latent_shape] all three."""

    mean: Floats
    log_var: Floats
    latents: Floats  # the mean, or a draw where a seed was given


# What `find` gives and every verb takes.
ServedModel = LoadedModel


class LatentService:
    """The verbs of a latent space; each awaits the device that its model is on.

    Every verb takes the request's `ticket`, which says how long it may wait and is told where the
    time went. Those that answer data give float32 [n, *data_shape], or with `levels`, for images
    alone, uint8 [n, H, W, C]: 0 … 255, as pictures have them.
    """

    def __init__(self, pool: ModelPool, batcher: Batcher, limits: Limits, store: Path) -> None:
        self._store = store
        self._pool = pool
        self._batcher = batcher
        self.limits = limits
        self._rare = {name: OncePerModel[Operation]() for name in RARE}
        self._made: dict[type, OncePerModel[Any]] = {}

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """Every model that answers, the default one first."""
        return self._pool.models

    def find(self, reference: str | None = None) -> ServedModel:
        """The model of a name or name@version, or the default one; raises ModelNotServed."""
        return self._pool.default if reference is None else self._pool.find(reference)

    def made_once(self, kind: type[T]) -> OncePerModel[T]:
        """Where what is made of a model once is kept: of each kind one."""
        return self._made.setdefault(kind, OncePerModel[T]())

    async def encode(
        self, model: ServedModel, x: Floats, ticket: Ticket, seed: int | None = None
    ) -> Posterior:
        """The posterior of `x` [n, *data_shape]; latents are its mean, or drawn with `seed`."""
        answer = await self._run(model.encode, x, ticket)
        mean, log_var = answer[:, 0], answer[:, 1]
        if seed is None:
            return Posterior(mean, log_var, mean)
        noise = await self.noise(model, seed, len(x), ticket)
        draw = partial(latent_math.draw_posterior, mean, log_var, noise)
        return Posterior(mean, log_var, await offload(draw, noise.nbytes, ticket))

    async def decode(
        self, model: ServedModel, z: Floats, ticket: Ticket, *, levels: bool = False
    ) -> Rows:
        """The likelihood's mean of latents `z` [n, *latent_shape]."""
        self.limits.check("max_rows", len(z), "rows")
        return await self._batcher.run(model.decode, z, ticket, levels=levels)

    async def decode_numbers(self, model: ServedModel, z: Floats, ticket: Ticket) -> Floats:
        """The same in numbers, to go on with."""
        return await self._run(model.decode, z, ticket)

    async def sample(
        self, model: ServedModel, draws: Draws, ticket: Ticket, *, levels: bool = False
    ) -> Rows:
        """Rows decoded from the prior; row i depends on (seed, i) alone."""
        num_samples, seed, temperature = draws
        self.limits.check("max_rows", num_samples, "samples")
        # To draw the noise of thousands of rows takes longer than to refuse them.
        ticket.reserve(num_samples * (model.data_bytes + 3 * model.latent_bytes))
        self._batcher.check_room(num_samples, ticket)
        noise = await self.noise(model, seed, num_samples, ticket)
        z = await self.from_prior(model, latent_math.temper(noise, temperature), ticket)
        return await self.decode(model, z, ticket, levels=levels)

    async def stream_samples(
        self, model: ServedModel, draws: Draws, ticket: Ticket, *, levels: bool = False
    ) -> AsyncGenerator[Rows, None]:
        """The rows of `sample`, any number of them, in parts of two batches.

        The next part is computed while the last one is consumed, and no further ahead: whoever
        reads slowly slows the drawing down, and memory holds two parts whatever the number.
        """
        num_samples, seed, temperature = draws
        self.limits.check("max_streamed_rows", num_samples, "samples")
        noise = latent_math.Noise(seed, model.manifest.latent_shape)
        row_bytes = model.data_bytes + 3 * model.latent_bytes
        most = min(2 * model.decode.buckets.sizes[-1], self.limits.max_rows)
        most = max(1, min(most, PART_BYTES // row_bytes))

        async def part(num_rows: int, *, first: bool = False) -> Rows:
            ticket.renew()
            draw = partial(noise.rows, num_rows)
            drawn = await offload(draw, num_rows * model.latent_bytes, ticket)
            rows = latent_math.temper(drawn, temperature)
            while True:
                try:
                    # One part is written while the next one is computed.
                    ticket.reserve(2 * most * row_bytes)
                    z = await self.from_prior(model, rows, ticket)
                    return await self.decode(model, z, ticket, levels=levels)
                except Overloaded as full:
                    # Only the first part is refused: what has begun waits for room.
                    if first or ticket.expires < time.monotonic() + full.retry_after:
                        raise
                    await asyncio.sleep(min(full.retry_after, LONGEST_PAUSE))

        whole, rest = divmod(num_samples, most)
        sizes = [most] * whole + [rest] * (rest > 0)
        coming = asyncio.ensure_future(part(sizes[0], first=True))
        try:
            for size in sizes[1:]:
                ready = await coming
                coming = asyncio.ensure_future(part(size))
                yield ready
            yield await coming
        finally:
            coming.cancel()
            ticket.release()

    async def densities(self, model: ServedModel, pairs: Floats, ticket: Ticket) -> Floats:
        """log p(x | z) and log p(z), [n, 2], of x and z one after the other, taken flat [n, …]."""
        if "densities" not in model.rare:
            raise BadValue(
                f"{model.id} was published without its likelihood or its prior's density, so its "
                "rows have no score"
            )
        return await self._run(await self.ready(model, "densities", ticket), pairs, ticket)

    async def level_probabilities(self, model: ServedModel, z: Floats, ticket: Ticket) -> Floats:
        """p(xᵢ = k / 255 | z) for `z` [n, *latent_shape], where the model has that:
        [n, *data_shape, 256].
        """
        return await self._run(await self.ready(model, "level_probabilities", ticket), z, ticket)

    async def ready(self, model: ServedModel, name: Rare, ticket: Ticket) -> Operation:
        """An operation that the model has and few ask for; the first has it proven."""

        async def made(_: Ticket) -> Operation:
            return await self._batcher.call(model.rare[name])

        return await self._rare[name].of(model, made, ticket)

    async def in_parts(
        self, ask: Callable[[Floats], Awaitable[Floats]], rows: Floats, row_bytes: int
    ) -> Floats:
        """`ask` of more rows than one call may have, each of which takes `row_bytes` there."""
        most = max(1, min(self.limits.max_rows, PART_BYTES // row_bytes))
        found: Floats | None = None
        for start in range(0, len(rows), most):
            part = await ask(rows[start : start + most])
            if found is None:
                found = np.empty((len(rows), *part.shape[1:]), part.dtype)
            found[start : start + most] = part
        assert found is not None
        return found

    async def noise(self, model: ServedModel, seed: int, count: int, ticket: Ticket) -> Floats:
        """The first `count` rows of a seed's noise, [count, *latent_shape]."""
        shape, num_bytes = model.manifest.latent_shape, count * model.latent_bytes
        if num_bytes <= INLINE_BYTES:
            return latent_math.row_noise(seed, count, shape)
        return await offload(partial(latent_math.Noise(seed, shape).rows, count), num_bytes, ticket)

    async def neighbours(
        self, model: ServedModel, z: Floats, count: int, ticket: Ticket
    ) -> Neighbours:
        """The `count` training rows nearest to each of `z` [n, *latent_shape], the nearest first.

        Reads the model's index when it is asked for the first time.
        """

        async def opened(_: Ticket) -> NeighbourIndex:
            return await offload(partial(open_index, self._store, model.manifest))

        index = await self.made_once(NeighbourIndex).of(model, opened, ticket)
        return await offload(partial(index.nearest, z, count), ticket=ticket)

    async def data(self, model: ServedModel, points: Sequence[Point], ticket: Ticket) -> Floats:
        """The points' data [P, *data_shape]: as given, or decoded from their latents."""
        self.limits.check("max_rows", len(points), "rows")
        # Once as they were given, once together.
        ticket.reserve(2 * len(points) * model.data_bytes)
        x: Floats = np.empty((len(points), *model.manifest.data.shape), np.float32)
        latent = [place for place, point in enumerate(points) if not isinstance(point, DataPoint)]

        def gather() -> None:
            for place, point in enumerate(points):
                if isinstance(point, DataPoint):
                    x[place] = point.x

        await offload(gather, x.nbytes, ticket)
        if latent:
            z = await self.locate(model, [points[place] for place in latent], ticket)
            x[latent] = await self.decode_numbers(model, z, ticket)
        return x

    async def locate(self, model: ServedModel, points: Sequence[Point], ticket: Ticket) -> Floats:
        """The points' latents [P, *latent_shape]; each operation is asked once, for all of them."""
        shape = model.manifest.latent_shape
        latents: Floats = np.empty((len(points), *shape), np.float32)
        drawn = {place: point for place, point in enumerate(points) if isinstance(point, SeedPoint)}
        data = [place for place, point in enumerate(points) if isinstance(point, DataPoint)]
        for place, point in enumerate(points):
            if isinstance(point, LatentPoint):
                latents[place] = point.latent
        if drawn:
            noise = await self._noise_of(model, [*drawn.values()], ticket)
            latents[[*drawn]] = await self.from_prior(model, noise, ticket)
        if data:
            ticket.reserve(2 * len(data) * model.data_bytes)
            given = [point.x for point in points if isinstance(point, DataPoint)]
            x = await offload(partial(np.stack, given), len(data) * model.data_bytes, ticket)
            latents[data] = (await self._run(model.encode, x, ticket))[:, 0]
        return latents

    async def _noise_of(
        self, model: ServedModel, points: Sequence[SeedPoint], ticket: Ticket
    ) -> Floats:
        """[n, *shape]; each seed is drawn from once, as far as its last row that is asked for."""
        lasts: dict[int, int] = {}
        for point in points:
            lasts[point.seed] = max(point.row, lasts.get(point.seed, 0))
        num_drawn = sum(lasts.values()) + len(lasts)
        self.limits.check("max_rows", num_drawn, "samples of seeds")
        ticket.reserve((num_drawn + 2 * len(points)) * model.latent_bytes)
        rows = {
            seed: await self.noise(model, seed, last + 1, ticket) for seed, last in lasts.items()
        }
        return np.stack(
            [rows[point.seed][point.row] * np.float32(point.temperature) for point in points]
        )

    async def from_prior(self, model: ServedModel, noise: Floats, ticket: Ticket) -> Floats:
        """The latents of `noise` [n, *latent_shape] from N(0, I), by the model's prior."""
        return await self._run(model.prior, noise, ticket) if model.prior else noise

    async def _run(self, operation: Operation, rows: Floats, ticket: Ticket) -> Floats:
        self.limits.check("max_rows", len(rows), "rows")
        return (await self._batcher.run(operation, rows, ticket)).astype(np.float32, copy=False)
