"""Bodies that come in several media types: data for `/encode`, latents for `/decode`."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from app import media_types
from app.arrays import FLOAT_BYTES, Floats
from app.errors import BadValue
from app.formats import npy
from app.media_types import JSON
from app.routes.exchange import Exchange
from app.routes.image_bodies import form_files, read_files, read_texts
from app.routes.lean_route import media_type_of, parse_json, unsupported
from app.routes.numbers import images_from_array, rows_from_array, rows_from_lists
from app.routes.wire_types import DecodeRequest, EncodeRequest, Point, PointsRequest
from app.service import DataPoint, LatentPoint, SeedPoint
from app.service import Point as ServicePoint
from app.worker_threads import INLINE_BYTES, offload

NPY = (media_types.NPY, "application/octet-stream")
IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/apng")
# To check a number of a list takes longer than to draw so many bytes for each of its own.
LIST_EFFORT = 4


BINARY = {"schema": {"type": "string", "format": "binary"}}
FILES = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
FILES_OF_A_FORM = {"type": "object", "properties": {"images": FILES}, "required": ["images"]}


def documented(question: type[BaseModel], *, files: bool) -> dict[str, Any]:
    """What a body may be, for the documentation: JSON, `.npy`, and files of images if so."""
    schema = question.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    content: dict[str, Any] = {JSON: {"schema": schema}, NPY[0]: BINARY}
    if files:
        form = {"schema": FILES_OF_A_FORM}
        content |= dict.fromkeys(IMAGES, BINARY) | {"multipart/form-data": form}
    return {"requestBody": {"required": True, "content": content}}


async def read_latents(exchange: Exchange) -> Floats:
    """The latents [n, *latent_shape] of a `/decode` body: JSON or `.npy`."""
    shape = exchange.model.manifest.latent_shape
    media_type = media_type_of(exchange)
    body = await exchange.body()
    if media_type in NPY:
        return await _read_array(exchange, body, partial(rows_from_array, what="latents"), shape)
    if media_type == JSON:
        latents = parse_json(exchange, DecodeRequest, body).latents
        return await _read_lists(exchange, latents, shape, "latents")
    raise unsupported(media_type, JSON, NPY[0])


async def read_data(exchange: Exchange) -> Floats:
    """The data [n, *data_shape] of an `/encode` body: an image, a form, JSON or `.npy`."""
    media_type = media_type_of(exchange)
    if media_type == "multipart/form-data":
        return await read_files(exchange, await form_files(exchange))
    body = await exchange.body()
    if media_type in IMAGES:
        return await read_files(exchange, [body])
    if media_type in NPY:
        data = exchange.model.manifest.data
        if data.kind == "image":
            return await _read_array(exchange, body, images_from_array, data.shape)
        return await _read_array(exchange, body, partial(rows_from_array, what="rows"), data.shape)
    if media_type == JSON:
        request = parse_json(exchange, EncodeRequest, body)
        if request.images is not None:
            return await read_texts(exchange, request.images, still=False)
        return await _rows_of_numbers(exchange, request.rows or [])
    raise unsupported(media_type, *IMAGES, "multipart/form-data", JSON, NPY[0])


async def read_points(exchange: Exchange) -> list[ServicePoint]:
    """The points of a body: JSON `{"points": [P, …]}`, or other data as `/encode` takes."""
    if media_type_of(exchange) != JSON:
        return [DataPoint(x) for x in await read_data(exchange)]
    question = parse_json(exchange, PointsRequest, await exchange.body())
    return await read_each(exchange, question.points)


async def read_each(exchange: Exchange, points: Sequence[Point]) -> list[ServicePoint]:
    """Points as the service takes them; their images are read in one go."""
    unpacked = sum(point.image is not None or point.row is not None for point in points)
    exchange.ticket.reserve(2 * unpacked * exchange.model.data_bytes)
    texts = [point.image for point in points if point.image is not None]
    images = iter(await read_texts(exchange, texts, still=True) if texts else ())
    return [
        await _point(exchange, point) if point.image is None else DataPoint(next(images))
        for point in points
    ]


async def read_point(exchange: Exchange, point: Point) -> ServicePoint:
    """A single point as the service takes it."""
    return (await read_each(exchange, [point]))[0]


async def _point(exchange: Exchange, point: Point) -> ServicePoint:
    if point.seed is not None:
        return SeedPoint(point.seed, point.index, point.temperature)
    if point.row is not None:
        return DataPoint((await _rows_of_numbers(exchange, [point.row]))[0])
    shape = exchange.model.manifest.latent_shape
    return LatentPoint((await _read_lists(exchange, [point.latent], shape, "latent"))[0])


async def _read_array(
    exchange: Exchange,
    body: bytes,
    read: Callable[[NDArray[np.generic], tuple[int, ...]], Floats],
    shape: tuple[int, ...],
) -> Floats:
    """The array of a `.npy` body as rows, no more than there may be."""
    array = npy.read(body)
    if array.ndim:
        exchange.service.limits.check("max_rows", len(array), "rows")
    exchange.ticket.reserve(2 * FLOAT_BYTES * array.size)
    work = partial(read, array, shape)
    return exchange.note(await offload(work, FLOAT_BYTES * array.size, exchange.ticket))


async def _read_lists(
    exchange: Exchange, rows: Sequence[object], shape: tuple[int, ...], what: str
) -> Floats:
    """Nested lists as rows, no more than there may be."""
    exchange.service.limits.check("max_rows", len(rows), "rows")
    num_bytes = len(rows) * FLOAT_BYTES * prod(shape)
    exchange.ticket.reserve(num_bytes)
    if LIST_EFFORT * num_bytes <= INLINE_BYTES:  # as most are
        return exchange.note(rows_from_lists(rows, shape, what))
    work = partial(rows_from_lists, rows, shape, what)
    return exchange.note(await offload(work, ticket=exchange.ticket))


async def _rows_of_numbers(exchange: Exchange, rows: Sequence[object]) -> Floats:
    data = exchange.model.manifest.data
    if data.kind == "image":
        raise BadValue(
            f"{exchange.model.model} takes images, not rows of numbers: send image files, or .npy"
        )
    return await _read_lists(exchange, rows, data.shape, "rows")
