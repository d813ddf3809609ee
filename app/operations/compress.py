"""Images to a file of few bytes and back without loss, by the model itself.

The first image of a file finds no bits on the stack to get back. Pseudo-random words, the same
ones for every file, lie at its bottom; those of them that were used are in the file, and counted.
"""

import hashlib
from functools import partial
from typing import NamedTuple

import numpy as np

from app import latent_math
from app.arrays import NUM_LEVELS, Floats, Rows, to_levels
from app.compressed_file import Compressed, Head, NumLevels
from app.entropy_coder import Stack, Words
from app.errors import BadBody, BadValue, DeviceFailed
from app.latent_codes import SAMPLES, LatentCode, fitted, standard
from app.operations.bits_back import BitsBack, nearest_levels, numbers
from app.service import LatentService, ServedModel, Ticket
from app.worker_threads import offload

SEED = 0
TRIED = 8  # fixed images by which one machine is told from another
NEAR = 1e-3  # of a level, for a number that was divided and multiplied on its way here


class Codec(NamedTuple):
    """What is made ready for a model once."""

    latents: LatentCode
    host: str
    """A digest of what the model computes here for fixed images."""


class Coded(NamedTuple):
    """A file, and how many of its bytes are what."""

    file: bytes
    coded: int
    """Of the stack."""
    initial: int
    """Of the stack's pseudo-random words, which are among those."""


