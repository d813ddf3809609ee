"""`/decode`: latents to images (or rows)."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.routes.bodies import documented, read_latents
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.rows import Question, answer_rows
from app.routes.wire_types import DecodeRequest, Form

router = APIRouter(tags=["latent space"], route_class=LeanRoute)


@router.post(
    "/decode", summary="Latents to images", openapi_extra=documented(DecodeRequest, files=False)
)
async def decode(exchange: Asked, form: Annotated[Form, Query()]) -> Reply:
    """The mean of the likelihood: one latent gives its image, several give a contact sheet."""
    latents = await read_latents(exchange)
    compute = partial(exchange.service.decode, exchange.model, latents, exchange.ticket)
    return await answer_rows(exchange, form, Question(len(latents), "grid", compute))
