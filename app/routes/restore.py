"""`/restore`: what lies under a mask or noise."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.operations.restore import Restoration, restore
from app.routes.bodies import read_point
from app.routes.exchange import Asked
from app.routes.image_bodies import read_mask
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows
from app.routes.wire_types import Form, RestoreRequest

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post("/restore", summary="What lies under a mask or noise")
async def post_restore(
    exchange: Asked, form: Annotated[Form, Query()], question: RestoreRequest
) -> Reply:
    """Several searches fill in what is not known, each from a sample of its own; the answer is
    their mean, weighted by how well they explain what is known, or some of them.
    """
    hidden = None if question.mask is None else await read_mask(exchange, question.mask)
    asked = Restoration(
        await read_point(exchange, question.point),
        hidden,
        question.noise,
        question.seed,
        question.chains,
        question.steps,
        question.samples,
    )
    compute = partial(restore, exchange.service, exchange.model, asked, exchange.ticket)
    count = question.samples or 1
    return await answer_rows(
        exchange, form, Question(count, "grid", compute, seeds=(question.seed,))
    )
