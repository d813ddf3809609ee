"""`/map`: what lies over two dimensions of the latent."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.errors import BadValue
from app.operations.dimensions import dimensions
from app.operations.plane import Plane, show
from app.routes.exchange import Asked, Exchange
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, dimensions_header
from app.routes.rows import Question, answer_rows
from app.routes.wire_types import MapQuery
from app.service import SeedPoint

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.get("/map", summary="A map of two dimensions")
async def get_map(exchange: Asked, query: Annotated[MapQuery, Query()]) -> Reply:
    """`x` to the right and `y` down, each from its prior's 0.05 to its 0.95 quantile."""
    service, model, ticket = exchange.service, exchange.model, exchange.ticket
    across, down = await _axes(exchange, query)
    point = None if query.seed is None else SeedPoint(query.seed)
    plane = Plane(across, down, query.steps, point)
    return await answer_rows(
        exchange,
        query,
        Question(
            query.steps**2,
            "grid",
            partial(show, service, model, plane, ticket),
            seeds=() if query.seed is None else (query.seed,),
            key=query,
            columns=query.steps,
            headers=(dimensions_header((across, down)),),
        ),
    )


async def _axes(exchange: Exchange, query: MapQuery) -> tuple[int, int]:
    """Those asked for, filled up with the strongest of the others."""
    if query.x is not None and query.y is not None:
        return query.x, query.y
    known = await dimensions(exchange.service, exchange.model, exchange.ticket)
    others = iter(place for place in known.strongest if place not in (query.x, query.y))
    x, y = (next(others, None) if axis is None else axis for axis in (query.x, query.y))
    if x is None or y is None:
        raise BadValue(f"{exchange.model.id} uses fewer than two dimensions: name x and y yourself")
    return x, y
