"""Answers in rows: in which form, whether the client has it already, and then the bytes."""

import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import orjson
from starlette.types import Scope

from app import __version__
from app.answer_cache import AnswerCache, Key
from app.arrays import Rows
from app.formats import FORMATS, RENDERER, Answer, Buffer, Format, Head, PartWriter, choose_format
from app.layout import LayoutName, Sheet, check_drawable, columns_for
from app.metrics import Metrics
from app.routes.exchange import TIMEOUT_HEADER, Exchange
from app.routes.lean_route import MEMORABLE
from app.routes.reply import HeaderList, Reply, content_length, headers_of, server_timing
from app.routes.wire_types import Form, Strict
from app.service import ServedModel
from app.settings import Settings
from app.worker_threads import offload

A_YEAR = 31_536_000
ANY = b"*/*"
# A GET as it was sent: path, query, Accept.
Asked: TypeAlias = tuple[str, bytes, bytes]
# How many questions are remembered in the form that was found for them.
PLANS = 4096


class Question(NamedTuple):
    """What an endpoint that answers rows was asked.

    `compute(levels=…)` gives all the rows and `stream(levels=…)` the same in parts, images as
    levels if so wanted.
    """

    num_rows: int
    layout: LayoutName  # where the form names none
    compute: Callable[..., Coroutine[Any, Any, Rows]]
    stream: Callable[..., AsyncGenerator[Rows, None]] | None = None
    seeds: tuple[int, ...] = ()
    # The whole question, defaults included, of a GET whose answer may be kept; else None.
    key: Strict | None = None


class Look(NamedTuple):
    """How an answer is to look, as far as the request says."""

    accept: bytes
    format: str | None
    layout: LayoutName
    columns: int | None
    scale: int


class Plan(NamedTuple):
    """How so many rows of a model are answered in that look; made once."""

    name: str  # the format's
    format: Format
    sheet: Sheet | None
    headers: HeaderList


class Kept(NamedTuple):
    """What an answer that may be kept is known by: outside, and in the cache."""

    tag: bytes
    key: Key


class Known(NamedTuple):
    """What is said of an answer that was given: its headers, and where it is kept."""

    headers: tuple[tuple[bytes, bytes], ...]
    kept: Kept


