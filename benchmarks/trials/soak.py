"""Half an hour of everything at once: nothing goes wrong, and nothing grows.

Mixed questions, each answer compared; clients that leave; and, where there are several workers,
reloads, by which each of them is replaced while the others serve.
"""

import asyncio
import os
import random
import signal
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

import uvloop

from benchmarks.connection import Answer
from benchmarks.trials.callers import Caller, ask_in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import Goal, at_most, equal, fact, none_of
from benchmarks.trials.leavers import WAYS, leave
from benchmarks.trials.memory import MEGA, Reading, growth, reading, sampled
from benchmarks.trials.questions import Model, mixed
from benchmarks.trials.service import Service, serving
from benchmarks.trials.trial import Say, Trial, names, store_of

TELL_EVERY = 10.0  # seconds
MOST_GROWTH = 10.0  # MB an hour
RELOAD_SECONDS = 120
PAUSE = 0.1  # seconds, at the most, between two leavers


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp", "colour"], help="mixed")
    parser.add_argument("--minutes", type=float, default=30.0, help="of load")
    parser.add_argument("--connections", type=int, default=16, help="clients that stay")
    parser.add_argument("--questions", type=int, default=300, help="different ones")
    parser.add_argument("--workers", type=int, default=2, help="processes; one is never reloaded")
    parser.add_argument("--reload", type=float, default=300.0, help="seconds between reloads")
    parser.add_argument("--cache-bytes", type=int, default=2**24, help="LATENTD_CACHE_BYTES")


class Soak:
    """What goes on until the time is up."""

    def __init__(self, service: Service, requests: Sequence[bytes], comparison: Comparison) -> None:
        self._service = service
        self._requests = requests
        self._comparison = comparison
        self._over = asyncio.Event()
        self.asked = 0
        self.again = 0  # asked again because the connection was closed, as HTTP wants it
        self.left = 0
        self.reloads = 0
        self.unanswered: list[str] = []
        self.stuck: list[str] = []  # reloads that came to no end

    async def run(self, given: Namespace) -> None:
        """All of it, for as long as `given` says."""
        async with asyncio.TaskGroup() as group:
            for number in range(given.connections):
                group.create_task(self._stay(random.Random(number)))
            group.create_task(self._leave(random.Random(-1)))
            if given.workers > 1:
                group.create_task(self._reload(given.reload))
            await asyncio.sleep(60 * given.minutes)
            self._over.set()

    async def _stay(self, draw: random.Random) -> None:
        caller = Caller(self._service.address)
        while not self._over.is_set():
            index = draw.randrange(len(self._requests))
            answer = await self._ask(caller, self._requests[index])
            self.asked += 1
            if answer is not None:
                self._comparison(index, answer)
        caller.close()

    async def _ask(self, caller: Caller, request: bytes) -> Answer | None:
        """A connection may be closed while a request is on its way (RFC 9112, 9.3.1): once more."""
        for last in (False, True):
            try:
                return await caller.ask(request)
            except OSError as error:
                caller.close()
                self.again += not last
                if last:
                    self.unanswered.append(f"{type(error).__name__} {error}: {request[:80]!r}")
        return None

    async def _leave(self, draw: random.Random) -> None:
        while not await self._over_within(PAUSE * draw.random()):
            request = draw.choice(self._requests)
            try:
                await leave(self._service.address, request, draw.choice(WAYS), draw.random() / 5)
            except OSError as error:
                self.unanswered.append(f"{type(error).__name__} {error}, connecting")
            self.left += 1

    async def _reload(self, every: float) -> None:
        tree = self._service.server.tree
        while not await self._over_within(every):
            old = await asyncio.to_thread(tree.alive) - {tree.root}
            os.kill(tree.root, signal.SIGHUP)
            patience = time.perf_counter() + RELOAD_SECONDS
            while old & await asyncio.to_thread(tree.alive):
                if time.perf_counter() > patience:
                    self.stuck.append(f"processes {sorted(old)} after {RELOAD_SECONDS} s")
                    break
                await asyncio.sleep(0.5)
            self.reloads += 1

    async def _over_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    models = [Model.of(store, name) for name in given.models]
    requests = [ask.request for ask in mixed(models, given.questions)]
    settings = {"workers": given.workers, "cache_bytes": given.cache_bytes}
    settings["models"] = ",".join(given.models)
    with serving(store, given.home / "logs", **settings) as service:
        comparison = Comparison(uvloop.run(ask_in_turn(service.address, requests)))
        soak = Soak(service, requests, comparison)
        every = min(TELL_EVERY, 60 * given.minutes / 10)
        with sampled(_teller(soak, comparison, service, say), every) as readings:
            uvloop.run(soak.run(given))
        left = service.idle().total("latentd_queued_rows")
        return [
            fact("answers", f"{comparison.compared} ({soak.again} asked again)"),
            fact("clients that left", str(soak.left)),
            fact("reloads", str(soak.reloads) if given.workers > 1 else "none: one worker"),
            *growth_against_goals(readings),
            *comparison.goals(soak.unanswered),
            none_of("reloads without an end", soak.stuck),
            equal("rows that wait afterwards", left, 0.0),
            none_of("faults in the log", service.faults()),
        ]


def growth_against_goals(readings: list[Reading]) -> list[Goal]:
    """That the second half needed no more than the first."""
    memory, descriptors = growth(readings)
    peak = max((each.memory for each in readings), default=0)
    return [
        fact("memory at its peak (PSS)", f"{peak / MEGA:.0f} MB"),
        at_most("growth of memory, second half", memory, MOST_GROWTH, "{:+.1f} MB/hour".format),
        at_most("growth of descriptors, second half", descriptors, 10, "{:+.1f}/hour".format),
    ]


def _teller(
    soak: Soak, comparison: Comparison, service: Service, say: Say
) -> Callable[[], Reading]:
    """Reads the memory, and says how far the soak is."""
    began = time.perf_counter()

    def tell() -> Reading:
        now = reading(service)
        say(
            f"{now.moment - began:6.0f} s: {soak.asked} asked, {soak.left} left, "
            f"{soak.reloads} reloads, {now.memory / MEGA:.1f} MB, {now.descriptors} "
            f"descriptors, {len(comparison.wrong)} wrong, {len(soak.unanswered)} unanswered"
        )
        return now

    return tell


TRIAL = Trial("a long time of mixed load, leaving clients and reloads", _add_options, _run)
