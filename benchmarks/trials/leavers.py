"""Clients that leave at any moment, among others that stay: nobody is wronged, nothing wasted.

First they scatter: they leave in every way there is while the neighbours ask on. Then they rush:
many large requests wait for the device, and all who sent them leave; what the device does from then
on is for those who stayed.
"""

import asyncio
import random
import socket
import struct
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from itertools import cycle, takewhile
from typing import NamedTuple

import uvloop

from benchmarks.trials.callers import Address, ask_all, ask_in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import Goal, equal, fact, no_more, none_of
from benchmarks.trials.questions import SHEET, Ask, Model, mixed, sample
from benchmarks.trials.service import Metrics, Service, serving
from benchmarks.trials.trial import Say, Trial, names, store_of

# How to leave: before anything is sent, within the head, within the body, after the whole request,
# the same by closing only one's own direction, by a reset, and with the answer half read.
WAYS = ("connected", "head", "body", "sent", "half-closed", "reset", "reading")
WHOLE = frozenset({"sent", "half-closed", "reset", "reading"})  # the request has arrived
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset
RUSH = 5  # one leaver in so many is kept for the rush
BATCH_ROWS = 64


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp", "colour"], help="rush for the last")
    parser.add_argument("--leavers", type=int, default=1000, help="clients that leave")
    parser.add_argument("--neighbours", type=int, default=16, help="clients that stay")
    parser.add_argument("--at-once", type=int, default=50, help="leavers at a time")
    parser.add_argument("--longest", type=float, default=0.3, help="seconds that a leaver stays")
    parser.add_argument("--rush-rows", type=int, default=256, help="of a request in the rush")


class Rush(NamedTuple):
    """What the device had done when the last one had left, and when all was done."""

    at_leaving: Metrics
    afterwards: Metrics
    wanted: int  # rows of the neighbours who asked before and stayed


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    models = [Model.of(store, name) for name in given.models]
    rush = given.leavers // RUSH
    settings = {"models": ",".join(given.models), "max_batch_rows": BATCH_ROWS}
    settings["max_queue_rows"] = max(16384, 2 * rush * given.rush_rows)
    with serving(store, given.home / "logs", **settings) as service:
        asks = mixed(models, 64)
        comparison = Comparison(
            uvloop.run(ask_in_turn(service.address, [ask.request for ask in asks]))
        )
        before = service.metrics()
        say(f"{given.leavers - rush} clients leave, {given.neighbours} stay")
        scattered, unanswered = uvloop.run(_scatter(given, service, asks, comparison, rush))
        after = service.idle()
        say(f"{rush} clients leave together")
        rushed, late = uvloop.run(_rush(given, service, models[-1], rush))
        left = rushed.afterwards.total("latentd_queued_rows")
        return [
            *[fact(f"left: {way}", str(scattered.ways[way])) for way in WAYS],
            *scatter_against_goals(scattered, after.since(before)),
            *comparison.goals(unanswered),
            *rush_against_goals(rushed),
            none_of("neighbours in the rush that were not answered right", late),
            equal("rows that wait afterwards", left, 0.0),
            none_of("faults in the log", service.faults()),
        ]


class Scattered(NamedTuple):
    """Who left how, and the rows that were asked for at the most."""

    ways: Counter[str]
    asked: int


async def _scatter(
    given: Namespace, service: Service, asks: Sequence[Ask], comparison: Comparison, rush: int
) -> tuple[Scattered, list[str]]:
    over = asyncio.Event()
    draw = random.Random(1)
    ways: Counter[str] = Counter()
    rows = [sum(ask.work.values()) for ask in asks]
    asked = 0

    def seen(index: int, answer: object) -> None:
        nonlocal asked
        comparison(index, answer)  # type: ignore[arg-type] # an Answer
        asked += rows[index]

    turns = takewhile(lambda _: not over.is_set(), cycle(enumerate(ask.request for ask in asks)))
    staying = asyncio.create_task(ask_all(service.address, turns, given.neighbours, seen))
    places = asyncio.Semaphore(given.at_once)

    async def go() -> None:
        nonlocal asked
        async with places:
            way, index = draw.choice(WAYS), draw.randrange(len(asks))
            ways[way] += 1
            asked += rows[index] if way in WHOLE else 0
            await leave(service.address, asks[index].request, way, given.longest * draw.random())

    await asyncio.gather(*(go() for _ in range(given.leavers - rush)))
    over.set()
    unanswered = await staying
    return Scattered(ways, asked), unanswered


async def leave(address: Address, request: bytes, way: str, seconds: float) -> None:
    """Connect, do what `way` says for so many seconds, and be gone."""
    head_end = request.index(b"\r\n\r\n") + 4
    sent = {"connected": 0, "head": head_end // 2, "body": (head_end + len(request)) // 2}
    reader, writer = await asyncio.open_connection(*address)
    try:
        # Of a request without a body, half the body is all of the head but its end.
        writer.write(request[: min(sent.get(way, len(request)), len(request) - (way == "body"))])
        if way == "half-closed":
            writer.write_eof()
        if way == "reading":
            await asyncio.wait_for(reader.read(64), 30)
        else:
            await asyncio.sleep(seconds)
        if way == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    except (ConnectionError, TimeoutError):
        pass  # the service hung up first
    finally:
        writer.transport.abort()


async def _rush(
    given: Namespace, service: Service, model: Model, rush: int
) -> tuple[Rush, list[str]]:
    stayers = [sample(model, SHEET, seed).request for seed in range(8)]
    right = Comparison(await ask_in_turn(service.address, stayers))
    large = [sample(model, given.rush_rows, seed).request for seed in range(rush)]
    # Those who stay ask first: what is theirs is in the queue, or done, when the others have left.
    staying = asyncio.create_task(ask_all(service.address, enumerate(stayers), len(stayers), right))
    await asyncio.sleep(0.05)
    leaving = [leave(service.address, request, "sent", given.longest) for request in large]
    await asyncio.gather(*leaving)
    done_before = right.compared
    at_leaving = await asyncio.to_thread(service.metrics)
    unanswered = await staying
    afterwards = await asyncio.to_thread(service.idle)
    wanted = SHEET * (len(stayers) - done_before)
    return Rush(at_leaving, afterwards, wanted), [*unanswered, *right.wrong, *right.statuses]


def scatter_against_goals(scattered: Scattered, spent: Metrics) -> list[Goal]:
    """That nothing was run twice: the device did no more than was asked."""
    rows = int(spent.total("latentd_batch_rows_sum"))
    return [
        no_more("rows run while they scattered", rows, scattered.asked + BATCH_ROWS),
        fact("requests given up (client_gone)", _given_up(spent)),
    ]


def rush_against_goals(rush: Rush) -> list[Goal]:
    """That nothing was run for those who had left."""
    spent = rush.afterwards.since(rush.at_leaving)
    rows = int(spent.total("latentd_batch_rows_sum"))
    waited = rush.at_leaving.total("latentd_queued_rows")
    return [
        fact("rows in the queue when the rush had left", f"{waited:.0f}"),
        no_more("rows run after the rush had left", rows, rush.wanted + BATCH_ROWS),
        fact("requests given up in the rush", _given_up(rush.afterwards)),
    ]


def _given_up(metrics: Metrics) -> str:
    return f"{metrics.total('latentd_dropped_total', reason='client_gone'):.0f}"


TRIAL = Trial("clients that leave at any moment, beside others that stay", _add_options, _run)
