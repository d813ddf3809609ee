"""One request for thousands of samples beside a steady stream of single ones.

A large request goes to the device in shares, in turn with the others, so a small one should wait
for the batch under way and then be in the next: two batches at most.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine
from statistics import median
from typing import NamedTuple

import uvloop

from benchmarks.load import Tally, open_loop
from benchmarks.trials.callers import Address, Caller, ask_in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import Goal, at_most, fact, milliseconds, none_of
from benchmarks.trials.questions import Model, sample
from benchmarks.trials.service import Service, serving
from benchmarks.trials.trial import Say, Trial, names, store_of

SMALL = 64  # different small questions
BATCHES = 2  # that a small request may take beside a large one
LARGE_TIMES = 1.5  # that the large one may take beside the small ones


class Figures(NamedTuple):
    """What one model and form came to."""

    title: str
    chunk: float  # seconds of a full batch
    small_alone: Tally
    small_beside: Tally
    large_alone: float
    large_beside: float


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["colour", "mlp"], help="one after another")
    parser.add_argument("--rows", type=int, default=4096, help="samples of the large request")
    parser.add_argument("--forms", type=names, default=["npy", "png"], help="of the large answer")
    parser.add_argument("--rate", type=float, default=20.0, help="small requests a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the stream, at the least")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    goals = []
    for name in given.models:
        model = Model.of(store, name)
        limits = {"max_rows": max(given.rows, 4096), "request_timeout_s": 300}
        with serving(store, given.home / "logs", models=name, **limits) as service:
            for form in given.forms:
                say(f"{name}: one answer of {given.rows} rows as {form}")
                goals += _beside(given, service, model, form)
            goals.append(none_of("faults in the log", service.faults()))
    return goals


def _beside(given: Namespace, service: Service, model: Model, form: str) -> list[Goal]:
    small = [sample(model, 1, seed).request for seed in range(SMALL)]
    large = sample(model, given.rows, 1, form).request
    address = service.address
    right = Comparison(uvloop.run(ask_in_turn(address, small)))
    # On the same schedule: a core that has slept answers later than one that is asked in a row.
    small_alone = uvloop.run(
        open_loop(address, small, rate=given.rate, seconds=given.seconds, connections=4)
    )
    uvloop.run(ask_in_turn(address, [large]))  # memory that it takes is warm
    before = service.metrics()
    began = time.perf_counter()
    expected = uvloop.run(ask_in_turn(address, [large]))
    alone = time.perf_counter() - began
    spent = service.metrics().since(before)
    chunk = spent.total("latentd_batch_seconds_sum") / spent.total("latentd_batch_seconds_count")
    right_large = Comparison(expected)
    seconds = max(given.seconds, 2 * alone)
    stream = open_loop(address, small, rate=given.rate, seconds=seconds, connections=4, check=right)
    beside, took = uvloop.run(_follow(address, large, right_large, stream))
    title = f"{model.id.name}, {given.rows} rows as {form}"
    figures = Figures(title, chunk, small_alone, beside, alone, median(took))
    errors = [f"{kind}: {n}" for kind, n in beside.errors.items()]
    return [*figures_against_goals(figures), *right.goals(errors), *right_large.goals([])]


async def _follow(
    address: Address, large: bytes, right: Comparison, stream: Coroutine[None, None, Tally]
) -> tuple[Tally, list[float]]:
    """Ask for `large` again and again while the stream lasts; and how long each answer took."""
    streaming = asyncio.create_task(stream)
    caller, took = Caller(address), list[float]()
    while not streaming.done():
        began = time.perf_counter()
        right(0, await caller.ask(large))
        took.append(time.perf_counter() - began)
    caller.close()
    return await streaming, took


def figures_against_goals(figures: Figures) -> list[Goal]:
    """The table's lines on one large answer."""
    small, chunk = figures.small_beside, figures.chunk
    return [
        fact(figures.title, f"{len(small.latencies)} small ones"),
        fact("  a full batch", milliseconds(chunk)),
        fact("  small alone, p50", milliseconds(figures.small_alone.percentile(50))),
        fact("  small alone, p99", milliseconds(figures.small_alone.percentile(99))),
        fact("  small beside, p50", milliseconds(small.percentile(50))),
        at_most("  small beside, p99", small.percentile(99), BATCHES * chunk, milliseconds),
        fact("  large alone", milliseconds(figures.large_alone)),
        at_most(
            "  large beside",
            figures.large_beside,
            LARGE_TIMES * figures.large_alone,
            milliseconds,
        ),
    ]


TRIAL = Trial("a large request beside small ones", _add_options, _run)
