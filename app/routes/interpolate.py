"""`/interpolate`: frames on the way between points of latent space."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.routes.bodies import read_point
from app.routes.exchange import Asked, Exchange, Question, answer_rows
from app.routes.wire_types import Form, InterpolateQuery, InterpolateRequest, Way
from app.service import Point, SeedPoint

router = APIRouter(tags=["latent space"])


@router.get("/interpolate", summary="A walk between samples", response_class=Response)
async def get_interpolate(exchange: Asked, query: Annotated[InterpolateQuery, Query()]) -> Response:
    """The first frame is sample 0 of the first seed, the last frame that of the last seed."""
    points = [SeedPoint(seed) for seed in query.seed]
    return await _answer(exchange, query, query, points, tuple(query.seed))


@router.post("/interpolate", summary="A walk between points", response_class=Response)
async def post_interpolate(
    exchange: Asked, form: Annotated[Form, Query()], question: InterpolateRequest
) -> Response:
    """Each point is a seed, a latent or an image (of which the posterior's mean is taken)."""
    points = [await read_point(exchange, point) for point in question.points]
    seeds = tuple(point.seed for point in question.points if point.seed is not None)
    return await _answer(exchange, question, form, points, seeds)


async def _answer(
    exchange: Exchange, way: Way, form: Form, points: Sequence[Point], seeds: tuple[int, ...]
) -> Response:
    return await answer_rows(
        exchange,
        form,
        Question(way.steps, "strip", seeds, way),
        lambda: exchange.service.interpolate(exchange.model, points, way.steps, way.method),
    )
