"""Routes that FastAPI documents and that run without FastAPI's machinery.

An endpoint is declared once, as a FastAPI function: its signature says what its query and its body
are. FastAPI makes the documentation from it; at a request, `LeanRoute` reads query and body into
the very same models itself, which costs a tenth of what FastAPI's general way does.
"""

import inspect
from collections.abc import Callable, Coroutine
from functools import lru_cache
from math import prod
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope

from app.errors import LimitExceeded, NotFinite, UnsupportedBody
from app.media_types import JSON, json_text, media_type
from app.memory import Memory
from app.routes.exchange import Exchange
from app.routes.reply import Reply
from app.service import Limits, ServedModel

M = TypeVar("M", bound=BaseModel)

# A body of fewer bytes is read in milliseconds, whatever it holds.
SMALL_BODY = 65_536
# What a point, a term or a request may say beside numbers, each by its name.
OTHER_VALUES = 16
# What Python takes for a number in a list, for a list or an object beside, and for a member's name.
VALUE_BYTES, LIST_BYTES, NAME_BYTES = 32, 80, 120
# Where there are more faults, to list them would take as long as a batch.
MAX_FAULTS = 1_000


class LeanRoute(APIRoute):
    """An endpoint `(exchange, query, body) -> Reply`; query and body are models, where it has any.

    A query is annotated `Annotated[Model, Query()]`, a body `Model` or `Model | None`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        """As APIRoute's; the answer's type is for this class, not for the documentation."""
        self._query: type[BaseModel] | None = None
        self._body: type[BaseModel] | None = None
        self._body_optional = False
        hints = get_type_hints(endpoint, include_extras=True)
        for name, parameter in list(inspect.signature(endpoint).parameters.items())[1:]:
            hint = hints[name]
            if get_origin(hint) is Annotated and isinstance(get_args(hint)[1], Query):
                self._query = get_args(hint)[0]
            else:
                self._body = next(kind for kind in (get_args(hint) or (hint,)) if kind)
                self._body_optional = parameter.default is None
        super().__init__(path, endpoint, **{**options, "response_model": None})

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """Read the request and run the endpoint. Raises domain errors and validation errors."""
        exchange = Exchange(scope, receive)
        arguments: list[object] = []
        faults: list[Any] = []
        try:
            if self._query is not None:
                try:
                    queries: Queries = scope["app"].state.queries
                    arguments.append(queries.read(self._query, scope["query_string"]))
                except RequestValidationError as error:
                    faults += error.errors()
            if self._body is not None:
                try:
                    arguments.append(await self._read_body(exchange, self._body))
                except RequestValidationError as error:
                    faults += error.errors()
            if faults:
                raise RequestValidationError(faults)
            reply: Reply = await self.endpoint(exchange, *arguments)
            return reply
        except NotFinite as error:
            raise exchange.at_fault(error) from None
        finally:
            # A response that is all there is the connection's to hold; a stream reserves anew.
            exchange.ticket.release()

    async def _read_body(self, exchange: Exchange, model: type[BaseModel]) -> BaseModel | None:
        body = await exchange.body()
        if self._body_optional and (not body or body.strip() == b"null"):
            return None
        given = media_type_of(exchange)
        if given != JSON:
            raise unsupported(given, JSON)
        return parse_json(exchange, model, body)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The same for requests that come by FastAPI's own routing, below a mount for one."""

        async def handle(request: Request) -> Response:
            reply = await self.answer(request.scope, request.receive)
            response = StreamingResponse(reply.body, reply.status)
            response.raw_headers = reply.headers
            return response

        return handle


class Queries:
    """Reads queries, each of the last few thousand once: what it was read as never changes."""

    def __init__(self) -> None:
        self._known: Memory[tuple[type[BaseModel], bytes], Any] = Memory(4096)

    def read(self, model: type[M], query: bytes) -> M:
        """As `parse_query` does."""
        known: M | None = self._known.get((model, query))
        return known or self._known.keep((model, query), parse_query(model, query), len(query))


