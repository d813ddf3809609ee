"""An error is the same answer, whether the lane gives it or FastAPI's own layers do."""

from itertools import product
from pathlib import Path

import httpx
import orjson
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.types import ASGIApp

from app import errors, main
from app.error_responses import PROBLEMS
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from tests.app.test_lane import mounted
from tests.app.wire import Wire

FAULT = {"type": "missing", "loc": ("query", "n"), "msg": "Field required"}
# Every error of ours, what does not validate, and what nobody foresaw.
ERRORS: list[Exception] = [
    *(kind("what") for kind in PROBLEMS if kind is not errors.Overloaded),
    errors.Overloaded("what", 2.5),
    RequestValidationError([FAULT]),
    RuntimeError("what"),
    MemoryError(),
]
ORIGINS = ["https://front.example", "https://else.example", None]
IDENTITY = "x" * 64
OF_THE_MOMENT = {"date", "connection"}
OF_EACH = {
    *("content-type", "content-length", "content-security-policy", "x-content-type-options"),
    *("x-request-id", "vary", "access-control-allow-origin", "access-control-expose-headers"),
}


def assert_alike(one: httpx.Response, other: httpx.Response) -> None:
    assert one.status_code == other.status_code >= 400
    assert one.content == other.content
    assert dict(one.headers) == dict(other.headers)
    assert one.headers["X-Request-Id"] == IDENTITY
    assert one.headers["X-Content-Type-Options"] == "nosniff"
    assert one.headers["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize("origin", ORIGINS, ids=["listed", "other", "none"])
def test_each_error_is_told_alike_by_the_lane_and_by_the_layers(
    small_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    origin: str | None,
) -> None:
    current: Exception = RuntimeError()
    lane = APIRouter(route_class=LeanRoute)

    @lane.get("/failing")
    async def failing(exchange: Asked) -> Reply:  # noqa: ARG001
        raise current

    async def failing_too() -> None:
        raise current

    def with_both(service: FastAPI) -> ASGIApp:
        service.add_api_route("/failing-too", failing_too)
        return service

    headers = {"X-Request-Id": IDENTITY} | ({"Origin": origin} if origin else {})

    async def play(client: httpx.AsyncClient) -> None:
        nonlocal current
        for current, method in product(ERRORS, ("GET", "HEAD")):
            told, logged = [], []
            for path in ("/failing", "/failing-too"):
                caplog.clear()
                told.append(await client.request(method, path, headers=headers))
                logged.append(sum(record.name == "latentd" for record in caplog.records))
            assert_alike(*told)
            # An unforeseen one is logged by the server where the layers raise it again.
            if isinstance(current, errors.LatentdError):
                assert logged[0] == logged[1], current

    monkeypatch.setattr(main, "LATENT_SPACE", [*main.LATENT_SPACE, lane])
    mounted(small_store, play, with_both)


def test_what_is_not_there_or_not_taken_is_told_with_the_headers_of_every_answer(
    client: httpx.Client,
) -> None:
    asked = [
        ("GET", "/nothing", 404),
        ("GET", "/models/none", 404),
        ("GET", "/models/none/sample", 404),
        ("GET", "/explorer/none.js", 404),
        ("GET", "/static-offline-docs/none.js", 404),
        ("PUT", "/sample", 405),
        ("DELETE", "/models", 405),
        ("GET", "/encode", 405),
        ("POST", "/", 405),
        ("POST", "/static-offline-docs/swagger-ui.css", 405),
        ("POST", "/health/live", 405),
        ("POST", "/decode", 413),
        ("POST", "/decode", 415),
        ("GET", "/sample?n=0", 422),
    ]
    for method, path, status in asked:
        wire = Wire(client)
        length = ["Content-Length: 99999999999"] if status == 413 else []
        origin = ("Origin: https://front.example", f"X-Request-Id: {IDENTITY}")
        wire.send(f"{method} {path} HTTP/1.1", *origin, *length)
        answer = wire.response()
        wire.socket.close()
        assert answer.status == status, path
        assert answer.headers["content-type"] == "application/problem+json", path
        assert {*answer.headers} - OF_THE_MOMENT == OF_EACH | (
            {"allow"} if status == 405 else set()
        )
        assert answer.headers["x-request-id"] == IDENTITY
        assert orjson.loads(answer.body)["request_id"] == IDENTITY
