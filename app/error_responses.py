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
from starlette.types import Scope

from app import errors
from app.content_coding import CODINGS
from app.methods import allow_header
from app.request_record import request_id

log = logging.getLogger("latentd")

MEDIA_TYPE = "application/problem+json"
# Of the faults of one request so many are listed, and of these so many told in `detail`.
MOST_LISTED = 20
MOST_SAID = 5
# A name that was sent may be as long as a body.
LONGEST_PLACE = 200
HTTP_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Problem(NamedTuple):
    """The status that an error gets and the problem's short name."""

    status: int
    title: str


PROBLEMS: dict[type[errors.LatentdError], Problem] = {
    errors.BadBody: Problem(400, "Unreadable body"),
    errors.ModelNotServed: Problem(404, "No such model"),
    errors.NotAcceptable: Problem(406, "No such form of answer"),
    errors.BodyTooSlow: Problem(408, "Body too slow"),
    errors.BodyTooLarge: Problem(413, "Body too large"),
    errors.UnsupportedBody: Problem(415, "Unsupported media type"),
    errors.UnsupportedCoding: Problem(415, "Unsupported content coding"),
    errors.WrongHost: Problem(421, "Wrong host"),
    errors.BadValue: Problem(422, "Unusable value"),
    errors.LimitExceeded: Problem(422, "Over the limit"),
    errors.ClientGone: Problem(499, "Client closed request"),
    errors.DeviceFailed: Problem(500, "Device failed"),
    errors.DeviceLost: Problem(503, "Device lost"),
    errors.NotFinite: Problem(500, "Answer not finite"),
    errors.NotInstalled: Problem(501, "Not installed"),
    errors.StoreUnreadable: Problem(503, "Store unreadable"),
    errors.Overloaded: Problem(503, "Overloaded"),
    errors.DeadlinePassed: Problem(504, "Deadline passed"),
    # Raised before there is a request; here so that the table is complete.
    errors.SettingsError: Problem(500, "Bad settings"),
}
# What does not validate, JSON that does not parse among it: pydantic's, and so no error of ours.
INVALID = Problem(422, "Invalid request")


class Told(NamedTuple):
    """A problem as it is answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def register(app: FastAPI) -> None:
    """Let `app` answer every error as a problem."""
    for kind in (errors.LatentdError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    told = tell(request.scope, error)
    response = Response(told.body, told.status)
    response.raw_headers = told.headers
    return response


def tell(scope: Scope, error: Exception) -> Told:
    """The answer to an error of whatever kind."""
    if isinstance(error, errors.LatentdError):
        return _domain_error(scope, error)
    if isinstance(error, RequestValidationError):
        return _validation_error(scope, error)
    if isinstance(error, HTTPException):
        return _http_error(scope, error)
    # Starlette raises the error again once this is sent, so the server logs the traceback.
    detail = "the service failed on this request; its log has the reason under this request_id"
    return _told(scope, Problem(500, "Internal Server Error"), detail)


def _told(scope: Scope, problem: Problem, detail: str, **extensions: object) -> Told:
    """An RFC 9457 answer; docs/http.md has a row for each `type`."""
    body = orjson.dumps(
        {
            "type": problem_type(problem),
            "title": problem.title,
            "status": problem.status,
            "detail": detail,
            "request_id": request_id(scope),
            **extensions,
        }
    )
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    return Told(problem.status, headers, body)


def log_name(scope: Scope) -> str:
    """A request as the log names it; of a path that is as long as it may be, the beginning."""
    return f"{request_id(scope)} {scope['method']} {scope['path'][:LONGEST_PLACE]}"


def with_cause(error: BaseException) -> str:
    """What the log says of an error: with what a device or a library said, unlike the answer."""
    return f"{error} ({error.__cause__})" if error.__cause__ else str(error)


def problem_type(problem: Problem) -> str:
    """The URI that names the problem; `about:blank` for one that its status says all of."""
    if problem.title == HTTP_PHRASES.get(problem.status):
        return "about:blank"
    return "urn:latentd:problem:" + problem.title.lower().replace(" ", "-")


def _domain_error(scope: Scope, error: errors.LatentdError) -> Told:
    problem = PROBLEMS[type(error)]
    told = _told(scope, problem, str(error))
    if isinstance(error, errors.Overloaded):
        told.headers.append((b"retry-after", b"%d" % max(1, ceil(error.retry_after))))
    elif isinstance(error, errors.UnsupportedCoding):
        told.headers.append((b"accept-encoding", ", ".join(CODINGS).encode()))
    # Refusals are counted; a line for each would cost more than the refusal, when it matters most.
    elif problem.status in (500, 503):
        log.warning("%s: %s", log_name(scope), with_cause(error))
    return told


def _validation_error(scope: Scope, error: RequestValidationError) -> Told:
    faults = error.errors()
    fields = [_field(part) for part in faults[:MOST_LISTED]]
    said = [f"{part['field']}: {part['message']}" for part in fields[:MOST_SAID]]
    if len(faults) > MOST_SAID:
        said.append(f"and {len(faults) - MOST_SAID} more")
    return _told(scope, INVALID, "; ".join(said), errors=fields)


def _field(part: dict[str, Any]) -> dict[str, str]:
    """One field's fault. Short plain values are named; anything longer could be the body."""
    place, given = _place(part["loc"]), part.get("input")
    message = part["msg"].removeprefix("Value error, ")
    short = isinstance(given, str | float) or (isinstance(given, int) and abs(given) < 10**40)
    if short and len(str(given)) <= 40:
        message = f"{given} given; {message}"
    if part["type"] == "extra_forbidden":
        part_of_request = "query" if part["loc"][0] == "query" else "body"
        message = (
            f"the {part_of_request} has no such parameter; those of the endpoint's query and body "
            "are listed in the service's documentation"
        )
    return {"field": place, "message": message}


def _place(location: Sequence[str | int]) -> str:
    """`("body", "points", 1, "seed")` as `points.1.seed`."""
    place = ".".join(str(part) for part in location[1:]) or str(location[0])
    return place if len(place) <= LONGEST_PLACE else f"{place[:LONGEST_PLACE]}…"


def _http_error(scope: Scope, error: HTTPException) -> Told:
    detail, docs = error.detail, scope.get("root_path", "") + "/docs"
    if error.status_code == 404:
        detail = f"there is nothing at this path; the endpoints are listed at {docs}"
    elif error.status_code == 405:
        detail = f"this path does not take {scope['method']}; see {docs}"
    told = _told(scope, Problem(error.status_code, HTTP_PHRASES[error.status_code]), detail)
    if error.status_code == 405:
        # Starlette names those of one route; GET and POST of a path are two.
        told.headers.append(allow_header(scope))
        return told
    for name, value in (error.headers or {}).items():
        told.headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return told
