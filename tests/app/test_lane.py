"""The short way past FastAPI's machinery: it documents, answers and fails as FastAPI does."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from app import main
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.settings import Settings
from tests.app.conftest import array, picture, problem
from tests.app.odd_requests import HOT, JSON

LATENTS = {"latents": [[0.5, -1, 0, 2, 1e-3]]}
WALK = {"points": [{"seed": 1}, {"latent": [0, 0, 0, 0, 0]}], "steps": 4}


@pytest.mark.parametrize("path", ["/decode", "/interpolate", "/encode"])
def test_a_body_that_must_be_there_is_missed(client: httpx.Client, path: str) -> None:
    for headers in ({}, JSON):
        answer = client.post(path, headers=headers)
        assert answer.status_code in (415, 422)
        assert problem(answer, answer.status_code)


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "json", "multipart/json"])
@pytest.mark.parametrize("path", HOT)
def test_a_body_of_another_kind_is_told_what_is_taken(
    client: httpx.Client, path: str, media_type: str
) -> None:
    answer = client.post(path, content=b"{}", headers={"Content-Type": media_type})
    detail = problem(answer, 415)
    assert media_type in detail
    assert "application/json" in detail


@pytest.mark.parametrize("media_type", ["APPLICATION/JSON", "application/json; charset=utf-8"])
def test_a_media_type_may_have_parameters_and_any_case(
    client: httpx.Client, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    answer = client.post("/sample?format=npy", content=b'{"n": 2, "seed": 1}', headers=headers)
    assert array(answer).shape == (2, 1, 8, 8)


def test_other_methods_are_refused_as_problems(client: httpx.Client) -> None:
    for path in (*HOT, "/models/grey/sample"):
        for method in ("PUT", "DELETE", "PATCH"):
            answer = client.request(method, path)
            assert method in problem(answer, 405)
            assert answer.headers["Allow"] == client.options(path).headers["Allow"]
    assert "GET" in problem(client.get("/encode"), 405)


@pytest.mark.parametrize(
    "path", ["/models//sample", "//sample", "/sample/x", "/models/grey/sample/x", "/models/sample"]
)
def test_a_path_that_is_nearly_one_is_none(client: httpx.Client, path: str) -> None:
    target = f"{path}?seed=1".encode()
    answer = client.get("/", extensions={"target": target})
    assert answer.status_code == 404, (path, answer.status_code, dict(answer.headers))


def test_a_trailing_slash_leads_to_the_endpoint(client: httpx.Client) -> None:
    answer = client.get("/sample/?seed=1", follow_redirects=False)
    assert answer.content == client.get("/sample?seed=1").content


def test_answers_and_problems_carry_the_headers_of_every_answer(client: httpx.Client) -> None:
    headers = {"Origin": "https://front.example", "X-Request-Id": "kept-1"}
    requests: list[tuple[str, str, Any, int]] = [
        ("GET", "/sample?seed=3", None, 200),
        ("POST", "/sample", {"n": 2}, 200),
        ("GET", "/interpolate?seed=1&seed=2", None, 200),
        ("POST", "/decode", LATENTS, 200),
        ("GET", "/sample?n=0", None, 422),
        ("GET", "/sample?format=tiff", None, 406),
        ("GET", "/models/none/sample", None, 404),
    ]
    for method, path, body, status in requests:
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["X-Request-Id"] == "kept-1"
        assert answer.headers["Access-Control-Allow-Origin"] == "https://front.example"
        assert "Origin" in answer.headers["Vary"]
        if status == 200:
            assert "Accept" in answer.headers["Vary"] or path == "/encode"
            assert answer.headers["X-Latentd-Model"] == "grey@1"
    asked = client.options("/sample", headers=headers | {"Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["X-Request-Id"] == "kept-1"


@pytest.mark.parametrize("given", ["kept.1:2-3_x", "x" * 64])
def test_an_id_that_was_given_is_kept(client: httpx.Client, given: str) -> None:
    for path in ("/sample", "/sample?n=0"):
        answer = client.get(path, headers={"X-Request-Id": given})
        assert answer.headers.get_list("X-Request-Id") == [given]


@pytest.mark.parametrize("given", ["x" * 65, "", "a b", "<b>", "é"])
def test_an_id_that_cannot_be_kept_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.get("/sample", headers=[(b"X-Request-Id", given.encode("latin-1"))])
    assert re.fullmatch("[0-9a-f]+-[0-9a-f]+", answer.headers["X-Request-Id"])


def test_server_timing_says_where_the_time_went(client: httpx.Client) -> None:
    png = client.get("/sample?seed=5").content
    answers = [
        client.get("/sample?n=3"),
        client.get("/interpolate?seed=1&seed=77&format=json"),
        client.post("/decode", json=LATENTS),
        client.post("/encode", content=png, headers={"Content-Type": "image/png"}),
    ]
    for answer in answers:
        assert answer.status_code == 200
        parts = answer.headers["Server-Timing"].split(", ")
        found = [re.fullmatch(r"([a-z]+);dur=(\d+\.\d+)", part) for part in parts]
        assert all(found)
        named = {match[1]: float(match[2]) for match in found if match}
        assert [*named] == ["queue", "batch", "device", "render"]
        assert 0 < sum(named.values()) < 20_000
        assert named["device"] > 0


@pytest.mark.parametrize("path", ["/sample?n=64", "/interpolate?seed=4&seed=5&steps=999"])
def test_a_request_may_say_how_long_it_waits(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"X-Request-Timeout": "0.000001"})
    assert answer.status_code in (503, 504)
    assert "X-Request-Timeout" in problem(answer, answer.status_code)
    assert client.get(path, headers={"X-Request-Timeout": "20"}).status_code == 200
    assert client.get(path, headers={"X-Request-Timeout": "1e9"}).status_code == 200


@pytest.mark.parametrize("given", ["", "0", "-1", "nan", "soon", "1,2", "1s", "é", "1" + "x" * 200])
def test_a_wait_that_is_no_time_is_refused(client: httpx.Client, given: str) -> None:
    headers = [(b"X-Request-Timeout", given.encode("latin-1"))]
    for method, path in (("GET", "/sample"), ("POST", "/decode"), ("POST", "/encode")):
        detail = problem(client.request(method, path, headers=headers), 422)
        assert "X-Request-Timeout" in detail
        assert len(detail) < 200


def test_a_wait_that_is_no_time_is_refused_even_where_nothing_is_waited_for(
    client: httpx.Client,
) -> None:
    for _ in range(2):
        assert client.get("/sample?seed=1").status_code == 200
    answer = client.get("/sample?seed=1", headers={"X-Request-Timeout": "soon"})
    assert "soon" in problem(answer, 422)


@asynccontextmanager
async def caller(
    app: ASGIApp, service: FastAPI, root: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `app`, while `service` is started."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


Play = Callable[[httpx.AsyncClient], Awaitable[None]]


def mounted(store: Path, play: Play, mount: Callable[[FastAPI], ASGIApp], root: str = "") -> None:
    """`play` with a client of the application, put somewhere else by `mount`."""

    async def run() -> None:
        origins = ("https://front.example",)
        service = main.create_app(
            Settings(store=store, models=("grey@1", "rows"), cors_origins=origins)
        )
        async with caller(mount(service), service, root) as client:
            await play(client)

    asyncio.run(run())


def in_a_parent(service: FastAPI) -> ASGIApp:
    parent = FastAPI()
    parent.mount("/vae", service)
    return parent


@pytest.mark.parametrize(("mount", "root"), [(in_a_parent, ""), (lambda service: service, "/vae")])
def test_below_a_prefix_the_answers_are_the_same(
    client: httpx.Client, small_store: Path, mount: Callable[[FastAPI], ASGIApp], root: str
) -> None:
    async def play(below: httpx.AsyncClient) -> None:
        for path in (
            "/sample?n=5&seed=1",
            "/sample?n=5&seed=1&format=npy",
            "/sample?n=5&seed=1&format=zip",
            "/models/grey@1/sample?seed=9007199254740991&scale=2",
            "/models/rows/sample?n=3&seed=2",
            "/interpolate?seed=1&seed=2&steps=5&layout=grid",
        ):
            expected, given = client.get(path), await below.get("/vae" + path)
            assert given.status_code == expected.status_code == 200, given.text
            assert given.content == expected.content
            for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control", "Vary"):
                assert given.headers[name] == expected.headers[name]
            known = {"If-None-Match": given.headers["ETag"]}
            assert (await below.get("/vae" + path, headers=known)).status_code == 304
        for path, body in (("/decode?format=npy", LATENTS), ("/interpolate?format=json", WALK)):
            answer = await below.post("/vae" + path, json=body)
            assert answer.content == client.post(path, json=body).content
        assert array(await below.post("/vae/sample?format=npy")).shape == (1, 1, 8, 8)
        for path, status in (("/sample?n=0", 422), ("/models/x/sample", 404), ("/nothing", 404)):
            assert problem(await below.get("/vae" + path), status)
        assert problem(await below.put("/vae/sample"), 405)
        answer = await below.get("/vae/sample", headers={"X-Request-Timeout": "soon"})
        assert "soon" in problem(answer, 422)

    mounted(small_store, play, mount, root)


def test_an_error_that_nobody_foresaw_is_a_problem_and_is_logged(
    small_store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In an endpoint of the test's own, which has such an error every other time."""
    calls = 0
    router = APIRouter(route_class=LeanRoute)

    @router.get("/broken")
    async def broken(exchange: Asked) -> Reply:  # noqa: ARG001
        nonlocal calls
        calls += 1
        if calls % 2:
            raise RuntimeError("a secret of the inside")
        return Reply(200, [(b"content-length", b"2")], (b"ok",))

    async def play(client: httpx.AsyncClient) -> None:
        for _ in range(2):
            detail = problem(await client.get("/broken"), 500)
            assert "secret" not in detail
            assert "request_id" in detail
            assert (await client.get("/broken")).text == "ok"
            assert picture(await client.get("/sample?seed=1")).shape == (8, 8)
        counted = (await client.get("/metrics")).text
        for status in ("200", "500"):
            label = f'{{method="GET",route="/broken",status="{status}"}} 2.0'
            assert "latentd_requests_total" + label in counted

    monkeypatch.setattr(main, "LATENT_SPACE", [*main.LATENT_SPACE, router])
    mounted(small_store, play, lambda service: service)
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 2
    assert all("GET /broken" in record.getMessage() for record in logged)
    assert "a secret of the inside" in caplog.text