async def compress(service: LatentService, model: ServedModel, x: Floats, ticket: Ticket) -> Coded:
    """`x` [n, *data_shape] of a model's levels as a file, which has been read again once."""
    num_levels = await _num_levels(service, model, ticket)
    ticket.reserve(4 * x.nbytes)
    x = await offload(partial(_on_levels, model, x, num_levels), 4 * x.nbytes, ticket)
    latents, host = await _codec(service, model, num_levels, ticket)
    coder = BitsBack(service, model, latents, num_levels, ticket)
    ticket.reserve(coder.num_bytes(len(x)))
    initial = _initial(coder.most_bits(len(x)) // 32)
    stack = Stack(initial)
    await coder.push(stack, x)
    words = stack.words()[stack.untouched :]
    head = Head(
        model=model.id,
        sha256=model.manifest.file.sha256,
        precision=model.precision,
        host=host,
        num_levels=num_levels,
        count=len(x),
        rows=await offload(partial(_digest, x, num_levels), 4 * x.nbytes, ticket),
    )
    file = Compressed(head, words)
    try:
        await decompress(service, model, file, ticket)
    except BadBody:
        raise DeviceFailed(
            f"{model.id} did not compute the same numbers twice, so what was written could not be "
            "read again, and is not answered; try again"
        ) from None
    return Coded(file.packed(), words.nbytes, initial[stack.untouched :].nbytes)


async def decompress(
    service: LatentService,
    model: ServedModel,
    file: Compressed,
    ticket: Ticket,
    *,
    levels: bool = False,
) -> Rows:
    """The images [n, *data_shape] of a file; BadValue where another model or machine wrote it."""
    head = file.head
    _check_head(model, head)
    service.limits.check("max_rows", head.count, "images")
    num_levels = await _num_levels(service, model, ticket)
    latents, host = await _codec(service, model, num_levels, ticket)
    if head.host != host:
        raise BadValue(
            f"the file was written where {model.id} computes other last digits than here, on "
            "another processor or device or by other libraries: send it to a service like that"
        )
    damaged = BadBody("what is in the file does not decode to the images that it was made of")
    if head.num_levels != num_levels:
        raise damaged
    try:
        stack = Stack(file.words)
        coder = BitsBack(service, model, latents, num_levels, ticket)
        ticket.reserve(coder.num_bytes(head.count))
        x = await coder.pop(stack, head.count)
    except ValueError:
        raise damaged from None
    left = stack.words()
    digest = await offload(partial(_digest, x, num_levels), 4 * x.nbytes, ticket)
    if digest != head.rows or not np.array_equal(left, _initial(len(left))):
        raise damaged
    return await offload(partial(to_levels, x), 4 * x.nbytes, ticket) if levels else x


async def _num_levels(service: LatentService, model: ServedModel, ticket: Ticket) -> NumLevels:
    """That a number of the model's images has; BadValue where it cannot code them."""
    manifest, tolerance = model.manifest, model.tolerance
    if "level_probabilities" in model.rare and manifest.data.kind == "image":
        found: NumLevels = NUM_LEVELS
        operation = await service.ready(model, "level_probabilities", ticket)
        tolerance = max(tolerance, operation.buckets.tolerance)
    elif manifest.data.kind == "image" and manifest.known_support == "binary":
        found = 2
    else:
        raise BadValue(
            f"{model.id} is a model of {manifest.data.kind} with the likelihood "
            f"{manifest.likelihood}; what can be compressed are images, by models of black and "
            "white (whose manifest has the support binary) and by models of 8-bit levels that "
            "export level_probabilities"
        )
    if tolerance != 0:
        raise BadValue(
            f"{model.id} computes a row here to within {tolerance:.2g} alone, depending on "
            "its batch, so it could not read what it wrote: run it on another device, or with a "
            "smaller LATENTD_MAX_BATCH_ROWS"
        )
    return found


def _on_levels(model: ServedModel, x: Floats, num_levels: int) -> Floats:
    """The levels that the numbers are, exactly; BadValue where some are none."""
    exact = numbers(nearest_levels(x, num_levels), num_levels)
    off = np.abs(x - exact) * (num_levels - 1) > NEAR
    if not off.any():
        return exact
    wrong = f"{int(off.sum())} of {x.size} values"
    if num_levels == 2:
        raise BadValue(
            f"{wrong} are neither 0 nor 1 (black nor white), and {model.id} is a model of black "
            "and white: make the images so, or give a threshold from which on a value is white "
            "(?threshold=0.5)"
        )
    raise BadValue(
        f"{wrong} are none of the {num_levels} levels k / {num_levels - 1} of 8 bits, which "
        f"{model.id} is a model of: round them, or send pictures"
    )


def _check_head(model: ServedModel, head: Head) -> None:
    sha256 = model.manifest.file.sha256
    if head.sha256 != sha256:
        raise BadValue(
            f"the file was written by {head.model} (checkpoint {head.sha256[:12]}); this is "
            f"{model.id} (checkpoint {sha256[:12]}): have that model decompress it, where it "
            "is served"
        )
    if head.precision != model.precision:
        raise BadValue(
            f"the file was written in {head.precision}, and {model.id} computes in "
            f"{model.precision} here: have the operator set LATENTD_PRECISION={head.precision}"
        )


async def _codec(
    service: LatentService, model: ServedModel, num_levels: int, ticket: Ticket
) -> Codec:
    """The first call takes some seconds for a learned prior."""

    async def made(own: Ticket) -> Codec:
        shape = model.manifest.latent_shape
        latents = standard(int(np.prod(shape)))
        if model.prior:
            noise = latent_math.row_noise(SEED, SAMPLES, shape)
            drawn = await service.in_parts(
                lambda part: service.from_prior(model, part, own), noise, 2 * model.latent_bytes
            )
            latents = await offload(partial(fitted, drawn))
        coder = BitsBack(service, model, latents, num_levels, own)
        return Codec(latents, await _host(coder))

    return await service.made_once(Codec).of(model, made, ticket)


async def _host(coder: BitsBack) -> str:
    """Over the latents' code, the answers of both networks, bit for bit, and the words that fixed
    images come to, each as a file of its own.
    """
    service, model, ticket = coder.service, coder.model, coder.ticket
    seen = hashlib.sha256()
    for parameter in coder.latents.parameters:
        seen.update(parameter.tobytes())
    for z in latent_math.row_noise(SEED, TRIED, model.manifest.latent_shape):
        means = await service.decode_numbers(model, z[None], ticket)
        x = numbers(nearest_levels(means, coder.num_levels), coder.num_levels)
        mean, log_var, _ = await service.encode(model, x, ticket)
        stack = Stack(_initial(coder.most_bits(1) // 32))
        await coder.push(stack, x)
        for part in (means, mean, log_var, stack.words()):
            seen.update(part.tobytes())
    return seen.hexdigest()[:16]


def _initial(count: int) -> Words:
    """Words whose upper part is the same whatever their number."""
    drawn = np.random.Philox(key=SEED).random_raw(count).astype(np.uint32)
    return drawn[::-1].copy()


def _digest(x: Floats, num_levels: int) -> str:
    levels = nearest_levels(x, num_levels).astype(np.uint8)
    return hashlib.sha256(levels.tobytes()).hexdigest()[:32]
