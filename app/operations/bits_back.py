"""Images on a stack of bits and off it again, each at the cost of its −ELBO: bits back.

Townsend, Bird & Barber, "Practical lossless compression with latent variables using bits back
coding" (ICLR 2019). To code x, a latent z is popped from the stack under q(z | x), which takes bits
off it; then x is pushed under p(x | z) and z under p(z). Whoever pops z and x knows q(z | x) too,
and pushes the bits back.

What lies on top, a latent's code, is not quite random where the prior is not quite the posteriors'
average, and a latent drawn by it is worse than one drawn by chance: that cost 1 % of all bits with
a small model. So what is popped has pseudo-random numbers added before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from app.arrays import Floats
from app.entropy_coder import Doubles, Stack, Symbols
from app.latent_codes import UNIT, LatentCode
from app.service import LatentService, ServedModel, Ticket
from app.worker_threads import offload

# Images that pass the networks together; what a file's images are coded in, so part of its format.
TOGETHER = 64


@dataclass(frozen=True)
class BitsBack:
    """A model that codes images of zeros and ones [n, *data_shape]."""

    service: LatentService
    model: ServedModel
    latents: LatentCode
    ticket: Ticket

    async def push(self, stack: Stack, x: Floats) -> None:
        """Put images on the stack, the last one on top."""
        for group in _groups(len(x)):
            rows = x[group]
            mean, deviation = await self._posterior(rows)
            stack.mask(len(mean), group.start)
            places = stack.pop_near(mean, deviation).reshape(len(rows), -1)
            p = await self._white(places)
            await offload(partial(self._push, stack, rows, places, p))

    async def pop(self, stack: Stack, count: int) -> Floats:
        """Take `count` images off the stack that `push` put there at once."""
        shape = self.model.manifest.data.shape
        x: Floats = np.empty((count, *shape), np.float32)
        for group in reversed([*_groups(count)]):
            num_rows = group.stop - group.start
            places = await offload(partial(self.latents.pop, stack, num_rows))
            p = await self._white(places)
            sides = await offload(partial(stack.pop_coins, p))
            x[group] = sides.reshape(num_rows, *shape)
            mean, deviation = await self._posterior(x[group])
            stack.push_near(places.reshape(-1), mean, deviation)
            stack.unmask(len(mean), group.start)
        return x

    def _push(self, stack: Stack, rows: Floats, places: Symbols, p: Doubles) -> None:
        stack.push_coins(rows.reshape(-1).astype(np.int32), p)
        self.latents.push(stack, places)

    async def _posterior(self, x: Floats) -> tuple[Doubles, Doubles]:
        """q(z | x) of all numbers of the latents, in buckets of their grid."""
        answer = await self.service.encode(self.model, x, self.ticket)
        mean, log_var = (
            part.reshape(len(x), -1).astype(np.float64) for part in (answer.mean, answer.log_var)
        )
        bucket = self.latents.scale / UNIT
        mean, deviation = (mean - self.latents.centre) / bucket, np.exp(0.5 * log_var) / bucket
        return mean.reshape(-1), deviation.reshape(-1)

    async def _white(self, places: Symbols) -> Doubles:
        """The probability of white of all pixels, given the latents' buckets [n, D]."""
        z = places * (self.latents.scale / UNIT) + self.latents.centre
        rows = z.astype(np.float32).reshape(-1, *self.model.manifest.latent_shape)
        p = await self.service.decode_numbers(self.model, rows, self.ticket)
        return p.reshape(-1).astype(np.float64)

    def most_bits(self, count: int) -> int:
        """More than the posteriors of `count` images ever take off the stack at once."""
        return 32 * prod(self.model.manifest.latent_shape) * min(count, TOGETHER)


def _groups(count: int) -> Iterator[slice]:
    """One image, then ever more: the first finds no bits to get back, the next ones its own."""
    start = 0
    while start < count:
        stop = min(start + min(1 + start // 4, TOGETHER), count)
        yield slice(start, stop)
        start = stop
