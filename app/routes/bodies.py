"""Bodies that come in several media types: data for `/encode`, latents for `/decode`."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from math import inf
from typing import Any

import numpy as np
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.arrays import Floats
from app.errors import BadBody, BadValue
from app.formats import npy
from app.images import read_images
from app.routes.exchange import Exchange
from app.routes.lean_route import JSON, media_type_of, parse_json, unsupported
from app.routes.numbers import images_from_array, rows_from_array, rows_from_lists
from app.routes.wire_types import DecodeRequest, EncodeRequest, Point, PointsRequest
from app.service import DataPoint, LatentPoint, Limits, SeedPoint
from app.service import Point as ServicePoint
from app.worker_threads import offload

NPY = ("application/x-npy", "application/npy", "application/octet-stream")
IMAGES = ("image/png", "image/jpeg", "image/webp")
# What a page sends with its files; none of it is read.
MAX_FIELDS = 16


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
        return rows_from_array(npy.read(body), shape, "latents")
    if media_type == JSON:
        latents = parse_json(exchange, DecodeRequest, body).latents
        exchange.service.limits.check("max_rows", len(latents), "rows")
        return rows_from_lists(latents, shape, "latents")
    raise unsupported(media_type, JSON, NPY[0])


async def read_data(exchange: Exchange) -> Floats:
    """The data [n, *data_shape] of an `/encode` body: an image, a form, JSON or `.npy`."""
    media_type = media_type_of(exchange)
    if media_type == "multipart/form-data":
        return await _read_files(exchange, await _form_files(exchange))
    body = await exchange.body()
    if media_type in IMAGES:
        return await _read_files(exchange, [body])
    if media_type in NPY:
        return _rows_from_npy(exchange, body)
    if media_type == JSON:
        request = parse_json(exchange, EncodeRequest, body)
        if request.images is not None:
            return await _read_files(exchange, _decode_base64(request.images))
        return _rows_of_numbers(exchange, request.rows or [])
    raise unsupported(media_type, *IMAGES, "multipart/form-data", JSON, NPY[0])


async def read_points(exchange: Exchange) -> list[ServicePoint]:
    """The points of a body: JSON `{"points": [P, …]}`, or other data as `/encode` takes."""
    if media_type_of(exchange) != JSON:
        return [DataPoint(x) for x in await read_data(exchange)]
    question = parse_json(exchange, PointsRequest, await exchange.body())
    return [await read_point(exchange, point) for point in question.points]


async def read_point(exchange: Exchange, point: Point) -> ServicePoint:
    """A point of a walk as the service takes it."""
    if point.seed is not None:
        return SeedPoint(point.seed, point.index, point.temperature)
    if point.image is not None:
        return DataPoint((await _read_files(exchange, _decode_base64([point.image])))[0])
    if point.row is not None:
        return DataPoint(_rows_of_numbers(exchange, [point.row])[0])
    shape = exchange.model.manifest.latent_shape
    return LatentPoint(rows_from_lists([point.latent], shape, "latent")[0])


async def read_mask(exchange: Exchange, mask: str) -> Floats:
    """A mask [1, H, W]: 1 where it is white."""
    data = exchange.model.manifest.data
    if data.kind != "image":
        raise BadValue(f"{exchange.model.model} takes rows of numbers, which have no mask")
    files, shape = _decode_base64([mask], "mask"), (1, *data.shape[1:])
    read = await offload(lambda: read_images(files, shape, "mask"), len(mask))
    hidden: Floats = np.rint(read[0])
    return hidden


class _Form(MultiPartParser):
    """Starlette's reader, which also counts images and knows whether the form came to its end."""

    def __init__(
        self, request: Request, stream: AsyncGenerator[bytes, None], limits: Limits
    ) -> None:
        super().__init__(request.headers, stream, max_files=inf, max_fields=MAX_FIELDS)
        self._limits = limits
        self.ended = False

    def on_part_begin(self) -> None:
        """Refuse by their number what need not be read for that; raises LimitExceeded."""
        self._limits.check("max_rows", len(self.items) - MAX_FIELDS, "images")
        super().on_part_begin()

    def on_end(self) -> None:
        """The closing boundary, which anything may follow (RFC 2046, section 5.1.1)."""
        self.ended = True


async def _form_files(exchange: Exchange) -> list[bytes]:
    request = exchange.request
    async with aclosing(request.stream()) as stream:
        reader = _Form(request, stream, exchange.service.limits)
        try:
            form = await reader.parse()
        except MultiPartException as error:
            raise BadBody(
                f"the form cannot be read ({error.message.rstrip('.')}): send multipart/form-data "
                "with its boundary in the header, each image a file in a field called images"
            ) from None
    try:
        if not reader.ended:
            raise BadBody("the form was cut off, its closing boundary is missing: send it whole")
        files = [part for part in form.getlist("images") if isinstance(part, UploadFile)]
        if not files:
            raise BadBody("the form has no file in a field called images")
        return [await file.read() for file in files]
    finally:
        await form.close()


async def _read_files(exchange: Exchange, files: Sequence[bytes]) -> Floats:
    data = exchange.model.manifest.data
    if data.kind != "image":
        raise BadValue(
            f"{exchange.model.model} takes rows of {data.shape[0]} numbers, not images: send JSON "
            '{"rows": [[…], …]} or .npy'
        )
    # The service counts rows too, but only once every file has been read.
    exchange.service.limits.check("max_rows", len(files), "images")
    return await offload(lambda: read_images(files, data.shape), sum(map(len, files)))


def _rows_from_npy(exchange: Exchange, body: bytes) -> Floats:
    data = exchange.model.manifest.data
    array = npy.read(body)
    if data.kind == "image":
        return images_from_array(array, data.shape)
    return rows_from_array(array, data.shape, "rows")


def _rows_of_numbers(exchange: Exchange, rows: Sequence[object]) -> Floats:
    data = exchange.model.manifest.data
    if data.kind == "image":
        raise BadValue(
            f"{exchange.model.model} takes images, not rows of numbers: send image files, or .npy"
        )
    exchange.service.limits.check("max_rows", len(rows), "rows")
    return rows_from_lists(rows, data.shape, "rows")


def _decode_base64(texts: Sequence[str], what: str = "image") -> list[bytes]:
    files = []
    for number, text in enumerate(texts):
        # Browsers hand out data URLs; what stands before the comma is only their label.
        encoded = text.partition(",")[2] if text.startswith("data:") else text
        try:
            files.append(b64decode(encoded, validate=True))
        except (Base64Error, ValueError):
            raise BadBody(f"{what} {number} is not base64") from None
    return files