def parse_query(model: type[M], query: bytes) -> M:
    """A query string as `model`; its faults are answered as FastAPI answers those of any other.

    Of a parameter given twice the last one counts, unless the model takes several.
    """
    values: dict[str, Any] = {}
    for name, value in _pairs(query.decode("latin-1")):
        if name in _several(model):
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _fault("query", error) from None


def _pairs(query: str) -> list[tuple[str, str]]:
    if "%" in query or "+" in query:
        return parse_qsl(query, keep_blank_values=True)
    # Without an escape there is nothing to decode, and the general way takes ten times as long.
    parts = [part.partition("=") for part in query.split("&") if part]
    return [(name, value) for name, _, value in parts]


@lru_cache
def _several(model: type[BaseModel]) -> frozenset[str]:
    fields = model.model_fields.items()
    return frozenset(name for name, field in fields if get_origin(field.annotation) is tuple)


def parse_json(exchange: Exchange, model: type[M], body: bytes) -> M:
    """JSON as `model`; its faults are answered as FastAPI answers those of any other body.

    Raises LimitExceeded for what holds more than one request may, before it is validated.
    """
    limits, body = exchange.service.limits, json_text(body)
    if len(body) > SMALL_BODY:
        exchange.ticket.reserve(_parsed_bytes(body, limits, exchange.model))
    try:
        return model.model_validate_json(body, context=limits)
    except ValidationError as error:
        raise _fault("body", error) from None


def _parsed_bytes(body: bytes, limits: Limits, model: ServedModel) -> int:
    """The memory that a body takes once it is parsed; refuses what would keep everybody waiting.

    A value of JSON follows a comma or an opening bracket, a name stands before a colon, and these
    are counted at the speed of memory; those in texts count as well, but there are few.
    """
    lists = body.count(b"[") + body.count(b"{")
    values, names = lists + body.count(b","), body.count(b":")
    rows = max(limits.max_rows, limits.max_points)
    values_of_a_row, lists_of_a_row = _contents_of_a_row(model)
    most_values = min(rows * values_of_a_row, limits.max_json_values)
    most_lists, most_names = rows * lists_of_a_row, rows * OTHER_VALUES
    if values > most_values or lists > most_lists or names > most_names:
        raise LimitExceeded(
            f"the body holds {values} values, {lists} of them lists or objects, and {names} names; "
            f"one request may have at most {most_values}, {most_lists} and {most_names}, which is "
            f"what {rows} rows of {model.id} or LATENTD_MAX_JSON_VALUES come to: send fewer rows, "
            "in several requests, send numbers as .npy, or have the operator raise these two "
            "(LATENTD_MAX_ROWS)"
        )
    return len(body) + VALUE_BYTES * values + LIST_BYTES * lists + NAME_BYTES * names


def _contents_of_a_row(model: ServedModel) -> tuple[int, int]:
    """How many values, and how many lists among them, one row comes to at most: a latent in each
    list of an answer of `/encode`, which `/decode` takes whole, or a row of numbers.
    """
    latent, data = model.manifest.latent_shape, model.manifest.data
    numbers = 3 * len(latent) * prod(latent)
    lists = 3 * sum(prod(latent[:depth]) for depth in range(len(latent)))
    if data.kind != "image":
        numbers = max(numbers, prod(data.shape))
    return numbers + OTHER_VALUES, lists + OTHER_VALUES


def _fault(place: str, error: ValidationError) -> RequestValidationError:
    count = error.error_count()
    if count > MAX_FAULTS:
        message = f"{count} faults, too many to list; the documentation says what is taken"
        return RequestValidationError([{"type": "too_many", "loc": (place,), "msg": message}])
    faults = error.errors(include_url=False, include_context=False)
    return RequestValidationError([{**fault, "loc": (place, *fault["loc"])} for fault in faults])


def media_type_of(exchange: Exchange) -> str:
    """What the body says it is, by its usual name; empty where it says nothing."""
    return media_type(exchange.headers.get(b"content-type", b""))


def unsupported(given: str, *takes: str) -> UnsupportedBody:
    """The error of a body of another kind than the endpoint takes."""
    return UnsupportedBody(
        f"the body's Content-Type is {given[:80] or 'missing'}; this endpoint takes "
        f"{', '.join(takes)}: set the header to what the body is"
    )
