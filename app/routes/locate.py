"""`/locate`: where points lie in latent space."""

from fastapi import APIRouter

from app.routes.bodies import documented, read_points
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, json_reply
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
    return await json_reply(model, ticket, {"model": model.id, "latents": latents})
