"""The short way past FastAPI's machinery refuses exactly what FastAPI refuses, and names it."""

import asyncio
import json
import random
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import httpx
import pytest
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse
from starlette.types import Message, Scope

from app.routes.wire_types import (
    ArithmeticRequest,
    DecodeRequest,
    EncodeQuery,
    EncodeRequest,
    Form,
    InterpolateQuery,
    InterpolateRequest,
    MapQuery,
    MapRequest,
    SampleQuery,
    SampleRequest,
    TraverseRequest,
)
from tests.app.odd_requests import (
    GOOD_BODIES,
    HOT,
    JSON,
    NAMES,
    NOT_JSON,
    NOT_OBJECTS,
    ODD_JSON,
    WORDS,
    bodies,
    queries,
)

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


@plain.get("/map")
async def _get_map(query: Annotated[MapQuery, Query()]) -> None: ...


@plain.post("/map")
async def _post_map(form: Annotated[Form, Query()], question: MapRequest | None = None) -> None: ...


@plain.post("/traverse")
async def _traverse(form: Annotated[Form, Query()], question: TraverseRequest) -> None: ...


@plain.post("/arithmetic")
async def _arithmetic(form: Annotated[Form, Query()], question: ArithmeticRequest) -> None: ...


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


@pytest.mark.parametrize("path", ["/sample", "/interpolate", "/map"])
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
