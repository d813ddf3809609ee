"""`/sample`: images (or rows) drawn from the prior."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.routes.exchange import Asked, Exchange, Question, answer_rows
from app.routes.wire_types import Form, SampleQuery, SampleRequest

router = APIRouter(tags=["latent space"])

# Short enough to be read out in class.
DRAWN_SEEDS = 2**32


@router.get("/sample", summary="Samples of the prior", response_class=Response)
async def get_sample(exchange: Asked, query: Annotated[SampleQuery, Query()]) -> Response:
    """Sample i of a seed is the same image whatever `n` is. Without a seed one is drawn; the answer
    says which in `X-Latentd-Seed`.
    """
    return await _answer(exchange, query, query)


@router.post("/sample", summary="Samples of the prior", response_class=Response)
async def post_sample(
    exchange: Asked, form: Annotated[Form, Query()], question: SampleRequest | None = None
) -> Response:
    """The same with the question as JSON; the form of the answer stays in the query."""
    return await _answer(exchange, question or SampleRequest(), form)


async def _answer(exchange: Exchange, question: SampleRequest, form: Form) -> Response:
    seed = secrets.randbelow(DRAWN_SEEDS) if question.seed is None else question.seed
    key = None if question.seed is None else question
    return await answer_rows(
        exchange,
        form,
        Question(question.n, "grid", (seed,), key),
        lambda: exchange.service.sample(exchange.model, question.n, seed, question.temperature),
    )
