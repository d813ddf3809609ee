"""`/models`: what is published in the store, and which of it is loaded."""

from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import JsonValue

from app.service import LatentService
from app.worker_threads import offload
from model_store import Manifest, StoreError, published, read_manifest

router = APIRouter(tags=["models"])

Card = dict[str, JsonValue]


@router.get("/models", summary="What is published and loaded")
async def list_models(request: Request) -> dict[str, Any]:
    """Every published version, without its long numbers; `loaded` ones answer requests."""
    state = request.app.state
    service: LatentService = state.service
    cards = await offload(partial(_cards, state.store, service))
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


def _cards(store: Path, service: LatentService) -> list[Card]:
    """A card for each published version; one that cannot be read says so and hides no other."""
    cards = {str(model.model): _card(model.manifest, loaded=True) for model in service.models}
    for model in published(store):
        if str(model) in cards:
            continue
        try:
            cards[str(model)] = _card(read_manifest(store, model), loaded=False)
        except StoreError as error:
            cards[str(model)] = {"id": str(model), "loaded": False, "error": str(error)}
    return [cards[name] for name in sorted(cards)]


def _card(manifest: Manifest, *, loaded: bool) -> Card:
    facts = manifest.model_dump(mode="json", exclude={"probe", "directions", "scores"})
    directions: list[JsonValue] = [*manifest.directions]
    return {"id": str(manifest.model), "loaded": loaded, **facts, "directions": directions}
