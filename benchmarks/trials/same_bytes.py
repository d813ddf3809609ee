"""Whether load, neighbours, workers or a restart change a byte of any answer."""

import random
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

import uvloop

from benchmarks.trials.callers import ask_all, ask_in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import Goal, fact, none_of
from benchmarks.trials.questions import Model, mixed
from benchmarks.trials.service import serving
from benchmarks.trials.trial import Say, Trial, names, store_of


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp", "colour"], help="mixed")
    parser.add_argument("--requests", type=int, default=10_000, help="under load, in each phase")
    parser.add_argument("--questions", type=int, default=1000, help="different ones among them")
    parser.add_argument("--connections", type=int, default=64, help="at once")
    parser.add_argument("--workers", type=int, default=2, help="of the last phase; 1 leaves it out")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store, logs = store_of(given), given.home / "logs"
    models = [Model.of(store, name) for name in given.models]
    requests = [ask.request for ask in mixed(models, given.questions)]
    served = {"models": ",".join(given.models)}
    phases: dict[str, dict[str, object]] = {
        "under load": {**served},
        "after a restart": {**served},
    }
    if given.workers > 1:
        phases[f"{given.workers} workers"] = {**served, "workers": given.workers}
    expected = None
    goals: list[Goal] = []
    for number, (title, settings) in enumerate(phases.items()):
        # On a slow machine the largest questions wait for minutes behind all others: that is not
        # what is asked here.
        with serving(store, logs, request_timeout_s=600, **settings) as service:
            if expected is None:
                say(f"{len(requests)} questions, one after the other")
                expected = uvloop.run(ask_in_turn(service.address, requests))
            say(f"{given.requests} requests {title}, on {given.connections} connections")
            comparison = Comparison(expected)
            load = ask_all(
                service.address,
                shuffled(requests, given.requests, number),
                given.connections,
                comparison,
            )
            unanswered = uvloop.run(load)
            goals += [fact(title, ""), *comparison.goals(unanswered, given.requests)]
            goals.append(none_of("faults in the log", service.faults()))
    return goals


def shuffled(requests: Sequence[bytes], count: int, seed: int) -> list[tuple[int, bytes]]:
    """`count` numbered requests in a random order; each one comes equally often, or once more."""
    numbers = [number % len(requests) for number in range(count)]
    random.Random(seed).shuffle(numbers)
    return [(number, requests[number]) for number in numbers]


TRIAL = Trial("every answer under load is the one given alone, byte for byte", _add_options, _run)
