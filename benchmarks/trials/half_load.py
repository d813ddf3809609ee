"""How steady the answers are while half of what the service could do is asked of it.

Half is asked on a schedule, as by a crowd that knows nothing of each other: what bunches up by
chance waits in a queue, and so does what comes during a pause of the service's own.
"""

from argparse import ArgumentParser, Namespace

import uvloop

from benchmarks.load import closed_loop, open_loop
from benchmarks.trials.callers import ask_in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import Goal, at_most, fact, milliseconds, none_of
from benchmarks.trials.questions import Model, decode
from benchmarks.trials.service import serving
from benchmarks.trials.trial import Say, Trial, names, store_of

QUESTIONS = 256  # different ones, all compared
TIMES = 3  # that the slowest in a hundred may take what the middle one takes alone


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp", "colour"], help="one after another")
    parser.add_argument("--part", type=float, default=0.5, help="of the highest rate")
    parser.add_argument("--measuring", type=float, default=4.0, help="seconds of each measurement")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the load that counts")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    goals = []
    for name in given.models:
        model = Model.of(store, name)
        requests = [decode(model, 1, seed).request for seed in range(QUESTIONS)]
        with serving(store, given.home / "logs", models=name, max_queue_rows=10**6) as service:
            address = service.address
            right = Comparison(uvloop.run(ask_in_turn(address, requests)))
            say(f"{name}: how many a second, and how long one takes alone")
            load = closed_loop(address, requests, connections=64, seconds=given.measuring)
            rate = given.part * uvloop.run(load).of(200).rate
            load = closed_loop(address, requests, connections=1, seconds=given.measuring)
            alone = uvloop.run(load)
            say(f"{name}: {rate:,.0f} a second for {given.seconds:g} s")
            loaded = uvloop.run(
                open_loop(
                    address, requests, rate=rate, seconds=given.seconds, connections=64, check=right
                )
            )
            goals += [
                fact(f"{name}, asked", f"{rate:,.0f}/s"),
                fact("  alone, p50", milliseconds(alone.percentile(50))),
                fact("  at that rate, p50", milliseconds(loaded.percentile(50))),
                at_most(
                    "  at that rate, p99",
                    loaded.percentile(99),
                    TIMES * alone.percentile(50),
                    milliseconds,
                ),
                *right.goals([f"{kind} {n}" for kind, n in loaded.errors.items()]),
                none_of("faults in the log", service.faults()),
            ]
    return goals


TRIAL = Trial("the slowest answers while half of the highest rate is asked", _add_options, _run)
