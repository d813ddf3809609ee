"""`/decode`: latents to images (or rows)."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.routes.bodies import read_latents
from app.routes.exchange import Asked, Question, answer_rows
from app.routes.wire_types import DecodeRequest, Form

router = APIRouter(tags=["latent space"])

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": DecodeRequest.model_json_schema()},
            "application/x-npy": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/decode", summary="Latents to images", response_class=Response, openapi_extra=BODY)
async def decode(exchange: Asked, form: Annotated[Form, Query()]) -> Response:
    """The mean of the likelihood: one latent gives its image, several give a contact sheet."""
    latents = await read_latents(exchange)
    return await answer_rows(
        exchange,
        form,
        Question(len(latents), "grid"),
        lambda: exchange.service.decode(exchange.model, latents),
    )
