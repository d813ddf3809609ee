"""`/traverse`: what each dimension of the latent does."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.errors import BadValue
from app.operations.dimensions import dimensions
from app.operations.traverse import Traversal, traverse
from app.routes.bodies import read_point
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply, dimensions_header
from app.routes.rows import Question, answer_rows, seeds_of
from app.routes.wire_types import Form, TraverseRequest

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post("/traverse", summary="A walk along each dimension")
async def post_traverse(
    exchange: Asked, form: Annotated[Form, Query()], question: TraverseRequest
) -> Reply:
    """A row of images for each dimension, from its prior's 0.05 to its 0.95 quantile; which ones
    they are stands in `X-Latentd-Dimensions`.
    """
    service, model, ticket = exchange.service, exchange.model, exchange.ticket
    point = await read_point(exchange, question.point)
    chosen = question.dimensions
    if chosen is None:
        known = await dimensions(service, model, ticket)
        chosen = [*known.strongest[: question.strongest]]
        if not chosen:
            raise BadValue(f"{model.id} uses none of its dimensions: name some yourself")
    traversal = Traversal(point, chosen, question.steps)
    return await answer_rows(
        exchange,
        form,
        Question(
            len(chosen) * question.steps,
            "grid",
            partial(traverse, service, model, traversal, ticket),
            seeds=seeds_of([point]),
            columns=question.steps,
            headers=dimensions_header(chosen),
        ),
    )
