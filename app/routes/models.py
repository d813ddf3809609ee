"""`/models`: what is published in the store, and which of it is loaded."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import JsonValue

from app.service import LatentService
from app.worker_threads import offload
from model_store import Manifest, Summaries, Summary

router = APIRouter(tags=["models"])

Card = dict[str, JsonValue]


@router.get("/models", summary="What is published and loaded")
async def list_models(request: Request) -> dict[str, Any]:
    """Every published version, without its long numbers; `loaded` ones answer requests."""
    state = request.app.state
    service: LatentService = state.service
    cards = await offload(partial(_cards, state.summaries, service, state.not_served))
    return {"default": str(service.find().model), "models": cards}


# Included under /models/{model} alone.
one_model = APIRouter(tags=["models"])


@one_model.get("", summary="One loaded model")
async def show_model(request: Request) -> Card:
    """Its manifest, without its long numbers, and how it runs here."""
    service: LatentService = request.app.state.service
    loaded = service.find(request.path_params["model"])
    buckets: dict[str, JsonValue] = {
        operation.name: list(operation.buckets.sizes) for operation in loaded.operations
    }
    # How far two answers to one question may lie apart, at any load and in any company.
    reproducible = loaded.tolerance or "bit-exact"
    running: Card = {
        "device": str(loaded.device),
        "precision": loaded.precision,
        "reproducible": reproducible,
        "batch_sizes": buckets,
    }
    return _card(loaded.manifest, loaded=True) | {"running": running}


def _cards(
    summaries: Summaries, service: LatentService, not_served: Mapping[str, str]
) -> list[Card]:
    """A card for each published version; one that cannot be read says so and hides no other.

    So does one that was to be served and was not, by the text in `not_served`.
    """
    loaded = {str(model.model): model.manifest for model in service.models}
    cards = {name: _card(manifest, loaded=True) for name, manifest in loaded.items()}
    for name, said in summaries.read().items():
        if name not in cards:
            cards[name] = _other_card(name, said, not_served.get(name))
    return [cards[name] for name in sorted(cards)]


def _other_card(name: str, said: Summary | str, refused: str | None) -> Card:
    if isinstance(said, str):
        return {"id": name, "loaded": False, "error": said}
    error: Card = {} if refused is None else {"error": refused}
    return _card(said, loaded=False) | error


def _card(manifest: Manifest | Summary, *, loaded: bool) -> Card:
    facts = manifest.model_dump(mode="json", exclude={"probe", "directions", "scores"})
    directions: list[JsonValue] = [*manifest.directions]
    return {"id": str(manifest.model), "loaded": loaded, **facts, "directions": directions}
