"""`/reconstruct`: data, encoded and decoded again."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.operations.reconstruct import reconstruct
from app.routes.bodies import documented, read_points
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows, seeds_of
from app.routes.wire_types import PointsRequest, ReconstructQuery

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post(
    "/reconstruct",
    summary="Images to what the model makes of them",
    openapi_extra=documented(PointsRequest, files=True),
)
async def post_reconstruct(exchange: Asked, query: Annotated[ReconstructQuery, Query()]) -> Reply:
    """From the posterior's mean; several rounds show what the model drifts to."""
    points = await read_points(exchange)
    question = (exchange.model, points, query.rounds, exchange.ticket)
    return await answer_rows(
        exchange,
        query,
        Question(
            len(points),
            "grid",
            partial(reconstruct, exchange.service, *question),
            seeds=seeds_of(points),
        ),
    )
