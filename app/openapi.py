"""The OpenAPI document: FastAPI's, with the answers' real forms and examples that work.

The examples are made for the loaded default model, so that every one of them can be tried.
"""

from base64 import b64encode
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.error_responses import INVALID, PROBLEMS
from app.error_responses import MEDIA_TYPE as PROBLEM_MEDIA_TYPE
from app.formats import FORMATS, png
from app.latent_math import row_noise
from app.layout import DRAWABLE_CHANNELS
from app.service import LatentService

DESCRIPTION = """
Images in, latents out; latents in, images out; samples; walks between points.

Every latent endpoint stands at the root for the default model and under `/models/{model}` for a
named one (`name` or `name@version`). The same question gives the same bytes, always; a question
without a seed is told the seed it was given (`X-Latentd-Seed`).
"""

PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status", "detail", "request_id"],
}

# What any endpoint may answer instead; 499 nobody reads, 405 is of paths and methods.
REFUSALS = sorted({problem.status for problem in (INVALID, *PROBLEMS.values())} - {499} | {405})
HEALTH = "/health/"

IN_ROWS = {
    *("sample", "interpolate", "reconstruct", "traverse", "arithmetic", "map", "restore"),
    *("decode", "decompress", "neighbours"),
}


def install(app: FastAPI) -> None:
    """Let `app` describe itself with examples; they need the loaded models, so it is done late."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
            )
            _add_examples(schema, app.state.service)
            _add_answers(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to extend the document


def _add_examples(schema: dict[str, Any], service: LatentService) -> None:
    bodies, names = _body_examples(service), _model_names(service)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["example"] = str(service.find().model)
                    parameter["schema"]["enum"] = names
                elif examples := parameter["schema"].pop("examples", None):
                    parameter["example"] = examples[0]
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                content["application/json"]["example"] = bodies[path.rpartition("/")[2]]


def _add_answers(schema: dict[str, Any]) -> None:
    """Say that errors are problems, and in which forms rows come; FastAPI cannot know either."""
    components = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    components["Problem"] = PROBLEM
    reference = {"$ref": "#/components/schemas/Problem"}
    schema["components"]["responses"] = {
        "Problem": {
            "description": "What was wrong, the limit and the remedy (RFC 9457)",
            "content": {PROBLEM_MEDIA_TYPE: {"schema": reference}},
        }
    }
    failure = {"$ref": "#/components/responses/Problem"}
    forms: dict[str, Any] = {form.media_type: {} for form in FORMATS.values()}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            # Probes are answered by the server itself, and say all that they say in `status`.
            refusals = [405] if path.startswith(HEALTH) else REFUSALS
            operation["responses"] |= {str(status): failure for status in refusals}
            if path.rpartition("/")[2] in IN_ROWS:
                operation["responses"]["200"]["content"] = forms


def _model_names(service: LatentService) -> list[str]:
    """What `{model}` may be here: every loaded model with and without its version."""
    ids = [model.model for model in service.models]
    return sorted({str(model) for model in ids} | {model.name for model in ids})


def _body_examples(service: LatentService) -> dict[str, Any]:
    """A JSON body for each endpoint that takes one, made from the default model's own shapes."""
    manifest = service.find().manifest
    latents = _rounded(row_noise(1, 2, manifest.latent_shape).tolist())
    shape = manifest.data.shape
    if manifest.data.kind == "vectors":
        data: dict[str, Any] = {"rows": [[0.0] * shape[0]]}
    elif shape[0] in DRAWABLE_CHANNELS:
        channels, height, width = shape
        image = png.encode(np.full((height, width, channels), 127, np.uint8))
        data = {"images": [b64encode(image).decode()]}
    else:
        data = {"images": []}  # no file format holds so many channels; `.npy` does
    return {
        "sample": {"n": 16, "seed": 1, "temperature": 1.0},
        "interpolate": {
            "points": [{"seed": 1}, {"latent": latents[0]}, {"seed": 2}],
            "steps": 8,
            "method": "slerp",
        },
        "reconstruct": {"points": [{"seed": 1}, {"seed": 1, "index": 1}]},
        "traverse": {"point": {"seed": 1}, "dimensions": [0, 1], "steps": 11},
        "map": {"point": {"seed": 1, "temperature": 0.7}, "x": 0, "y": 1, "steps": 12},
        "arithmetic": {"terms": [{"seed": 1}, {"seed": 2, "weight": 0.5}, {"latent": latents[0]}]},
        "neighbours": {"points": [{"seed": 1}], "count": 4},
        "score": {"points": [{"seed": 1}, {"seed": 1, "index": 1}]},
        "locate": {"points": [{"seed": 1}, {"seed": 1, "temperature": 0.5}]},
        "compress": {"points": [{"seed": 1}, {"seed": 1, "index": 1}]},
        "restore": {"point": {"seed": 1}, "noise": 0.3},
        "decode": {"latents": latents},
        "encode": data,
    }


def _rounded(value: Any) -> Any:  # noqa: ANN401 - nested lists of numbers
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 2)
