"""What one can do with a latent space, on tensors: encode, decode, sample, interpolate.

Everything here is a pure function of the model and the arguments: noise is drawn from (seed, row)
before any batching. Rows are checked for shape and range by whoever parses them; the numbers of
rows, points and steps are checked here, for every protocol alike. Knows no HTTP and no images.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from app import latent_math
from app.engine.batcher import Batcher
from app.engine.loaded_model import LoadedModel, Operation
from app.engine.model_pool import ModelPool
from app.errors import BadValue, LimitExceeded, NotFinite


class Posterior(NamedTuple):
    """q(z|x) of some rows, and a latent of each: [n, *latent_shape] all three."""

    mean: Tensor
    log_var: Tensor
    latents: Tensor  # the mean, or a draw where a seed was given


class SeedPoint(NamedTuple):
    """The point that sample 0 of a seed has."""

    seed: int


class LatentPoint(NamedTuple):
    """A point given by its latent [*latent_shape]."""

    latent: Tensor


class DataPoint(NamedTuple):
    """A point given by data [*data_shape]: the mean of its posterior."""

    x: Tensor


Point = SeedPoint | LatentPoint | DataPoint


@dataclass(frozen=True)
class Limits:
    """What one request may ask for; each field is the setting LATENTD_<FIELD>."""

    max_rows: int
    max_steps: int
    max_points: int
    request_timeout: float  # seconds

    def check(self, setting: str, given: int, what: str) -> None:
        """Raise LimitExceeded if `given` is more of `what` than the setting allows."""
        limit = getattr(self, setting)
        if given > limit:
            raise LimitExceeded(
                f"{given} {what}: one request may have at most {limit}; ask for fewer, in several "
                f"requests, or have the operator raise LATENTD_{setting.upper()}"
            )


# What `find` gives and every verb takes.
ServedModel = LoadedModel


class LatentService:
    """The verbs of a latent space; each awaits the device that its model is on."""

    def __init__(self, pool: ModelPool, batcher: Batcher, limits: Limits) -> None:
        self._pool = pool
        self._batcher = batcher
        self.limits = limits

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """Every model that answers, the default one first."""
        return self._pool.models

    def find(self, reference: str | None = None) -> ServedModel:
        """The model of a name or name@version, or the default one; raises ModelNotServed."""
        return self._pool.find(reference) if reference else self._pool.default

    async def encode(self, model: ServedModel, x: Tensor, seed: int | None = None) -> Posterior:
        """The posterior of `x` [n, *data_shape]; latents are its mean, or drawn with `seed`."""
        mean, log_var = (await self._run(model.encode, x)).unbind(1)
        if seed is None:
            return Posterior(mean, log_var, mean)
        noise = latent_math.row_noise(seed, len(x), model.manifest.latent_shape)
        return Posterior(mean, log_var, latent_math.draw_posterior(mean, log_var, noise))

    async def decode(self, model: ServedModel, z: Tensor) -> Tensor:
        """The likelihood's mean [n, *data_shape] of latents `z` [n, *latent_shape]."""
        return await self._run(model.decode, z)

    async def sample(
        self, model: ServedModel, num_samples: int, seed: int, temperature: float = 1.0
    ) -> Tensor:
        """Rows [num_samples, *data_shape] decoded from the prior; row i depends on (seed, i) alone.

        `temperature` scales the prior's standard deviation: 1 is the model, 0 its centre.
        """
        self.limits.check("max_rows", num_samples, "samples")
        return await self.decode(model, await self._latents(model, seed, num_samples, temperature))

    async def interpolate(
        self, model: ServedModel, points: Sequence[Point], steps: int, method: str
    ) -> Tensor:
        """Frames [steps, *data_shape] along the way through two or more points, ends included."""
        self.limits.check("max_points", len(points), "points")
        self.limits.check("max_steps", steps, "steps")
        if len(points) < 2:
            raise BadValue(f"{len(points)} point given; a way needs two or more")
        if steps < len(points):
            raise BadValue(
                f"steps = {steps} for {len(points)} points; the frames count the points in, so ask "
                f"for {len(points)} steps or more"
            )
        # Together, so that points which need the device share its batches.
        latents = await asyncio.gather(*(self._locate(model, point) for point in points))
        return await self.decode(model, latent_math.path(torch.stack(latents), steps, method))

    async def _locate(self, model: ServedModel, point: Point) -> Tensor:
        match point:
            case SeedPoint(seed):
                return (await self._latents(model, seed, 1))[0]
            case DataPoint(x):
                return (await self.encode(model, x[None])).mean[0]
            case LatentPoint(latent):
                return latent

    async def _latents(
        self, model: ServedModel, seed: int, num_samples: int, temperature: float = 1.0
    ) -> Tensor:
        noise = latent_math.row_noise(seed, num_samples, model.manifest.latent_shape) * temperature
        return await self._run(model.prior, noise) if model.prior else noise

    async def _run(self, operation: Operation, rows: Tensor) -> Tensor:
        self.limits.check("max_rows", len(rows), "rows")
        answer = await self._batcher.run(operation, rows, self.limits.request_timeout)
        if not torch.isfinite(answer).all():
            raise NotFinite(
                f"{operation.model} answered NaN or infinity to {operation.name}: "
                "the values given lie too far outside what it was trained on"
            )
        return answer
