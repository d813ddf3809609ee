"""The short way past FastAPI's machinery: it validates, documents and fails as FastAPI does."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Scope

from app import main
from app.routes.exchange import Asked
from app.routes.lean_route import LeanRoute
from app.routes.reply import Reply
from app.routes.wire_types import (
    DecodeRequest,
    EncodeQuery,
    EncodeRequest,
    Form,
    InterpolateQuery,
    InterpolateRequest,
    SampleQuery,
    SampleRequest,
)
from app.settings import Settings
from tests.app.conftest import array, picture, problem

HOT = ["/sample", "/interpolate", "/decode", "/encode"]
JSON = {"Content-Type": "application/json"}
LATENTS = {"latents": [[0.5, -1, 0, 2, 1e-3]]}
WALK = {"points": [{"seed": 1}, {"latent": [0, 0, 0, 0, 0]}], "steps": 4}

plain = FastAPI()


@plain.exception_handler(RequestValidationError)
async def _only_places(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where in a body JSON ends is no field of it.
    places = [
        ["body"] if fault["type"] == "json_invalid" else [*fault["loc"]] for fault in error.errors()
    ]
    return JSONResponse(places, 422)


@plain.get("/sample")
async def _get_sample(query: Annotated[SampleQuery, Query()]) -> None: ...


@plain.post("/sample")
async def _post_sample(
    form: Annotated[Form, Query()], question: SampleRequest | None = None
) -> None: ...


@plain.get("/interpolate")
async def _get_interpolate(query: Annotated[InterpolateQuery, Query()]) -> None: ...


@plain.post("/interpolate")
async def _post_interpolate(
    form: Annotated[Form, Query()], question: InterpolateRequest
) -> None: ...


@plain.post("/decode")
async def _decode(form: Annotated[Form, Query()], question: DecodeRequest) -> None: ...


@plain.post("/encode")
async def _encode(query: Annotated[EncodeQuery, Query()], question: EncodeRequest) -> None: ...


class Question(NamedTuple):
    """A request, down to the bytes of its query."""

    method: str
    path: str
    query: bytes = b""
    body: bytes = b""


class Faults(NamedTuple):
    """Whether a request was refused for what its query or body says, and for which fields."""

    status: int
    fields: tuple[str, ...]


async def by_fastapi(question: Question) -> Faults:
    """What FastAPI's own validation says."""
    sent: list[Message] = []
    headers = [(name.lower().encode(), value.encode()) for name, value in JSON.items()]
    scope: Scope = {
        "type": "http",
        "method": question.method,
        "path": question.path,
        "query_string": question.query,
        "headers": headers if question.body else [],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": question.body}

    async def send(message: Message) -> None:
        sent.append(message)

    await plain(scope, receive, send)
    status = sent[0]["status"]
    if status == 400:  # for a body that is not even text
        return Faults(422, ("body",))
    if status != 422:
        return Faults(status, ())
    return Faults(422, _fields(json.loads(b"".join(part.get("body", b"") for part in sent))))


def by_service(client: httpx.Client, question: Question) -> Faults:
    """What the service says; what validates may still be refused for what it means."""
    answer = client.request(
        question.method,
        question.path,
        content=question.body or None,
        headers=JSON if question.body else {},
        extensions={"target": question.path.encode() + b"?" + question.query},
    )
    assert answer.status_code < 500, (question, answer.text)
    if answer.status_code == 422 and answer.json()["title"] == "Invalid request":
        errors = answer.json()["errors"]
        assert all(error["message"] for error in errors)
        return Faults(422, tuple(sorted({error["field"] for error in errors})))
    return Faults(200, ())


def _fields(places: Iterable[list[str | int]]) -> tuple[str, ...]:
    return tuple(sorted({".".join(map(str, place[1:])) or str(place[0]) for place in places}))


def check_alike(client: httpx.Client, questions: list[Question]) -> int:
    """Compare all answers; how many of the questions were refused."""

    async def all_of_them() -> list[Faults]:
        return [await by_fastapi(question) for question in questions]

    refused = 0
    apart = []
    for question, expected in zip(questions, asyncio.run(all_of_them()), strict=True):
        given = by_service(client, question)
        if given != expected:
            apart.append(f"{question}\n  FastAPI {expected}\n  service {given}")
        refused += expected.status == 422
    assert not apart, f"{len(apart)} of {len(questions)}:\n" + "\n".join(apart)
    return refused


WORDS = [
    *("", "+", "0", "1", "2", "3", "-1", "1.0", "2.50", "1e3", "1E1", "nan", "NaN", "inf"),
    *("-inf", "Infinity", "true", "false", "null", "None", "0x10", "1_0", "01", "-0", "%2B1"),
    *("%201", "1%20", "%09", "%00", "%31", "%2531", "%zz", "%", "%ff", "%C3%A9", "%D9%A3"),
    *("%EF%BC%91", "%F0%9F%8E%B2", "9007199254740991", "9007199254740992", "9" * 30, "9" * 5000),
    *("-" + "9" * 400, "1e400", "1e-400", "[]", "[1]", "{}", "1,2", "grid", "Grid", "strip"),
    *("png", "PNG", "json", "npy", "zip", "slerp", "linear", "cubic", "a=b", "'", "%0D%0A"),
]
NAMES = {
    "/sample": ["n", "seed", "temperature", "format", "layout", "columns", "scale"],
    "/interpolate": ["seed", "steps", "method", "format", "layout", "columns", "scale"],
    "/decode": ["format", "layout", "columns", "scale"],
    "/encode": ["seed"],
}
STRANGE_NAMES = ["sead", "N", "%6e", "n%20", "", "seed[]", "n.0", "model", "exchange", "query"]
GOOD_BODIES: dict[str, dict[str, Any]] = {
    "/sample": {"n": 2, "seed": 1, "temperature": 0.5},
    "/interpolate": WALK | {"method": "linear"},
    "/decode": LATENTS | {"model": "grey@1", "mean": [], "log_var": None},
    "/encode": {"images": ["aGVsbG8="]},
}
JUNK: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 1.0, 2.5, 1e3, 1e300, -0.0, 2**53, 2**53 - 1, 10**40),
    *("", "1", "1.0", " 1", "x", "é", "🎲", "slerp", "nan", "9" * 5000),
    *([], [1], [None], [[]], ["1"], {}, {"seed": 1}, {"a": {"b": [1, {"c": None}]}}),
    *([{}, {}], [{"seed": 1}, {"seed": -1}], [{"seed": 1}] * 3, [{"seed": 1, "row": [1]}, 7]),
    *([{"seed": 1.5}, {"seed": "2"}], [{"latent": 1}, {"image": 2}], [{"sead": 1}, None]),
]
NOT_JSON = [
    *(b"{", b"}", b"[", b"{]", b"{}{}", b"{} x", b"nul", b"nan", b"NaN", b"'a'", b"{'n': 1}"),
    *(b'{"n": 1,}', b'{"n" 1}', b"\xff\xfe", b'{"n": "\xff"}', b"\x00", b" ", b"\n", b"n=1"),
    *(b'{"n": 01}', b'{"n": +1}', b'{"n": .5}', b'{"n": 1', b'{"n": "\\x"}', b"--b\r\n"),
]
NOT_OBJECTS = [b"[]", b"1", b'"x"', b"true", b"[{}]", b"-1.5e3", b'[["n", 1]]']
ODD_JSON = [
    *(b"{}", b" {} ", b'{"n": 1, "n": 0}', b'{"n": 0, "n": 1}', b'{"n": NaN}', b'{"": 1}'),
    *(b'{"temperature": NaN}', b'{"temperature": Infinity}', b'{"temperature": 1e999}'),
    *(b'{"n": 1e0}', b'{"n": 1E+2}', b'{"n": 2.0}', b'{"seed": -0}', b'{"seed": 1e-400}'),
    *(b'{"\\u006e": 0}', b'{"n\\u0000": 1}', b'{"latents": []}', b'{"images": [], "rows": []}'),
    *(b'{"images": ["a"], "rows": [1]}', b'{"points": []}', b'{"steps": 1, "points": [1, 2, 3]}'),
]


