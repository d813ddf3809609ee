"""Decoding in bulk: the service's rows a second beside those of a bare loop on the same device."""

import time
from argparse import ArgumentParser, Namespace
from typing import NamedTuple

import uvloop

from benchmarks.trials.bare_loop import rows_a_second
from benchmarks.trials.callers import ask_all, ask_in_turn, in_turn
from benchmarks.trials.comparison import Comparison
from benchmarks.trials.goals import Goal, at_least, fact
from benchmarks.trials.questions import Model, decode
from benchmarks.trials.service import serving
from benchmarks.trials.trial import Say, Trial, names, store_of

LEAST_PART = 0.8


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp", "colour"], help="one after another")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--rows", type=int, default=4096, help="latents of one request")
    parser.add_argument("--clients", type=int, default=4, help="at once")
    parser.add_argument("--batch", type=int, default=64, help="rows of a batch, of both")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    goals: list[Goal] = []
    for name in given.models:
        model = Model.of(store, name)
        say(f"{name}: a bare loop on {given.device}")
        bare = rows_a_second(store, model.id, given.device, given.batch, given.seconds)
        requests = [decode(model, given.rows, i, "npy", "npy").request for i in range(4)]
        settings = {"models": name, "device": given.device, "max_batch_rows": given.batch}
        settings["max_queue_bytes"] = 2**34
        with serving(store, given.home / "logs", **settings) as service:
            say(f"{name}: {given.clients} clients, {given.rows} rows each")
            comparison = Comparison(uvloop.run(ask_in_turn(service.address, requests)))
            before = service.metrics()
            began, own = time.perf_counter(), time.process_time()
            turns = in_turn(requests, given.seconds)
            unanswered = uvloop.run(ask_all(service.address, turns, given.clients, comparison))
            took, own = time.perf_counter() - began, time.process_time() - own
            busy = service.metrics().since(before).total("latentd_batch_seconds_sum")
        served = comparison.compared * given.rows / took
        goals += against(name, Rates(served, bare, busy / took, own / took))
        goals += comparison.goals(unanswered)
    return goals


class Rates(NamedTuple):
    """Rows a second, and parts of the time that were spent working."""

    served: float
    bare: float
    device: float  # in batches
    client: float  # of one core; near 1, it is the client that is measured


def against(name: str, rates: Rates) -> list[Goal]:
    """The service beside the bare loop."""
    rate = "{:,.0f} rows/s".format
    return [
        fact(f"{name}: a bare loop", rate(rates.bare)),
        fact("  the service's device was busy", f"{rates.device:.0%}"),
        fact("  the client's core was busy", f"{rates.client:.0%}"),
        at_least("  the service", rates.served, LEAST_PART * rates.bare, rate),
    ]


TRIAL = Trial("bulk decoding beside a bare loop", _add_options, _run)
