"""`/encode`: images (or rows) to their posteriors."""

import time
from typing import Annotated

from fastapi import APIRouter, Query

from app.formats.json import dump
from app.routes.bodies import documented, read_data
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, content_length, headers_of, server_timing
from app.routes.wire_types import EncodeQuery, EncodeRequest

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post(
    "/encode", summary="Images to latents", openapi_extra=documented(EncodeRequest, files=True)
)
async def encode(exchange: Asked, query: Annotated[EncodeQuery, Query()]) -> Reply:
    """The posterior's mean and log-variance, and `latents`: the mean, or a draw with `seed`."""
    x = await read_data(exchange)
    posterior = await exchange.service.encode(exchange.model, x, exchange.ticket, query.seed)
    began = time.perf_counter()
    body = (dump({"model": exchange.model.id, **posterior._asdict()}),)
    headers = headers_of("application/json", exchange.model)
    if query.seed is not None:
        headers.append((b"x-latentd-seed", b"%d" % query.seed))
    headers += (server_timing(exchange.ticket, time.perf_counter() - began), content_length(body))
    return Reply(200, headers, body)
