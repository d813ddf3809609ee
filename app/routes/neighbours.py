"""`/neighbours`: the training rows nearest to points."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.arrays import Rows
from app.operations.neighbours import neighbours, rows_of
from app.routes.bodies import read_each
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows, seeds_of
from app.routes.wire_types import Form, NeighboursRequest
from app.worker_threads import offload

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post("/neighbours", summary="The nearest training rows")
async def post_neighbours(
    exchange: Asked, form: Annotated[Form, Query()], question: NeighboursRequest
) -> Reply:
    """A line of training rows for each point, the nearest first; `X-Latentd-Neighbours` has the
    places and distances of all of them, `place:distance`.
    """
    points = await read_each(exchange, question.points)
    count = question.count
    found = await neighbours(exchange.service, exchange.model, points, count, exchange.ticket)

    async def compute(*, levels: bool) -> Rows:
        shown = partial(rows_of, found, levels=levels)
        return await offload(shown, 4 * found.rows.nbytes, exchange.ticket)

    pairs = zip(found.places.flat, found.distances.flat, strict=True)
    listed = ", ".join(f"{place}:{distance:.5g}" for place, distance in pairs)
    return await answer_rows(
        exchange,
        form,
        Question(
            found.places.size,
            "grid",
            compute,
            seeds=seeds_of(points),
            columns=found.places.shape[1],
            headers=((b"x-latentd-neighbours", listed.encode()),),
        ),
    )
