"""`/arithmetic`: sums of points and of directions with a name."""

from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from app.operations.arithmetic import Term, add
from app.routes.bodies import read_each
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows, seeds_of
from app.routes.wire_types import ArithmeticRequest, Form

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post("/arithmetic", summary="A sum of points and directions")
async def post_arithmetic(
    exchange: Asked, form: Annotated[Form, Query()], question: ArithmeticRequest
) -> Reply:
    """The image at Σ weight · point. Directions are those that `GET /models/{model}` lists."""
    asked = [term for term in question.terms if term.direction is None]
    points = await read_each(exchange, asked)
    read = iter(points)
    terms = [
        Term(next(read) if term.direction is None else term.direction, term.weight)
        for term in question.terms
    ]
    exchange.note(np.array([sum(abs(term.weight) for term in terms)], np.float32))
    compute = partial(add, exchange.service, exchange.model, terms, exchange.ticket)
    return await answer_rows(exchange, form, Question(1, "grid", compute, seeds=seeds_of(points)))
