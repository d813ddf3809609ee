"""`/encode`: images (or rows) to their posteriors."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.routes.bodies import documented, read_data
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, json_reply
from app.routes.wire_types import EncodeQuery, EncodeRequest

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post(
    "/encode", summary="Images to latents", openapi_extra=documented(EncodeRequest, files=True)
)
async def encode(exchange: Asked, query: Annotated[EncodeQuery, Query()]) -> Reply:
    """The posterior's mean and log-variance, and `latents`: the mean, or a draw with `seed`."""
    x = await read_data(exchange)
    posterior = await exchange.service.encode(exchange.model, x, exchange.ticket, query.seed)
    facts = {"model": exchange.model.id, **posterior._asdict()}
    more = [] if query.seed is None else [(b"x-latentd-seed", b"%d" % query.seed)]
    return await json_reply(exchange.model, exchange.ticket, facts, more)