class RowAnswers:
    """Answers questions in rows, from the cache where it can."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._cache = AnswerCache(settings.cache_bytes, metrics)
        self._results = metrics.cache_results
        self._render_seconds = metrics.render_seconds
        self._plan = lru_cache(PLANS)(self._make_plan)
        self._known: dict[Asked, Known] = {}

    async def reply(self, exchange: Exchange, form: Form, question: Question) -> Reply:
        """The answer. What cannot be answered in this form is refused before the device is asked
        for anything, and what the client or the cache has is not asked of it again.
        """
        accept = exchange.headers.get(b"accept", ANY)
        memorable = _is_short(exchange.scope, accept)
        look = Look(accept, form.format, form.layout or question.layout, form.columns, form.scale)
        make_plan = self._plan if memorable else self._make_plan
        plan = make_plan(exchange.model, look, question.num_rows)
        headers = plan.headers.copy()
        if question.seeds:
            headers.append((b"x-latentd-seed", b", ".join(b"%d" % seed for seed in question.seeds)))
        if question.key is None:
            if exchange.scope["method"] == "GET":
                headers.append((b"cache-control", b"no-store"))
            return await self._answer(exchange, question, plan, headers, None)
        keep = _kept if memorable else _kept.__wrapped__
        kept = keep(exchange.model, plan.name, question.key)
        headers += ((b"etag", kept.tag), self._cache_control(pinned=exchange.pinned))
        if _has(exchange.headers.get(b"if-none-match"), kept.tag):
            self._results.not_modified.inc()
            return Reply(304, headers, ())
        if memorable:
            self._remember(_asked(exchange.scope, accept), Known(tuple(headers), kept))
        return await self._answer(exchange, question, plan, headers, kept.key)

    async def _answer(
        self,
        exchange: Exchange,
        question: Question,
        plan: Plan,
        headers: HeaderList,
        key: Key | None,
    ) -> Reply:
        levels = plan.format.levels and plan.sheet is not None
        shape = exchange.model.manifest.data.shape
        head = Head(exchange.model.id, question.seeds, question.num_rows, shape, plan.sheet)
        pixels_each = plan.sheet.scale**2 if plan.sheet else 1
        in_parts = plan.format.in_parts
        if question.num_rows > self._settings.max_rows and question.stream and in_parts:
            exchange.service.limits.check("max_streamed_rows", question.num_rows, "samples")
            rows = await _begun(question.stream(levels=levels))
            writer = in_parts(head)
            if writer.length is not None:
                headers.append((b"content-length", b"%d" % writer.length))
            return Reply(200, headers, _written(writer, rows, pixels_each))

        async def make() -> Sequence[Buffer]:
            rows = await question.compute(levels=levels)
            began = time.perf_counter()
            write = partial(plan.format.write, Answer(head, rows))
            body = await offload(write, rows.nbytes * pixels_each)
            seconds = time.perf_counter() - began
            self._render_seconds.observe(seconds)
            headers.append(server_timing(exchange.ticket, seconds))
            return body

        body = await (self._cache.get(key, make, exchange.ticket) if key else make())
        headers.append(content_length(body))
        return Reply(200, headers, body)

    def again(self, scope: Scope) -> Reply | None:
        """The answer to a GET that was asked before in the same bytes and is still kept, if it is.

        The shortest way there is: nothing is parsed, nothing is chosen anew.
        """
        headers = dict(scope["headers"])
        known = self._known.get(_asked(scope, headers.get(b"accept", ANY)))
        if known is None or TIMEOUT_HEADER in headers:
            return None
        if _has(headers.get(b"if-none-match"), known.kept.tag):
            self._results.not_modified.inc()
            return Reply(304, list(known.headers), ())
        body = self._cache.find(known.kept.key)
        if body is None:
            return None
        return Reply(200, [*known.headers, content_length(body)], body)

    def _remember(self, asked: Asked, known: Known) -> None:
        if len(self._known) >= PLANS:
            self._known.pop(next(iter(self._known)))
        self._known[asked] = known

    def _make_plan(self, model: ServedModel, look: Look, num_rows: int) -> Plan:
        data = model.manifest.data
        images = data.kind == "image"
        accept = look.accept.decode("latin-1")
        name = choose_format(look.format, accept, images=images)
        chosen = FORMATS[name]
        sheet = None
        if images:
            sheet = Sheet(columns_for(num_rows, look.layout, look.columns), look.scale)
            # The service refuses too many rows in its own words.
            if chosen.levels and num_rows <= self._settings.max_rows:
                check_drawable(num_rows, data.shape, sheet, self._settings.max_pixels)
            elif chosen.draws:
                check_drawable(1, data.shape, Sheet(1, look.scale), self._settings.max_pixels)
        headers = [*headers_of(chosen.media_type, model), (b"vary", b"Accept")]
        return Plan(name, chosen, sheet, headers)

    def _cache_control(self, *, pinned: bool) -> tuple[bytes, bytes]:
        if pinned:
            return b"cache-control", b"public, max-age=%d, immutable" % A_YEAR
        return b"cache-control", b"public, max-age=%d" % self._settings.cache_seconds


@lru_cache(PLANS)
def _kept(model: ServedModel, format_name: str, question: Strict) -> Kept:
    # Equal questions have equal texts, however they were asked: defaults are in it.
    text = f"{type(question).__name__} {question.model_dump_json(exclude={'format'})}"
    key = (f"{model.id} {model.manifest.file.sha256} {model.precision}", format_name, text)
    digest = hashlib.sha256(orjson.dumps([__version__, RENDERER, *key])).hexdigest()
    return Kept(b'"%s"' % digest[:32].encode(), key)


def _has(known: bytes | None, tag: bytes) -> bool:
    """Whether an If-None-Match header lists `tag`; weakly, as RFC 9110 wants it there."""
    if known is None or (tag not in known and known != b"*"):
        return False
    return known == b"*" or tag in {part.strip().removeprefix(b"W/") for part in known.split(b",")}


async def answer_rows(exchange: Exchange, form: Form, question: Question) -> Reply:
    """The answer to `question` in `form`."""
    answers: RowAnswers = exchange.scope["app"].state.answers
    return await answers.reply(exchange, form, question)


def _is_short(scope: Scope, accept: bytes) -> bool:
    """Whether to remember what was asked: what is remembered is to take little memory."""
    return len(scope["path"]) + len(scope["query_string"]) + len(accept) <= MEMORABLE


async def _written(
    writer: PartWriter, parts: AsyncGenerator[Rows, None], pixels_each: int
) -> AsyncGenerator[Buffer, None]:
    """The parts as they are written, each off the event loop if it takes long."""
    yield writer.begin()
    async with aclosing(parts):
        async for rows in parts:
            yield await offload(partial(writer.part, rows), rows.nbytes * pixels_each)
    yield await offload(writer.end)


def _asked(scope: Scope, accept: bytes) -> Asked:
    """All that an answer to a GET depends on, as it was sent."""
    return scope["path"], scope["query_string"], accept


async def _begun(parts: AsyncGenerator[Rows, None]) -> AsyncGenerator[Rows, None]:
    """The same parts, the first of which is there: what fails at once is an error, not a torso."""
    first = await anext(parts)

    async def rest() -> AsyncGenerator[Rows, None]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    return rest()