def queries(dice: random.Random, path: str, count: int) -> list[bytes]:
    """Query strings: of names that there are and some that there are not, with any values."""
    found = []
    for _ in range(count):
        names = dice.choices(NAMES[path], k=dice.choice([0, 1, 1, 1, 2, 3, 5]))
        names += dice.choices(STRANGE_NAMES, k=dice.choice([0, 0, 0, 0, 1]))
        dice.shuffle(names)
        if path == "/interpolate" and dice.random() < 0.6:
            names += ["seed"] * 2
        parts = [
            f"{name}={dice.choice(WORDS if dice.random() < 0.6 else ['1', '2', '3'])}"
            if dice.random() < 0.95
            else name
            for name in names
        ]
        found.append(dice.choice(["&", "&", "&", "&&", ";"]).join(parts).encode())
    return found


def bodies(dice: random.Random, path: str, count: int) -> list[bytes]:
    """JSON of the right kind, with parts of it left out, replaced or added."""
    found = []
    for _ in range(count):
        body = dict(GOOD_BODIES[path])
        for name in dice.sample([*body], k=min(len(body), dice.choice([0, 1, 1, 1, 2]))):
            if dice.random() < 0.2:
                del body[name]
            else:
                body[name] = dice.choice(JUNK)
        if dice.random() < 0.2:
            body[dice.choice(["extra", "N", "", "seed", "rows", "format"])] = dice.choice(JUNK)
        found.append(json.dumps(body).encode())
    return found


