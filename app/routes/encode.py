"""`/encode`: images (or rows) to their posteriors."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.formats.json import dump
from app.routes.bodies import IMAGES, read_data
from app.routes.exchange import Asked
from app.routes.wire_types import EncodeQuery, EncodeRequest

router = APIRouter(tags=["latent space"])

BINARY = {"schema": {"type": "string", "format": "binary"}}
FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": EncodeRequest.model_json_schema()},
            **dict.fromkeys(IMAGES, BINARY),
            "multipart/form-data": {"schema": {"type": "object", "properties": {"images": FILES}}},
            "application/x-npy": BINARY,
        },
    }
}


@router.post("/encode", summary="Images to latents", response_class=Response, openapi_extra=BODY)
async def encode(exchange: Asked, query: Annotated[EncodeQuery, Query()]) -> Response:
    """The posterior's mean and log-variance, and `latents`: the mean, or a draw with `seed`."""
    x = await read_data(exchange)
    posterior = await exchange.unless_gone(exchange.service.encode(exchange.model, x, query.seed))
    headers = exchange.headers
    if query.seed is not None:
        headers["X-Latentd-Seed"] = str(query.seed)
    body = dump({"model": str(exchange.model.model), **posterior._asdict()})
    return Response(body, headers=headers, media_type="application/json")
