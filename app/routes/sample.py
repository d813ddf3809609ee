"""`/sample`: images (or rows) drawn from the prior."""

import secrets
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.routes.exchange import Asked, Exchange
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows
from app.routes.wire_types import Form, SampleQuery, SampleRequest
from app.service import Draws

router = APIRouter(tags=["latent space"], route_class=LeanRoute)

# Short enough to be read out in class.
DRAWN_SEEDS = 2**32


@router.get("/sample", summary="Samples of the prior")
async def get_sample(exchange: Asked, query: Annotated[SampleQuery, Query()]) -> Reply:
    """Sample i of a seed is the same image whatever `n` is. Without a seed one is drawn; the answer
    says which in `X-Latentd-Seed`.
    """
    return await _answer(exchange, query, query, query if query.seed is not None else None)


@router.post("/sample", summary="Samples of the prior")
async def post_sample(
    exchange: Asked, form: Annotated[Form, Query()], question: SampleRequest | None = None
) -> Reply:
    """The same with the question as JSON; the form of the answer stays in the query."""
    return await _answer(exchange, question or SampleRequest(), form, None)


async def _answer(
    exchange: Exchange, asked: SampleRequest, form: Form, key: SampleQuery | None
) -> Reply:
    seed = secrets.randbelow(DRAWN_SEEDS) if asked.seed is None else asked.seed
    question = (exchange.model, Draws(asked.n, seed, asked.temperature), exchange.ticket)
    return await answer_rows(
        exchange,
        form,
        Question(
            asked.n,
            "grid",
            partial(exchange.service.sample, *question),
            partial(exchange.service.stream_samples, *question),
            (seed,),
            key,
            temperature=asked.temperature,
        ),
    )
