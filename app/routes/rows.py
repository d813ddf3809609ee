"""Answers in rows: in which form, whether the client has it already, and then the bytes."""

import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import orjson
from starlette.types import Scope

from app import __version__
from app.answer_cache import AnswerCache, Key
from app.arrays import Rows
from app.formats import Answer, Buffer, Head, PartWriter
from app.formats import fingerprint as formats
from app.layout import LayoutName
from app.memory import Memory
from app.metrics import Metrics
from app.operations import fingerprint as operations
from app.render_queue import RenderQueue
from app.routes.exchange import TIMEOUT_HEADER, Exchange, headers_in
from app.routes.look import Look, Plan, make_plan
from app.routes.reply import LONGEST_LISTS, HeaderList, Reply, content_length, server_timing
from app.routes.wire_types import Form, Strict
from app.service import Point, SeedPoint, ServedModel, Ticket
from app.settings import Settings
from app.worker_threads import INLINE_BYTES

A_YEAR = 31_536_000
ANY = b"*/*"
WEAK = b"W/"
# A GET as it was sent: path, query, Accept.
Asked: TypeAlias = tuple[str, bytes, bytes]
# How many questions are remembered with what was found for them.
REMEMBERED = 4096
# They stand in a header, of which clients read some kilobytes, and in each picture.
MOST_SEEDS = 64


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
    columns: int | None = None  # of the grid, where the form names none
    headers: tuple[tuple[bytes, bytes], ...] = ()  # what else is to be said of the answer
    temperature: float = 1.0  # of the seeds' samples


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

    def __init__(self, settings: Settings, metrics: Metrics, renders: RenderQueue) -> None:
        self._settings = settings
        self._renders = renders
        self._cache = AnswerCache(settings.cache_bytes, metrics)
        self._results = metrics.cache_results
        self._render_seconds = metrics.render_seconds
        self._plans: Memory[Look, Plan] = Memory(REMEMBERED)
        self._known: Memory[Asked, Known] = Memory(REMEMBERED)
        # What an answer's bytes depend on beside the model, the question and the form.
        self._here = f"{__version__} {formats.fingerprint()} {operations.fingerprint()}"

    async def reply(self, exchange: Exchange, form: Form, question: Question) -> Reply:
        """The answer. What cannot be answered in this form is refused before the device is asked
        for anything, and what the client or the cache has is not asked of it again.
        """
        plan = self._plan(exchange, form, question)
        headers = [*plan.headers, *question.headers]
        key = None
        if question.seeds:
            seeds = b", ".join(b"%d" % seed for seed in question.seeds)
            if len(seeds) + sum(len(value) for _, value in question.headers) <= LONGEST_LISTS:
                headers.append((b"x-latentd-seed", seeds))
        if question.key is not None:
            tag, key = kept = self._kept(exchange.model, plan.name, question.key)
            headers += ((b"etag", tag), self._cache_control(exchange))
            asked = _asked(exchange.scope, exchange.headers)
            self._known.keep(asked, Known(tuple(headers), kept), sum(map(len, asked)))
            if _has(exchange.headers.get(b"if-none-match"), tag):
                self._results.not_modified.inc()
                return Reply(304, headers, ())
        elif exchange.scope["method"] == "GET":
            headers.append((b"cache-control", b"no-store"))
        in_parts = question.stream is not None and plan.format.in_parts is not None
        if in_parts and question.num_rows > self._settings.max_rows:
            return await self._streamed(exchange, question, plan, headers)
        make = partial(self._make, exchange, question, plan, headers)
        body = await (make() if key is None else self._cache.get(key, make, exchange.ticket))
        headers.append(content_length(body))
        return Reply(200, headers, body)

    async def _make(
        self, exchange: Exchange, question: Question, plan: Plan, headers: HeaderList
    ) -> Sequence[Buffer]:
        """All of the answer at once; `headers` are told how long it took."""
        ticket = exchange.ticket
        ticket.reserve(plan.num_bytes)
        rendering = self._renders.admit(plan.effort, ticket)
        try:
            rows = await question.compute(levels=plan.levels)
            began = time.perf_counter()
            answer = Answer(_head(exchange, question, plan), rows)
            write = plan.format.write
            if rendering is None:
                ticket.check()
                body = write(answer)
            else:
                body = await rendering.run(lambda check: write(answer._replace(check=check)))
        finally:
            if rendering is not None:
                rendering.close()
        seconds = time.perf_counter() - began
        self._render_seconds.observe(seconds)
        headers.append(server_timing(ticket, seconds))
        return body

    async def _streamed(
        self, exchange: Exchange, question: Question, plan: Plan, headers: HeaderList
    ) -> Reply:
        """More rows than one answer holds at once, in a format that is written in parts."""
        assert question.stream is not None
        assert plan.format.in_parts is not None
        exchange.service.limits.check("max_streamed_rows", question.num_rows, "samples")
        rows = await _begun(question.stream(levels=plan.levels))
        writer = plan.format.in_parts(_head(exchange, question, plan))
        if writer.length is not None:
            headers.append((b"content-length", b"%d" % writer.length))
        return Reply(200, headers, self._written(writer, rows, plan, exchange.ticket))

    async def _written(
        self, writer: PartWriter, parts: AsyncGenerator[Rows, None], plan: Plan, ticket: Ticket
    ) -> AsyncGenerator[Buffer, None]:
        """The parts as they are written, each off the event loop if it takes long."""
        draw = self._renders.run_part
        yield writer.begin()
        async with aclosing(parts):
            async for rows in parts:
                yield await draw(partial(writer.part, rows), plan.effort_of(rows), ticket)
        yield await draw(writer.end, INLINE_BYTES + 1, ticket)

    def again(self, scope: Scope) -> Reply | None:
        """The answer to a GET that was asked before in the same bytes and is still kept, if it is.

        The shortest way there is: nothing is parsed, nothing is chosen anew.
        """
        headers = headers_in(scope)
        known = self._known.get(_asked(scope, headers))
        if known is None or TIMEOUT_HEADER in headers:
            return None
        if _has(headers.get(b"if-none-match"), known.kept.tag):
            self._results.not_modified.inc()
            return Reply(304, list(known.headers), ())
        body = self._cache.find(known.kept.key)
        if body is None:
            return None
        return Reply(200, [*known.headers, content_length(body)], body)

    def _plan(self, exchange: Exchange, form: Form, question: Question) -> Plan:
        accept = exchange.headers.get(b"accept", ANY)
        layout = form.layout or question.layout
        look = Look(
            exchange.model,
            question.num_rows,
            accept,
            form.format,
            layout,
            form.columns or question.columns,
            form.scale,
            form.fps,
            form.repeats,
            form.pingpong,
        )
        num_bytes = len(accept) + len(form.format or "")
        return self._plans.get(look) or self._plans.keep(
            look, make_plan(look, self._settings), num_bytes
        )

    def _cache_control(self, exchange: Exchange) -> tuple[bytes, bytes]:
        if exchange.pinned and not exchange.model.tolerance:
            return b"cache-control", b"public, max-age=%d, immutable" % A_YEAR
        return b"cache-control", b"public, max-age=%d" % self._settings.cache_seconds

    def _kept(self, model: ServedModel, format_name: str, question: Strict) -> Kept:
        """By all that the bytes depend on; a weak tag where a question's bytes are not always the
        same.
        """
        # Equal questions have equal texts, however they were asked: defaults are in it.
        text = f"{type(question).__name__} {question.model_dump_json(exclude={'format'})}"
        computed = f"{model.manifest.file.sha256} {model.precision} {model.fingerprint}"
        key = (f"{model.id} {computed}", format_name, text)
        digest = hashlib.sha256(orjson.dumps([self._here, *key])).hexdigest()
        strength = WEAK if model.tolerance else b""
        return Kept(b'%s"%s"' % (strength, digest[:32].encode()), key)


