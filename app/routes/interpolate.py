"""`/interpolate`: frames on the way between points of latent space."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.operations.interpolate import Walk, interpolate
from app.routes.bodies import read_each
from app.routes.exchange import Asked, Exchange
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows, seeds_of
from app.routes.wire_types import Form, InterpolateQuery, InterpolateRequest, Way
from app.service import Point, SeedPoint

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.get("/interpolate", summary="A walk between samples")
async def get_interpolate(exchange: Asked, query: Annotated[InterpolateQuery, Query()]) -> Reply:
    """The first frame is sample 0 of the first seed, the last frame that of the last seed."""
    points = [SeedPoint(seed) for seed in query.seed]
    return await _answer(exchange, query, points, query, query)


@router.post("/interpolate", summary="A walk between points")
async def post_interpolate(
    exchange: Asked, form: Annotated[Form, Query()], question: InterpolateRequest
) -> Reply:
    """Each point is a seed, a latent or an image (of which the posterior's mean is taken)."""
    points = await read_each(exchange, question.points)
    return await _answer(exchange, question, points, form, None)


async def _answer(
    exchange: Exchange,
    way: Way,
    points: Sequence[Point],
    form: Form,
    key: InterpolateQuery | None,
) -> Reply:
    walk = Walk(points, way.steps, way.method, way.easing, way.spacing, way.loop, way.rows)
    return await answer_rows(
        exchange,
        form,
        Question(
            walk.num_frames,
            "strip" if way.rows is None else "grid",
            partial(interpolate, exchange.service, exchange.model, walk, exchange.ticket),
            seeds=seeds_of(points),
            key=key,
            columns=None if way.rows is None else way.steps,
        ),
    )
