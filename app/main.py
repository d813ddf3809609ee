"""The application: settings in, a FastAPI app out, which loads and warms before it is ready."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from fastapi import Path as PathParameter
from fastapi_offline import FastAPIOffline
from starlette.datastructures import State
from starlette.types import ASGIApp

from app import __version__, error_responses, openapi
from app.answer_headers import AnswerHeaders
from app.body_limit import Bodies, BodyLimit
from app.engine.batcher import Batcher, QueueLimits
from app.engine.device import choose_device, describe, prepare
from app.engine.loaded_model import LoadedModel, load_model, take_quick_operations
from app.engine.memory_budget import MemoryBudget
from app.engine.model_pool import ModelPool, choose_models
from app.hosts import HostCheck, Hosts
from app.in_flight import InFlight
from app.lane import Lane, Manners
from app.methods import Forms, Options, Proxies
from app.metrics import Metrics
from app.readiness import end_by_signal, set_ready
from app.render_queue import RenderQueue
from app.request_record import RequestRecord, RequestRecords
from app.routes import (
    arithmetic,
    compress,
    decode,
    docs,
    encode,
    explorer,
    health,
    interpolate,
    locate,
    models,
    neighbours,
    plane,
    prometheus,
    reconstruct,
    restore,
    sample,
    score,
    traverse,
)
from app.routes.lean_route import LeanRoute, Queries
from app.routes.rows import RowAnswers
from app.service import LatentService, Limits
from app.settings import Settings
from model_store import CheckpointRejected, Summaries, list_store, stop_verifying, store_path

log = logging.getLogger("latentd")

LATENT_SPACE = [
    sample.router,
    interpolate.router,
    reconstruct.router,
    traverse.router,
    arithmetic.router,
    restore.router,
    score.router,
    neighbours.router,
    locate.router,
    compress.router,
    plane.router,
    decode.router,
    encode.router,
]


class SharedState(State):
    """Hold what the application's parts share, as plain attributes.

    Starlette's own finds each by a call, of which a request would make six.
    """

    settings: Settings
    store: Path
    summaries: Summaries
    not_served: dict[str, str]  # why, by name
    stop_loading: Callable[[], None]
    metrics: Metrics
    budget: MemoryBudget
    renders: RenderQueue
    answers: RowAnswers
    in_flight: InFlight
    bodies: Bodies
    queries: Queries
    service: LatentService  # once the models are loaded
    ready: bool
    fatal: Callable[[str], None]

    __setattr__ = object.__setattr__  # type: ignore[assignment] # the same, but for a name


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application; without settings it reads them from the environment.

    Its lifespan loads every model, so a server must run it (uvicorn does). A store or a device that
    is not as the settings say stops the start with StoreError or SettingsError.
    """
    settings = settings or Settings.read()
    app = FastAPIOffline(
        title="latentd",
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,  # app/routes/docs.py has the page, with a policy
        redoc_url=None,
        redirect_slashes=False,
    )
    state = app.state = SharedState()
    state.settings = settings
    state.store = settings.store or store_path()
    state.summaries = Summaries(state.store)
    state.not_served = {}
    state.stop_loading = stop_verifying
    state.metrics = Metrics()
    state.budget = MemoryBudget(state.metrics, settings.max_queue_bytes)
    state.renders = RenderQueue(state.metrics, settings.render_threads)
    state.answers = RowAnswers(settings, state.metrics, state.renders)
    state.in_flight = InFlight(settings.max_bytes_in_flight)
    state.bodies = Bodies(settings.max_body_bytes, state.in_flight)
    state.queries = Queries()
    state.ready = False
    state.fatal = partial(end_by_signal, app)
    error_responses.register(app)
    openapi.install(app)
    _add_routes(app)
    general = app.build_middleware_stack

    def layers() -> ASGIApp:
        return _in_front_of(general(), app)

    app.build_middleware_stack = layers  # type: ignore[method-assign] # as app.openapi
    return app


