"""Images of a request: files as they come, in a form or in base64, read all in one go."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import numpy as np

from app.arrays import Floats
from app.errors import BadValue
from app.form_files import form_effort, read_form
from app.images import Bounds, read_images
from app.media_types import file_of_base64
from app.routes.exchange import Exchange
from app.worker_threads import INLINE_BYTES, offload

# What to open a file takes, in the time of as many bytes: some 16 files are read on the event loop.
FILE_BYTES = INLINE_BYTES >> 4
PNG, JPEG = b"\x89PNG", b"\xff\xd8"
# Base64 that holds two dozen frames at most: each is three chunks.
SMALL_TEXT = 2048


async def read_files(exchange: Exchange, files: Sequence[bytes]) -> Floats:
    """Read files [n, *data_shape], every frame of an animation a row."""
    return await _read(exchange, lambda: files, files)


async def read_texts(exchange: Exchange, texts: Sequence[str], *, still: bool) -> Floats:
    """Read files in base64, of one frame each if they are to be `still`."""
    return await _read(exchange, lambda: _decode_base64(texts), texts, still=still)


async def read_mask(exchange: Exchange, mask: str) -> Floats:
    """A mask [1, H, W]: 1 where it is white."""
    data = exchange.model.manifest.data
    if data.kind != "image":
        raise BadValue(f"{exchange.model.model} takes rows of numbers, which have no mask")
    shape = (1, *data.shape[1:])

    def read() -> Floats:
        files = _decode_base64([mask], "mask")
        # What is transparent in a mask is not white in it.
        return read_images(
            files, shape, "mask", ground="black", bounds=_bounds(exchange), still=True
        )

    read_one = await offload(read, _cost([mask], shape), exchange.ticket)
    hidden: Floats = np.rint(read_one[0])
    return hidden


async def form_files(exchange: Exchange) -> list[bytes]:
    """Read the files of a form, in the field `images`."""
    body = await exchange.body()
    exchange.ticket.reserve(len(body))
    content_type = exchange.headers.get(b"content-type", b"")
    check = partial(exchange.service.limits.check, "max_rows", what="images")
    read = partial(read_form, body, content_type, b"images", check)
    return await offload(read, form_effort(body), exchange.ticket)


async def _read(
    exchange: Exchange,
    decoded: Callable[[], Sequence[bytes]],
    given: Sequence[bytes | str],
    *,
    still: bool = False,
) -> Floats:
    """The images of a request, all in one go and off the event loop unless it is quickly done.

    `given` are their bytes or their base64, by which the time is judged; `decoded` their bytes.
    """
    data = exchange.model.manifest.data
    if data.kind != "image":
        raise BadValue(
            f"{exchange.model.model} takes rows of {data.shape[0]} numbers, not images: send JSON "
            '{"rows": [[…], …]} or .npy'
        )
    # The frames of animations are counted too, but only once the files have been opened.
    exchange.service.limits.check("max_rows", len(given), "images")
    bounds = _bounds(exchange)
    # A file of a kilobyte may unpack to megabytes, and an animation to as much as one may hold.
    single = still or all(map(_is_still, given))
    most = max(1, min(bounds.max_rows, bounds.max_pixels // prod(data.shape[1:])))
    exchange.ticket.reserve((len(given) if single else most) * exchange.model.data_bytes)

    def read() -> Floats:
        return read_images(decoded(), data.shape, ground=data.ground, bounds=bounds, still=still)

    cost = _cost(given, data.shape) if single else INLINE_BYTES + 1
    return await offload(read, cost, exchange.ticket)


def _bounds(exchange: Exchange) -> Bounds:
    return Bounds(exchange.settings.max_rows, exchange.settings.max_pixels)


def _cost(given: Sequence[bytes | str], shape: tuple[int, ...]) -> int:
    """What to read these images takes, in the time of as many bytes."""
    return sum(map(len, given)) + len(given) * (FILE_BYTES + prod(shape))


def _is_still(file: bytes | str) -> bool:
    """Whether it is sure at first sight that the file has one frame, or a few small ones."""
    if isinstance(file, bytes):
        return file.startswith(JPEG) or (file.startswith(PNG) and b"acTL" not in file)
    start = file[:100]
    start = start.partition(",")[2] if start.startswith("data:") else start
    return start.startswith("/9j/") or (start.startswith("iVBO") and len(file) < SMALL_TEXT)


def _decode_base64(texts: Sequence[str], what: str = "image") -> list[bytes]:
    return [file_of_base64(text, f"{what} {number}") for number, text in enumerate(texts)]
