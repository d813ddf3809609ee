"""`/score`: how likely the model finds rows."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.operations.score import score
from app.routes.bodies import documented, read_points
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, json_reply
from app.routes.wire_types import PointsRequest, ScoreQuery

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post(
    "/score",
    summary="Images to how likely they are",
    openapi_extra=documented(PointsRequest, files=True),
)
async def post_score(exchange: Asked, query: Annotated[ScoreQuery, Query()]) -> Reply:
    """Nats a row: reconstruction term, KL, −ELBO, and log p(x) by `k` importance-weighted draws."""
    model, ticket = exchange.model, exchange.ticket
    x = await exchange.service.data(model, await read_points(exchange), ticket)
    found = await score(exchange.service, model, x, query.k, query.seed, ticket)
    facts = {"model": model.id, "k": query.k, "seed": query.seed}
    return await json_reply(model, ticket, facts | found._asdict())