def _in_front_of(general: ASGIApp, app: FastAPI) -> ASGIApp:
    """What every request goes through before FastAPI's own layers, the first one last.

    In front of them, because what the lane answers then passes all of them by.
    """
    settings: Settings = app.state.settings
    records = RequestRecords(app.state.metrics)
    headers, hosts = AnswerHeaders(settings.cors_origins), Hosts(settings.allowed_hosts)
    forms = Forms(settings.root_path, Proxies(settings.trusted_proxies))
    layers: ASGIApp = Options(BodyLimit(general, app.state.bodies))
    if hosts:
        layers = HostCheck(layers, hosts)
    routes = [route for router in LATENT_SPACE for route in router.routes]
    return Lane(
        RequestRecord(layers, records, headers),
        [route for route in routes if isinstance(route, LeanRoute)],
        records,
        app.state.answers,
        Manners(headers, forms, hosts, app.state.in_flight),
    )


def _add_routes(app: FastAPI) -> None:
    latent_space = APIRouter()
    for router in LATENT_SPACE:
        latent_space.include_router(router)
    app.include_router(latent_space)
    app.include_router(models.router)
    for router in (models.one_model, latent_space):
        app.include_router(router, prefix="/models/{model}", dependencies=[Depends(_named)])
    app.include_router(health.router)
    app.include_router(prometheus.router)
    app.include_router(docs.router)
    app.include_router(explorer.router)


async def _named(model: Annotated[str, PathParameter(description="name or name@version")]) -> None:
    """Declares the path's parameter; `exchange_for` reads it."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    metrics: Metrics = app.state.metrics
    queue_limits = QueueLimits(settings.max_queue_rows, settings.device_timeout_s)
    batcher = Batcher(metrics, queue_limits, app.state.fatal)
    try:
        pool = await _load(settings, app.state.store, batcher, app.state.not_served)
        limits = Limits(**{name: getattr(settings, name) for name in Limits.__dataclass_fields__})
        app.state.service = LatentService(pool, batcher, limits, app.state.store)
        for loaded in pool.models:
            _announce(loaded, metrics)
        set_ready(app, ready=True)
        yield
    finally:
        set_ready(app, ready=False)
        await batcher.close()
        app.state.renders.close()


async def _load(
    settings: Settings, store: Path, batcher: Batcher, not_served: dict[str, str]
) -> ModelPool:
    """Every model that is to be served, loaded and warmed on the device's thread.

    One that fails its checks stops the start if it was asked for by name or is the default one;
    another is left out, and `not_served` says why. So is what cannot be read.
    """
    device = choose_device(settings.device)
    for name, why in list_store(store).unreadable.items():
        log.error("%s in the store cannot be read: %s", name, why)
    wanted = choose_models(store, settings.models)
    await batcher.call(partial(prepare, device, settings.torch_threads))
    prepare(device, settings.torch_threads)  # this thread runs the quick ones
    log.info("latentd %s on %s, store %s", __version__, describe(device), store)
    load = partial(
        load_model,
        store,
        device=device,
        max_rows=settings.max_batch_rows,
        precision=settings.precision,
    )
    loaded: list[LoadedModel] = []
    for model in wanted:
        try:
            loaded.append(await batcher.call(partial(load, model=model)))
        except CheckpointRejected as error:
            if settings.models or not loaded:
                raise
            log.error("not served: %s", error)
            not_served[str(model)] = str(error)
    seconds = settings.loop_batch_ms / 1000
    return ModelPool([take_quick_operations(model, seconds) for model in loaded])


def _announce(loaded: LoadedModel, metrics: Metrics) -> None:
    manifest = loaded.manifest
    sizes = "; ".join(
        f"{operation.name} in batches of {', '.join(map(str, operation.buckets.sizes))}"
        for operation in loaded.operations
    )
    log.info(
        "%s: %s %s of %s, latent %s, %s; %s",
        loaded.model,
        manifest.family,
        manifest.data.kind,
        "×".join(map(str, manifest.data.shape)),
        "×".join(map(str, manifest.latent_shape)),
        loaded.precision,
        sizes,
    )
    if loaded.tolerance:
        log.warning(
            "%s: the device does not repeat its own results; the same answer was seen to differ "
            "by %.1e from one batch to the next",
            loaded.model,
            loaded.tolerance,
        )
    metrics.model_info.labels(
        loaded.model.name, loaded.model.version, loaded.device, manifest.file.sha256
    ).set(1)
