"""Domain errors into HTTP, in one table: `application/problem+json` (RFC 9457)."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import errors
from app.request_record import request_id

log = logging.getLogger("latentd")

MEDIA_TYPE = "application/problem+json"
HTTP_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Problem(NamedTuple):
    """The status that an error gets and the problem's short name."""

    status: int
    title: str


PROBLEMS: dict[type[errors.LatentdError], Problem] = {
    errors.BadBody: Problem(400, "Unreadable body"),
    errors.ModelNotServed: Problem(404, "No such model"),
    errors.NotAcceptable: Problem(406, "No such form of answer"),
    errors.BodyTooLarge: Problem(413, "Body too large"),
    errors.UnsupportedBody: Problem(415, "Unsupported media type"),
    errors.BadValue: Problem(422, "Unusable value"),
    errors.LimitExceeded: Problem(422, "Over the limit"),
    errors.ClientGone: Problem(499, "Client closed request"),
    errors.DeviceFailed: Problem(500, "Device failed"),
    errors.DeviceLost: Problem(503, "Device lost"),
    errors.NotFinite: Problem(500, "Answer not finite"),
    errors.Overloaded: Problem(503, "Overloaded"),
    errors.DeadlinePassed: Problem(504, "Deadline passed"),
    # Raised before there is a request; here so that the table is complete.
    errors.SettingsError: Problem(500, "Bad settings"),
}


def register(app: FastAPI) -> None:
    """Let `app` answer every error as a problem."""
    app.add_exception_handler(errors.LatentdError, _domain_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def response_to(request: Request, error: Exception) -> Response:
    """The answer to an error, where no exception handler of FastAPI's stands."""
    if isinstance(error, errors.LatentdError):
        return await _domain_error(request, error)
    if isinstance(error, RequestValidationError):
        return await _validation_error(request, error)
    if isinstance(error, HTTPException):
        return await _http_error(request, error)
    return await _unexpected_error(request, error)


def problem_response(
    request: Request,
    problem: Problem,
    detail: str,
    headers: dict[str, str] | None = None,
    **extensions: object,
) -> Response:
    """An RFC 9457 answer; docs/http.md has a row for each `type`."""
    body = {
        "type": problem_type(problem),
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "request_id": request_id(request.scope),
        **extensions,
    }
    return Response(orjson.dumps(body), problem.status, headers, MEDIA_TYPE)


def problem_type(problem: Problem) -> str:
    """The URI that names the problem; `about:blank` for one that its status says all of."""
    if problem.title == HTTP_PHRASES.get(problem.status):
        return "about:blank"
    return "urn:latentd:problem:" + problem.title.lower().replace(" ", "-")


async def _domain_error(request: Request, error: Exception) -> Response:
    problem = PROBLEMS[type(error)]  # type: ignore[index] # registered for LatentdError alone
    headers = {}
    if isinstance(error, errors.Overloaded):
        headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
    # Refusals are counted; a line for each would cost more than the refusal, when it matters most.
    if problem.status in (500, 503) and not isinstance(error, errors.Overloaded):
        log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem_response(request, problem, str(error), headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [_field(part) for part in error.errors()]
    detail = "; ".join(f"{part['field']}: {part['message']}" for part in fields[:5])
    return problem_response(request, Problem(422, "Invalid request"), detail, errors=fields)


def _field(part: dict[str, Any]) -> dict[str, str]:
    """One field's fault. Short plain values are named; anything longer could be the body."""
    place, given = _place(part["loc"]), part.get("input")
    message = part["msg"].removeprefix("Value error, ")
    if isinstance(given, bool | int | float) or (isinstance(given, str) and len(given) <= 40):
        message = f"{given} given; {message}"
    if part["type"] == "extra_forbidden":
        message = "there is no such parameter; the endpoint's parameters are listed at /docs"
    return {"field": place, "message": message}


def _place(location: Sequence[str | int]) -> str:
    """`("body", "points", 1, "seed")` as `points.1.seed`."""
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404:
        detail = "there is nothing at this path; the endpoints are listed at /docs"
    elif error.status_code == 405:
        detail = f"this path does not take {request.method}; see /docs"
    problem = Problem(error.status_code, HTTP_PHRASES[error.status_code])
    return problem_response(request, problem, detail, dict(error.headers or {}))


async def _unexpected_error(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again once this is sent, so the server logs the traceback.
    detail = "the service failed on this request; its log has the reason under this request_id"
    return problem_response(request, Problem(500, "Internal Server Error"), detail)