@pytest.mark.parametrize("path", ["/sample", "/interpolate"])
def test_a_query_is_refused_exactly_where_fastapi_refuses_it(
    client: httpx.Client, path: str
) -> None:
    words = [f"{name}={word}".encode() for name in NAMES[path] for word in WORDS]
    if path == "/interpolate":
        words = [b"seed=1&seed=2&" + query for query in words]
    found = [*words, *queries(random.Random(1), path, 150), b"seed=1&seed=2"]
    refused = check_alike(client, [Question("GET", path, query) for query in found])
    assert len(found) / 4 < refused < len(found)


@pytest.mark.parametrize("path", HOT)
def test_the_query_of_a_post_is_refused_where_fastapi_refuses_it(
    client: httpx.Client, path: str
) -> None:
    body = json.dumps(GOOD_BODIES[path]).encode()
    found = queries(random.Random(2), path, 60)
    assert check_alike(client, [Question("POST", path, query, body) for query in found])


@pytest.mark.parametrize("path", HOT)
def test_a_body_is_refused_exactly_where_fastapi_refuses_it(
    client: httpx.Client, path: str
) -> None:
    found = [*bodies(random.Random(3), path, 100), *NOT_JSON, *NOT_OBJECTS, *ODD_JSON]
    refused = check_alike(client, [Question("POST", path, b"", body) for body in found])
    assert len(NOT_JSON) < refused < len(found)


def test_a_body_that_may_be_absent_may_be(client: httpx.Client) -> None:
    assert check_alike(client, [Question("POST", "/sample")]) == 0
    assert check_alike(client, [Question("POST", "/sample", body=b"null")]) == 0


def test_faults_of_query_and_body_are_both_named(client: httpx.Client) -> None:
    check_alike(client, [Question("POST", "/sample", b"scale=0&sead=1", b'{"n": 0}')])


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


def test_the_document_lists_parameters_and_bodies(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    declared = {
        ("/sample", "get"): {*SampleQuery.model_fields},
        ("/sample", "post"): {*Form.model_fields},
        ("/interpolate", "get"): {*InterpolateQuery.model_fields},
        ("/interpolate", "post"): {*Form.model_fields},
        ("/decode", "post"): {*Form.model_fields},
        ("/encode", "post"): {*EncodeQuery.model_fields},
    }
    for (path, method), names in declared.items():
        for prefix, named in (("", set()), ("/models/{model}", {("path", "model")})):
            operation = paths[prefix + path][method]
            parameters = {(part["in"], part["name"]) for part in operation["parameters"]}
            assert parameters == {("query", name) for name in names} | named
            assert ("requestBody" in operation) == (method == "post")
            if method == "post":
                assert "application/json" in operation["requestBody"]["content"]
            assert operation["summary"]
            assert "200" in operation["responses"]
    for path in HOT:
        assert set(paths[path]) == {method for where, method in declared if where == path}


def test_other_methods_are_refused_as_problems(client: httpx.Client) -> None:
    for path in (*HOT, "/models/grey/sample"):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert method in problem(client.request(method, path), 405)
        head = client.head(path)
        assert head.status_code == 405
        assert not head.content
        assert {"GET", "POST"} & set(head.headers["Allow"].split(", "))
    assert "GET" in problem(client.get("/encode"), 405)


@pytest.mark.parametrize(
    "path", ["/models//sample", "//sample", "/sample/x", "/models/grey/sample/x", "/models/sample"]
)
def test_a_path_that_is_nearly_one_is_none(client: httpx.Client, path: str) -> None:
    target = f"{path}?seed=1".encode()
    answer = client.get("/", extensions={"target": target})
    assert answer.status_code == 404, (path, answer.status_code, dict(answer.headers))


def test_a_trailing_slash_leads_to_the_endpoint(client: httpx.Client) -> None:
    answer = client.get("/sample/?seed=1", follow_redirects=True)
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
    assert asked.status_code == 200
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
