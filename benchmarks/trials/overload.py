"""Five times more work than the device can do: who gets in is served soon, the others know at once.

A bound on the queue is a bound on latency: who is let in waits for the rows ahead of it and for no
others, so the longest wait is the bound divided by the device's rows a second, however many come.
The bounds of WORKS are the largest powers of two that keep the goal where the device is what is
short (one latent decoded: 8 rows before the batch under way, and 8 in it). A larger bound makes
fuller batches and longer waits.
"""

import asyncio
import math
import random
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.connection import Answer
from benchmarks.load import Tally, closed_loop, open_loop
from benchmarks.trials.callers import Address, Caller, ask_in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import (
    Goal,
    at_most,
    equal,
    fact,
    milliseconds,
    no_more,
    none_of,
)
from benchmarks.trials.memory import growth, reading, sampled
from benchmarks.trials.questions import SHEET, Ask, Model, decode, drawn
from benchmarks.trials.service import Service, serving
from benchmarks.trials.trial import Say, Trial, names, store_of

QUESTIONS = 64  # different ones, all compared
REJECTION_SECONDS = 0.020
UNLOADED_TIMES = 3  # that an accepted request may take what it takes unloaded, and a batch
JITTER = 0.5  # of what Retry-After says, so that those who were refused together come back apart
OBEDIENT_SECONDS = 120  # within which everybody who obeys must have succeeded


class Work(NamedTuple):
    """What is asked too often, and the bounds that keep the goal."""

    title: str
    ask: Callable[[Model, int], Ask]
    queue_rows: int
    batch_rows: int


WORKS = {
    "decode": Work("one latent decoded", lambda model, i: decode(model, 1, i), 8, 64),
    "sheet": Work(f"a sheet of {SHEET}", lambda model, i: drawn(model, SHEET, i), 64, 64),
}


class Load(NamedTuple):
    """What was seen under load."""

    tally: Tally
    batch: float  # seconds
    largest_queue: float  # rows
    growth: float  # of memory, MB an hour


class Figures(NamedTuple):
    """What one work came to."""

    work: Work
    rows: int  # of one request
    capacity: float  # requests a second that were answered when none was refused
    unloaded: Tally
    load: Load


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--works", type=names, default=list(WORKS), help="of decode, sheet")
    parser.add_argument("--models", type=names, default=["colour", "mlp"], help="one for each")
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload, each work")
    parser.add_argument("--measuring", type=float, default=4.0, help="seconds of each measurement")
    parser.add_argument("--times", type=float, default=5.0, help="the capacity that is asked for")
    parser.add_argument("--clients", type=int, default=200, help="that obey Retry-After")
    parser.add_argument("--queue-rows", type=int, help="LATENTD_MAX_QUEUE_ROWS; the work's own")
    parser.add_argument("--batch-rows", type=int, help="LATENTD_MAX_BATCH_ROWS; the work's own")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    goals = []
    for name, model in zip(given.works, given.models, strict=True):
        work = WORKS[name]
        work = work._replace(
            queue_rows=given.queue_rows or work.queue_rows,
            batch_rows=given.batch_rows or work.batch_rows,
        )
        goals += _overload(given, store, work, Model.of(store, model), say)
    return goals


def _overload(given: Namespace, store: Path, work: Work, model: Model, say: Say) -> list[Goal]:
    asks = [work.ask(model, i) for i in range(QUESTIONS)]
    requests = [ask.request for ask in asks]
    rows = max(asks[0].work.values())
    bounds = {"models": model.id.name, "max_batch_rows": work.batch_rows}
    with serving(store, given.home / "logs", **bounds, max_queue_rows=10**6) as service:
        say(f"{work.title}: how many a second, with any number waiting")
        load = closed_loop(service.address, requests, connections=64, seconds=given.measuring)
        capacity = uvloop.run(load).of(200).rate
    bounds["max_queue_rows"] = work.queue_rows
    with serving(store, given.home / "logs", **bounds) as service:
        comparison = Comparison(uvloop.run(ask_in_turn(service.address, requests)), [503])
        say(f"{work.title}: {capacity:,.0f} a second; how long one takes alone")
        load = closed_loop(service.address, requests, connections=1, seconds=given.measuring)
        unloaded = uvloop.run(load)
        say(f"{work.title}: {given.times:g} times as many for {given.seconds:g} s")
        refusals = Refusals(comparison)
        loaded = _loaded(service, requests, given.times * capacity, given.seconds, refusals)
        figures = Figures(work, rows, capacity, unloaded, loaded)
        say(f"{work.title}: {given.clients} clients that obey Retry-After")
        tries, never = uvloop.run(obey(service.address, requests, given.clients, comparison))
        left = service.idle()
        return [
            *figures_against_goals(figures),
            *comparison.goals([f"{kind} {n}" for kind, n in loaded.tally.errors.items()]),
            none_of("refusals that do not say when to come back", refusals.wrong),
            none_of(f"obedient clients that never succeeded, of {given.clients}", never),
            fact("tries of an obedient client, mean and most", _mean_and_most(tries)),
            equal("rows that wait afterwards", left.total("latentd_queued_rows"), 0.0),
            none_of("faults in the log", service.faults()),
        ]