def _has(known: bytes | None, tag: bytes) -> bool:
    """Whether an If-None-Match header lists `tag`; weakly, as RFC 9110 wants it there."""
    opaque = tag.removeprefix(WEAK)
    # `*` asks whether there is any answer, which only the answer itself can tell.
    if known is None or opaque not in known:
        return False
    return opaque in {part.strip().removeprefix(WEAK) for part in known.split(b",")}


def seeds_of(points: Iterable[Point]) -> tuple[int, ...]:
    """Those of the points that are samples, in their order; none where they are too many."""
    seeds = tuple(point.seed for point in points if isinstance(point, SeedPoint))
    return seeds if len(seeds) <= MOST_SEEDS else ()


async def answer_rows(exchange: Exchange, form: Form, question: Question) -> Reply:
    """The answer to `question` in `form`."""
    answers: RowAnswers = exchange.scope["app"].state.answers
    return await answers.reply(exchange, form, question)


def _head(exchange: Exchange, question: Question, plan: Plan) -> Head:
    """What the format is told before the rows are there."""
    shape = exchange.model.manifest.data.shape
    seeds, num_rows = question.seeds, question.num_rows
    return Head(
        exchange.model.id, seeds, num_rows, shape, plan.sheet, plan.motion, question.temperature
    )


def _asked(scope: Scope, headers: Mapping[bytes, bytes]) -> Asked:
    """All that an answer to a GET depends on, as it was sent."""
    return scope["path"], scope["query_string"], headers.get(b"accept", ANY)


async def _begun(parts: AsyncGenerator[Rows, None]) -> AsyncGenerator[Rows, None]:
    """The same parts, the first of which is there: what fails at once is an error, not a torso."""
    first = await anext(parts)

    async def rest() -> AsyncGenerator[Rows, None]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    return rest()
