"""Answers in rows: in which form, whether the client has it already, and then the bytes."""

import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from app import __version__
from app.answer_cache import AnswerCache, Key
from app.arrays import Rows
from app.formats import FORMATS, RENDERER, Answer, Buffer, Format, Head, choose_format
from app.layout import LayoutName, Sheet, check_drawable, columns_for
from app.metrics import Metrics
from app.routes.exchange import Exchange
from app.routes.reply import HeaderList, Reply, content_length, headers_of, server_timing
from app.routes.wire_types import Form, Strict
from app.service import ServedModel
from app.settings import Settings
from app.worker_threads import offload

A_YEAR = 31_536_000


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
    """What decides how a question is answered, whatever its rows are."""

    pinned: bool
    accept: bytes
    form: Form
    num_rows: int
    layout: LayoutName
    key: Strict | None


class Plan(NamedTuple):
    """How questions that look the same are answered."""

    format: Format
    sheet: Sheet | None
    headers: HeaderList
    tag: bytes  # the entity tag of an answer that may be kept, else empty
    key: Key | None  # of the same in the cache


class RowAnswers:
    """Answers questions in rows, from the cache where it can."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._cache = AnswerCache(settings.cache_bytes, metrics)
        self._results = metrics.cache_results
        self._render_seconds = metrics.render_seconds
        self._plan = lru_cache(4096)(self._make_plan)

    async def reply(self, exchange: Exchange, form: Form, question: Question) -> Reply:
        """The answer. What cannot be answered in this form is refused before the device is asked
        for anything, and what the client or the cache has is not asked of it again.
        """
        accept = exchange.headers.get(b"accept", b"*/*")
        num_rows, layout, key = question.num_rows, question.layout, question.key
        look = Look(exchange.pinned, accept, form, num_rows, layout, key)
        plan = self._plan(exchange.model, look)
        headers = plan.headers.copy()
        if not plan.tag and exchange.scope["method"] == "GET":
            headers.append((b"cache-control", b"no-store"))
        if question.seeds:
            headers.append((b"x-latentd-seed", ", ".join(map(str, question.seeds)).encode()))
        if plan.tag and _has(exchange.headers.get(b"if-none-match", b""), plan.tag):
            self._results.not_modified.inc()
            return Reply(304, headers, ())
        levels = plan.format.levels and plan.sheet is not None
        head = Head(
            exchange.model.id,
            question.seeds,
            question.num_rows,
            exchange.model.manifest.data.shape,
            plan.sheet,
        )
        if question.num_rows > self._settings.max_rows and question.stream and plan.format.stream:
            exchange.service.limits.check("max_streamed_rows", question.num_rows, "samples")
            rows = await _begun(question.stream(levels=levels))
            return Reply(200, headers, plan.format.stream(head, rows))

        async def make() -> tuple[Buffer, ...]:
            rows = await question.compute(levels=levels)
            began = time.perf_counter()
            scale = plan.sheet.scale if plan.sheet else 1
            body = await offload(
                lambda: plan.format.write(Answer(head, rows)), rows.nbytes * scale**2
            )
            seconds = time.perf_counter() - began
            self._render_seconds.observe(seconds)
            headers.append(server_timing(exchange.ticket, seconds))
            return tuple(body)

        body = await (self._cache.get(plan.key, make) if plan.key else make())
        headers.append(content_length(body))
        return Reply(200, headers, body)

    def _make_plan(self, model: ServedModel, look: Look) -> Plan:
        pinned, accept, form, num_rows, layout, key = look
        data = model.manifest.data
        images = data.kind == "image"
        name = choose_format(form.format, accept.decode("latin-1"), images=images)
        chosen = FORMATS[name]
        sheet = None
        if images:
            sheet = Sheet(columns_for(num_rows, form.layout or layout, form.columns), form.scale)
            # The service refuses too many rows in its own words, and a row a file is no picture.
            if chosen.levels and chosen.stream is None and num_rows <= self._settings.max_rows:
                check_drawable(num_rows, data.shape, sheet, self._settings.max_pixels)
        headers = [*headers_of(chosen.media_type, model), (b"vary", b"Accept")]
        if key is None:
            return Plan(chosen, sheet, headers, b"", None)
        identity = (f"{model.id} {model.manifest.file.sha256}", name, _text(key))
        tag = _entity_tag(identity)
        seconds = A_YEAR if pinned else self._settings.cache_seconds
        kept = f"public, max-age={seconds}" + (", immutable" if pinned else "")
        headers += [(b"etag", tag), (b"cache-control", kept.encode())]
        return Plan(chosen, sheet, headers, tag, identity)


def _text(question: Strict) -> str:
    """A question in full; equal questions have equal texts, however they were asked."""
    return f"{type(question).__name__} {question.model_dump_json(exclude={'format'})}"


def _entity_tag(identity: Key) -> bytes:
    parts = orjson.dumps([__version__, RENDERER, *identity])
    return b'"%s"' % hashlib.sha256(parts).hexdigest()[:32].encode()


def _has(known: bytes, tag: bytes) -> bool:
    """Whether an If-None-Match header lists `tag`; weakly, as RFC 9110 wants it there."""
    return tag in known and tag in {part.strip().removeprefix(b"W/") for part in known.split(b",")}


async def answer_rows(exchange: Exchange, form: Form, question: Question) -> Reply:
    """The answer to `question` in `form`."""
    answers: RowAnswers = exchange.scope["app"].state.answers
    return await answers.reply(exchange, form, question)


async def _begun(parts: AsyncGenerator[Rows, None]) -> AsyncGenerator[Rows, None]:
    """The same parts, the first of which is there: what fails at once is an error, not a torso."""
    first = await anext(parts)

    async def rest() -> AsyncGenerator[Rows, None]:
        yield first
        async for part in parts:
            yield part

    return rest()
