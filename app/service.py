"""What a latent space is asked, on arrays: encode, decode, sample, and where points lie.

Everything here is a pure function of the model and the arguments: noise is drawn from (seed, row)
before any batching. Rows are checked for shape and range by whoever parses them; how many there are
is checked here, for every protocol alike. Knows no HTTP and no pictures.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app import latent_math
from app.arrays import Floats, Rows
from app.engine.batcher import Batcher
from app.engine.entry import Ticket
from app.engine.loaded_model import RARE, LoadedModel, Operation, Rare
from app.engine.model_pool import ModelPool
from app.errors import BadValue, LimitExceeded, Overloaded
from app.neighbour_index import NeighbourIndex, Neighbours, open_index
from app.once import OncePerModel
from app.worker_threads import offload

# Seconds after which a stream that found the queue full looks again.
LONGEST_PAUSE = 0.25

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


class SeedPoint(NamedTuple):
    """The point that a sample of a seed has: the first one, at temperature 1, unless it is said."""

    seed: int
    row: int = 0
    temperature: float = 1.0


class LatentPoint(NamedTuple):
    """A point given by its latent [*latent_shape]."""

    latent: Floats


class DataPoint(NamedTuple):
    """A point given by data [*data_shape]: the mean of its posterior."""

    x: Floats


Point = SeedPoint | LatentPoint | DataPoint


class Draws(NamedTuple):
    """Samples of the prior; `temperature` scales its deviation: 1 is the model, 0 its centre."""

    num_samples: int
    seed: int
    temperature: float = 1.0


@dataclass(frozen=True)
class Limits:
    """What one request may ask for; each field is the setting LATENTD_<FIELD>."""

    max_rows: int
    max_streamed_rows: int
    max_steps: int
    max_points: int
    max_draws: int

    def check(self, setting: str, given: int, what: str) -> None:
        """Raise LimitExceeded if `given` is more of `what` than the setting allows."""
        limit = getattr(self, setting)
        if given > limit:
            raise LimitExceeded(
                f"{given} {what}: one request may have at most {limit}; ask for fewer at a time, "
                f"or have the operator raise LATENTD_{setting.upper()}"
            )


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
        self._neighbours = OncePerModel[NeighbourIndex]()
        self._pool = pool
        self._batcher = batcher
        self.limits = limits
        self._rare = {name: OncePerModel[Operation]() for name in RARE}

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """Every model that answers, the default one first."""
        return self._pool.models

    def find(self, reference: str | None = None) -> ServedModel:
        """The model of a name or name@version, or the default one; raises ModelNotServed."""
        return self._pool.default if reference is None else self._pool.find(reference)

    async def encode(
        self, model: ServedModel, x: Floats, ticket: Ticket, seed: int | None = None
    ) -> Posterior:
        """The posterior of `x` [n, *data_shape]; latents are its mean, or drawn with `seed`."""
        answer = await self._run(model.encode, x, ticket)
        mean, log_var = answer[:, 0], answer[:, 1]
        if seed is None:
            return Posterior(mean, log_var, mean)
        noise = latent_math.row_noise(seed, len(x), model.manifest.latent_shape)
        return Posterior(mean, log_var, latent_math.draw_posterior(mean, log_var, noise))

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
        self._batcher.check_room(model.decode, num_samples, ticket)
        noise = latent_math.row_noise(seed, num_samples, model.manifest.latent_shape)
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
        most = min(2 * model.decode.buckets.sizes[-1], self.limits.max_rows)

        async def part(num_rows: int, *, first: bool = False) -> Rows:
            ticket.renew()
            rows = latent_math.temper(noise.rows(num_rows), temperature)
            while True:
                try:
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

    async def in_parts(self, ask: Callable[[Floats], Awaitable[Floats]], rows: Floats) -> Floats:
        """`ask` of more rows than one call may have."""
        most = self.limits.max_rows
        parts = [rows[start : start + most] for start in range(0, len(rows), most)]
        return np.concatenate([await ask(part) for part in parts])

    async def neighbours(
        self, model: ServedModel, z: Floats, count: int, ticket: Ticket
    ) -> Neighbours:
        """The `count` training rows nearest to each of `z` [n, *latent_shape], the nearest first.

        Reads the model's index when it is asked for the first time.
        """

        async def opened(_: Ticket) -> NeighbourIndex:
            return await offload(partial(open_index, self._store, model.manifest))

        index = await self._neighbours.of(model, opened, ticket)
        return await offload(partial(index.nearest, z, count))

    async def data(self, model: ServedModel, points: Sequence[Point], ticket: Ticket) -> Floats:
        """The points' data [P, *data_shape]: as given, or decoded from their latents."""
        self.limits.check("max_rows", len(points), "rows")
        x: Floats = np.empty((len(points), *model.manifest.data.shape), np.float32)
        latent = [place for place, point in enumerate(points) if not isinstance(point, DataPoint)]
        for place, point in enumerate(points):
            if isinstance(point, DataPoint):
                x[place] = point.x
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
            noise = self._noise_of([*drawn.values()], shape)
            latents[[*drawn]] = await self.from_prior(model, noise, ticket)
        if data:
            x = np.stack([point.x for point in points if isinstance(point, DataPoint)])
            latents[data] = (await self._run(model.encode, x, ticket))[:, 0]
        return latents

    def _noise_of(self, points: Sequence[SeedPoint], shape: tuple[int, ...]) -> Floats:
        """[n, *shape]; each seed is drawn from once, as far as its last row that is asked for."""
        lasts: dict[int, int] = {}
        for point in points:
            lasts[point.seed] = max(point.row, lasts.get(point.seed, 0))
        self.limits.check("max_rows", sum(lasts.values()) + len(lasts), "samples of seeds")
        rows = {seed: latent_math.row_noise(seed, last + 1, shape) for seed, last in lasts.items()}
        return np.stack(
            [rows[point.seed][point.row] * np.float32(point.temperature) for point in points]
        )

    async def from_prior(self, model: ServedModel, noise: Floats, ticket: Ticket) -> Floats:
        """The latents of `noise` [n, *latent_shape] from N(0, I), by the model's prior."""
        return await self._run(model.prior, noise, ticket) if model.prior else noise

    async def _run(self, operation: Operation, rows: Floats, ticket: Ticket) -> Floats:
        self.limits.check("max_rows", len(rows), "rows")
        return (await self._batcher.run(operation, rows, ticket)).astype(np.float32, copy=False)
