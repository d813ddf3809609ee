"""`/locate`: where points lie in latent space."""

import time

from fastapi import APIRouter

from app.formats.json import dump
from app.routes.bodies import documented, read_points
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, content_length, headers_of, server_timing
from app.routes.wire_types import PointsRequest

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post(
    "/locate", summary="Points to latents", openapi_extra=documented(PointsRequest, files=True)
)
async def post_locate(exchange: Asked) -> Reply:
    """A seed's latent is the sample's own, an image's the mean of its posterior; `/decode` takes
    the answer as it is.
    """
    model, ticket = exchange.model, exchange.ticket
    latents = await exchange.service.locate(model, await read_points(exchange), ticket)
    began = time.perf_counter()
    body = (dump({"model": model.id, "latents": latents}),)
    headers = headers_of("application/json", model)
    headers += (server_timing(ticket, time.perf_counter() - began), content_length(body))
    return Reply(200, headers, body)
