"""`/health`: for orchestrators. Live means the process answers; ready means it takes requests."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

router = APIRouter(prefix="/health", tags=["operations"])


@router.get("/live", summary="Is the process alive?", response_class=JSONResponse)
async def live() -> Response:
    """200 as long as the event loop turns."""
    return JSONResponse({"status": "live"})


NOT_READY = {503: {"description": "Not before every model is warm, nor while shutting down"}}


@router.get(
    "/ready",
    summary="Does it take requests?",
    response_class=JSONResponse,
    responses=NOT_READY,  # type: ignore[arg-type] # FastAPI's int | str, which is invariant
)
async def ready(request: Request) -> Response:
    """200 once every model is loaded and warm, 503 before and while shutting down."""
    state = request.app.state
    if not state.ready:
        return JSONResponse({"status": "not ready"}, status_code=503, headers={"Retry-After": "1"})
    models = [str(model.model) for model in state.service.models]
    return JSONResponse({"status": "ready", "models": models})
