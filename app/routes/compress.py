"""`/compress` and `/decompress`: images to a small file and back, without loss."""

from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from app.arrays import Floats
from app.compressed_file import unpack
from app.operations.compress import Coded, compress, decompress
from app.routes.bodies import BINARY, documented, read_points
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute, media_type_of, unsupported
from app.routes.reply import Reply, content_length, headers_of, server_timing
from app.routes.rows import Question, answer_rows
from app.routes.wire_types import CompressQuery, Form, PointsRequest
from app.worker_threads import offload

router = APIRouter(tags=["latent space"], route_class=LeanRoute)

MEDIA_TYPE = "application/x-latentd"
COMPRESSED = {MEDIA_TYPE: BINARY}


@router.post(
    "/compress",
    summary="Images to a small file, without loss",
    openapi_extra=documented(PointsRequest, files=True),
    responses={200: {"content": COMPRESSED, "description": "a file for /decompress"}},
)
async def post_compress(exchange: Asked, query: Annotated[CompressQuery, Query()]) -> Reply:
    """Bits back with ANS: an image costs about its −ELBO; many together cost the least."""
    model, ticket = exchange.model, exchange.ticket
    x = await exchange.service.data(model, await read_points(exchange), ticket)
    if query.threshold is not None:
        whiten = partial(_whiten, x, query.threshold)
        x = await offload(whiten, x.nbytes, ticket)
    coded = await compress(exchange.service, model, x, ticket)
    headers = headers_of(MEDIA_TYPE, model)
    headers += _said_of(coded, x.size)
    headers += (server_timing(ticket, 0.0), content_length((coded.file,)))
    return Reply(200, headers, (coded.file,))


@router.post(
    "/decompress",
    summary="A file of /compress to its images",
    openapi_extra={"requestBody": {"required": True, "content": COMPRESSED}},
)
async def post_decompress(exchange: Asked, form: Annotated[Form, Query()]) -> Reply:
    """By the model that wrote it, in the same precision, on a machine that computes alike."""
    media_type = media_type_of(exchange)
    if media_type not in (MEDIA_TYPE, "application/octet-stream"):
        raise unsupported(media_type, MEDIA_TYPE)
    body = await exchange.body()
    file = await offload(partial(unpack, body), len(body), exchange.ticket)
    work = partial(decompress, exchange.service, exchange.model, file, exchange.ticket)
    exchange.service.limits.check("max_rows", file.head.count, "images")
    return await answer_rows(exchange, form, Question(file.head.count, "grid", work))


def _whiten(x: Floats, threshold: float) -> Floats:
    return (x >= threshold).astype(np.float32)


def _said_of(coded: Coded, size: int) -> tuple[tuple[bytes, bytes], ...]:
    file = len(coded.file)
    parts = f"file={file}, coded={coded.coded}, initial={coded.initial}"
    return (
        (b"x-latentd-bits-per-dimension", f"{8 * file / size:.5f}".encode()),
        (b"x-latentd-bytes", parts.encode()),
    )