def _loaded(
    service: Service,
    requests: Sequence[bytes],
    rate: float,
    seconds: float,
    check: Callable[[int, Answer], None],
) -> Load:
    before = service.metrics()

    def rows_waiting() -> float:
        return service.metrics().total("latentd_queued_rows")

    every = min(1.0, seconds / 10)
    load = open_loop(
        service.address, requests, rate=rate, seconds=seconds, connections=64, check=check
    )
    with (
        sampled(lambda: reading(service), every) as readings,
        sampled(rows_waiting, every) as waiting,
    ):
        tally = uvloop.run(load)
    spent = service.metrics().since(before)
    batches = spent.total("latentd_batch_seconds_count")
    batch = spent.total("latentd_batch_seconds_sum") / batches if batches else math.nan
    return Load(tally, batch, max(waiting, default=0.0), growth(readings)[0])


def figures_against_goals(figures: Figures) -> list[Goal]:
    """The table's lines on one work's load."""
    work, unloaded, loaded = figures.work, figures.unloaded, figures.load.tally
    accepted, refused = loaded.of(200), loaded.of(503)
    others = sorted(set(loaded.statuses) - {200, 503})
    most = UNLOADED_TIMES * unloaded.percentile(99) + figures.load.batch
    bounds = f"{work.queue_rows} rows wait, {work.batch_rows} a batch"
    rate = "{:,.0f}/s".format
    return [
        fact(work.title, bounds),
        fact("  capacity", rate(figures.capacity)),
        fact("  asked", rate(len(loaded.latencies) / loaded.seconds)),
        none_of("  statuses but 200 and 503", others),
        fact("  accepted", rate(accepted.rate)),
        fact("  unloaded, p99", milliseconds(unloaded.percentile(99))),
        fact("  a batch", milliseconds(figures.load.batch)),
        fact("  accepted, p50", milliseconds(accepted.percentile(50))),
        at_most("  accepted, p99", accepted.percentile(99), most, milliseconds),
        at_most("  refused, p99", refused.percentile(99), REJECTION_SECONDS, milliseconds),
        no_more(
            "  rows waiting, most seen", int(figures.load.largest_queue), _longest_queue(figures)
        ),
        at_most("  growth of memory", figures.load.growth, 100.0, "{:+.1f} MB/hour".format),
    ]


def _longest_queue(figures: Figures) -> int:
    """An empty queue takes any request."""
    return max(figures.work.queue_rows, figures.rows)


class Refusals:
    """Sees that every 503 says when to come back; passes every answer on to the comparison."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self.wrong: list[str] = []

    def __call__(self, index: int, answer: Answer) -> None:
        """Look at one answer."""
        self._comparison(index, answer)
        if answer.status == 503 and not answer.headers.get("retry-after", "").isdigit():
            self.wrong.append(f"{answer.head!r:.200}")


async def obey(
    address: Address, requests: Sequence[bytes], clients: int, seen: Callable[[int, Answer], None]
) -> tuple[list[int], list[str]]:
    """All clients at once, each until it has a 200; how often each one asked, and who gave up."""
    tries: list[int] = []
    never: list[str] = []
    until = time.perf_counter() + OBEDIENT_SECONDS

    async def call(number: int) -> None:
        caller, draw = Caller(address), random.Random(number)
        index = number % len(requests)
        answer, count = await caller.ask(requests[index]), 1
        while answer.status == 503 and time.perf_counter() < until:
            wait = float(answer.headers["retry-after"])
            await asyncio.sleep(wait * (1 + JITTER * draw.random()))
            answer, count = await caller.ask(requests[index]), count + 1
        caller.close()
        seen(index, answer)
        tries.append(count)
        if answer.status != 200:
            never.append(f"client {number}: {answer.status} after {count} tries")

    done = await asyncio.gather(*map(call, range(clients)), return_exceptions=True)
    never += [f"{type(error).__name__}: {error}" for error in done if error is not None]
    return tries, never


def _mean_and_most(tries: Sequence[int]) -> str:
    return f"{sum(tries) / len(tries):.1f}, {max(tries)}" if tries else str(math.nan)


TRIAL = Trial("refusing at the door keeps those inside quick", _add_options, _run)
