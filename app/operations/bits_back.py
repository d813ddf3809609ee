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

from app.arrays import FLOAT_BYTES, NUM_LEVELS, Doubles, Floats
from app.entropy_coder import Stack, Symbols
from app.latent_codes import UNIT, LatentCode
from app.service import LatentService, ServedModel, Ticket
from app.worker_threads import offload

# Images that pass the networks together, and all the probabilities of their pixels: what a file's
# images are coded in, so part of its format.
TOGETHER = 64
PROBABILITIES = 2**22
# To code a symbol by a normal of its own takes as long as to draw so many bytes.
SYMBOL_BYTES = 80


@dataclass(frozen=True)
class BitsBack:
    """A model that codes images [n, *data_shape] whose numbers have so many levels, 0 to 1."""

    service: LatentService
    model: ServedModel
    latents: LatentCode
    num_levels: int
    """2, which the decoder's mean tells the probabilities of, or 256."""
    ticket: Ticket

    async def push(self, stack: Stack, x: Floats) -> None:
        """Put images on the stack, the last one on top."""
        for group in self._groups(len(x)):
            rows = x[group]
            mean, deviation = await self._posterior(rows)
            draw = partial(self._draw, stack, mean, deviation, group.start)
            places = (await offload(draw, SYMBOL_BYTES * len(mean), self.ticket)).reshape(
                len(rows), -1
            )
            p = await self._probabilities(places)
            await offload(partial(self._push, stack, rows, places, p), ticket=self.ticket)

    async def pop(self, stack: Stack, count: int) -> Floats:
        """Take `count` images off the stack that `push` put there at once."""
        shape = self.model.manifest.data.shape
        x: Floats = np.empty((count, *shape), np.float32)
        for group in reversed([*self._groups(count)]):
            num_rows = group.stop - group.start
            places = await offload(partial(self.latents.pop, stack, num_rows), ticket=self.ticket)
            p = await self._probabilities(places)
            levels = await offload(partial(stack.pop_choices, p), ticket=self.ticket)
            x[group] = numbers(levels, self.num_levels).reshape(num_rows, *shape)
            mean, deviation = await self._posterior(x[group])
            undo = partial(self._undo, stack, places.reshape(-1), mean, deviation, group.start)
            await offload(undo, SYMBOL_BYTES * len(mean), self.ticket)
        return x

    def _draw(self, stack: Stack, mean: Doubles, deviation: Doubles, key: int) -> Symbols:
        stack.mask(len(mean), key)
        return stack.pop_near(mean, deviation)

    def _undo(
        self, stack: Stack, places: Symbols, mean: Doubles, deviation: Doubles, key: int
    ) -> None:
        stack.push_near(places, mean, deviation)
        stack.unmask(len(mean), key)

    def _push(self, stack: Stack, rows: Floats, places: Symbols, p: Floats) -> None:
        stack.push_choices(nearest_levels(rows, self.num_levels).reshape(-1), p)
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

    async def _probabilities(self, places: Symbols) -> Floats:
        """Of each number's levels [m, num_levels], given the latents' buckets [n, D]."""
        buckets = places * (self.latents.scale / UNIT) + self.latents.centre
        z = buckets.astype(np.float32).reshape(-1, *self.model.manifest.latent_shape)
        if self.num_levels == NUM_LEVELS:
            found = await self.service.level_probabilities(self.model, z, self.ticket)
            return found.reshape(-1, NUM_LEVELS)
        white = (await self.service.decode_numbers(self.model, z, self.ticket)).reshape(-1)
        return np.stack([1 - white, white], 1)

    @property
    def _together(self) -> int:
        numbers = self.num_levels * prod(self.model.manifest.data.shape)
        return min(TOGETHER, max(1, PROBABILITIES // numbers))

    def num_bytes(self, count: int) -> int:
        """What coding `count` images takes in memory at most."""
        together = min(count, self._together)
        numbers = self.num_levels * prod(self.model.manifest.data.shape)
        images = count * (6 * self.model.data_bytes + 2 * self.model.latent_bytes)
        return images + together * FLOAT_BYTES * 4 * numbers

    def most_bits(self, count: int) -> int:
        """More than the posteriors of `count` images ever take off the stack at once."""
        return 32 * prod(self.model.manifest.latent_shape) * min(count, self._together)

    def _groups(self, count: int) -> Iterator[slice]:
        """One image, then ever more: the first finds no bits to get back, the next ones its own."""
        start = 0
        while start < count:
            stop = min(start + min(1 + start // 4, self._together), count)
            yield slice(start, stop)
            start = stop


def nearest_levels(x: Floats, num_levels: int) -> Symbols:
    """0 … num_levels − 1 for numbers from 0 to 1."""
    levels: Symbols = np.rint(x * np.float32(num_levels - 1)).astype(np.int32)
    return levels


def numbers(levels: Symbols, num_levels: int) -> Floats:
    """The numbers that levels stand for."""
    return levels.astype(np.float32) / np.float32(num_levels - 1)
