"""The application: bodies that pydantic checks, one model call a request."""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from benchmarks.peers import given
from benchmarks.peers.model_work import Answer, ModelWork

application = FastAPI()
work = ModelWork(Path(given.STORE), given.OPERATION, given.PNG_LEVEL)


class Latent(BaseModel):
    """Of /decode and /colour."""

    latent: list[float]


class Draw(BaseModel):
    """Of /sample and /rows."""

    n: int = 1
    seed: int


class Line(BaseModel):
    """Of /walk."""

    start: list[float]
    end: list[float]
    steps: int = 16


class Posterior(BaseModel):
    """What /encode answers."""

    mean: list[float]
    log_var: list[float]


def _answer(body: BaseModel) -> Answer:
    return work.answer([body.model_dump()])[0]


@application.get("/health")
async def health() -> dict[str, bool]:
    """Once the application is imported, its model is warm."""
    return {"ready": True}


@application.post("/decode")
@application.post("/colour")
async def decode(body: Latent) -> Response:
    """One latent's picture."""
    return Response(_answer(body), media_type="image/png")


@application.post("/sample")
async def sample(body: Draw) -> Response:
    """A picture, or a contact sheet."""
    return Response(_answer(body), media_type="image/png")


@application.post("/walk")
async def walk(body: Line) -> Response:
    """A strip of frames."""
    return Response(_answer(body), media_type="image/png")


@application.post("/rows")
async def rows(body: Draw) -> Response:
    """An array."""
    return Response(_answer(body), media_type="application/x-npy")


@application.post("/encode")
async def encode(request: Request) -> Posterior:
    """The posterior of a PNG."""
    return Posterior.model_validate(work.answer([{"png": await request.body()}])[0])
