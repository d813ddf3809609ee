"""`/map`: what lies over two dimensions of the latent, or how the encoder sees samples."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.errors import BadValue
from app.operations.dimensions import SEED, dimensions
from app.operations.plane import Plane, show
from app.operations.projection import project
from app.routes.bodies import read_point
from app.routes.exchange import Asked, Exchange
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, dimensions_header
from app.routes.rows import Question, answer_rows, seeds_of
from app.routes.wire_types import Axes, Form, MapQuery, MapRequest
from app.service import Point, SeedPoint

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.get("/map", summary="A map of two dimensions")
async def get_map(exchange: Asked, query: Annotated[MapQuery, Query()]) -> Reply:
    """`x` to the right and `y` down, each from its prior's 0.05 to its 0.95 quantile."""
    point = None if query.seed is None else SeedPoint(query.seed)
    return await _answer(exchange, query, point, query, query)


@router.post("/map", summary="A map of two dimensions through a point")
async def post_map(
    exchange: Asked, form: Annotated[Form, Query()], question: MapRequest | None = None
) -> Reply:
    """The same through any point: a seed, a latent or an image."""
    asked = question or MapRequest()
    point = None if asked.point is None else await read_point(exchange, asked.point)
    return await _answer(exchange, asked, point, form, None)


async def _answer(
    exchange: Exchange, axes: Axes, point: Point | None, form: Form, key: MapQuery | None
) -> Reply:
    service, model, ticket = exchange.service, exchange.model, exchange.ticket
    if axes.projection:
        compute = partial(project, service, model, axes.steps, ticket)
        question = Question(axes.steps**2, "grid", compute, seeds=(SEED,))
    else:
        across, down = await _axes(exchange, axes)
        plane = Plane(across, down, axes.steps, point)
        question = Question(
            axes.steps**2,
            "grid",
            partial(show, service, model, plane, ticket),
            seeds=seeds_of([point]) if point else (),
            headers=dimensions_header((across, down)),
        )
    return await answer_rows(exchange, form, question._replace(key=key, columns=axes.steps))


async def _axes(exchange: Exchange, asked: Axes) -> tuple[int, int]:
    """Those asked for, filled up with the strongest of the others."""
    if asked.x is not None and asked.y is not None:
        return asked.x, asked.y
    known = await dimensions(exchange.service, exchange.model, exchange.ticket)
    others = iter(place for place in known.strongest if place not in (asked.x, asked.y))
    x, y = (next(others, None) if axis is None else axis for axis in (asked.x, asked.y))
    if x is None or y is None:
        raise BadValue(f"{exchange.model.id} uses fewer than two dimensions: name x and y yourself")
    return x, y
