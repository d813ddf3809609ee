"""Whether the service's metrics count what clients saw, errors included: exactly, not about."""

import random
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import uvloop

from benchmarks.connection import Answer
from benchmarks.questions import get, post, post_json
from benchmarks.trials.callers import ask_all, ask_in_turn
from benchmarks.trials.goals import Goal, equal, fact, none_of
from benchmarks.trials.questions import Ask, Model, Work, mixed, sample
from benchmarks.trials.service import Metrics, Service, serving
from benchmarks.trials.trial import Say, Trial, names, store_of

SHARE = 3  # one request in so many is an error
READING = "/metrics"  # whose own requests are left out


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp", "colour"], help="mixed")
    parser.add_argument("--requests", type=int, default=3000, help="good and bad")
    parser.add_argument("--connections", type=int, default=32, help="at once")
    parser.add_argument("--workers", type=int, default=1, help="processes of the service")


class Seen(NamedTuple):
    """The client's own books."""

    answers: Counter[tuple[str, ...]]  # by method, route and status
    work: Work  # of the answers that the device gave
    statuses: Counter[str]
    impossible: list[str]  # Server-Timing that cannot be


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    models = [Model.of(store, name) for name in given.models]
    settings = {"models": ",".join(given.models), "workers": given.workers}
    with serving(store, given.home / "logs", **settings, max_rows=1024) as service:
        (first,) = uvloop.run(ask_in_turn(service.address, [sample(models[0], 1, 0).request]))
        asks = mixed(models, given.requests - given.requests // SHARE)
        bad = errors(models[0], first.headers["etag"])
        asks += [bad[number % len(bad)] for number in range(given.requests // SHARE)]
        random.Random(0).shuffle(asks)
        say(f"{len(asks)} requests, {given.requests // SHARE} of which are errors")
        before = service.idle()
        seen = Seen(Counter(), Counter(), Counter(), [])
        unanswered = uvloop.run(_load(service, asks, given.connections, seen))
        # Beside others it would be refused at the door; alone it is let in, and too late.
        unanswered += uvloop.run(_load(service, [_too_late(models[0])], 1, seen))
        wanted = seen.answers.total()
        now = service.settled(lambda now: _requests(now.since(before)).total() >= wanted)
        return [
            *[fact(f"answers {status}", str(n)) for status, n in sorted(seen.statuses.items())],
            *against(seen, now.since(before)),
            equal("rows that wait afterwards", now.total("latentd_queued_rows"), 0.0),
            none_of("requests without an answer", unanswered),
            none_of("times that cannot be (Server-Timing)", seen.impossible),
            none_of("faults in the log", service.faults()),
        ]


async def _load(service: Service, asks: Sequence[Ask], connections: int, seen: Seen) -> list[str]:
    def see(index: int, answer: Answer) -> None:
        note(seen, asks[index], answer)

    requests = enumerate(ask.request for ask in asks)
    return await ask_all(service.address, requests, connections, see)


def note(seen: Seen, ask: Ask, answer: Answer) -> None:
    """Enter one answer into the books."""
    seen.answers[ask.method, ask.route, str(answer.status)] += 1
    if answer.status == 200:
        seen.work.update(ask.work)
    seen.statuses[str(answer.status)] += 1
    timing = answer.headers.get("server-timing", "")
    if "dur=-" in timing:
        seen.impossible.append(f"{timing} of {ask.request[:60]!r}")


def errors(model: Model, etag: str) -> list[Ask]:
    """Requests that are refused, each in another way, and one that is answered 304."""
    path, route = model.path, "/models/{model}"
    nothing = Work()
    return [
        Ask(post(f"{path}/encode", b"no image", "image/png"), "POST", f"{route}/encode", nothing),
        Ask(get("/models/nobody/sample"), "GET", f"{route}/sample", nothing),
        Ask(get("/nowhere"), "GET", "unknown", nothing),
        Ask(get(f"{path}/sample?n=no"), "GET", f"{route}/sample", nothing),
        Ask(get(f"{path}/sample?n=1025&format=png"), "GET", f"{route}/sample", nothing),
        Ask(get(f"{path}/sample", Accept="text/html"), "GET", f"{route}/sample", nothing),
        Ask(
            get(f"{path}/sample?n=1&seed=0&format=png", If_None_Match=etag),
            "GET",
            f"{route}/sample",
            nothing,
        ),
        _too_late(model),
        Ask(post(f"{path}/decode", b"[]", "text/plain"), "POST", f"{route}/decode", nothing),
        Ask(post_json(f"{path}/decode", {"latents": [[0.5]]}), "POST", f"{route}/decode", nothing),
        Ask(post_json(f"{path}/interpolate", {}), "POST", f"{route}/interpolate", nothing),
    ]


def _too_late(model: Model) -> Ask:
    request = get(f"{model.path}/sample?n=64&seed=1", X_Request_Timeout="0.0000001")
    return Ask(request, "GET", "/models/{model}/sample", Work())


def against(seen: Seen, counted: Metrics) -> list[Goal]:
    """The books beside the service's."""
    rows = counted.by("latentd_batch_rows_sum", "model", "operation")
    timed = counted.by("latentd_request_seconds_count", "route")
    timed.pop((READING,), None)
    routes: Counter[tuple[str, ...]] = Counter()
    for (_method, route, _status), n in seen.answers.items():
        routes[(route,)] += n
    dropped = counted.by("latentd_dropped_total", "reason")
    return [
        _same_books("requests", seen.answers, _requests(counted)),
        _same_books("requests timed", routes, timed),
        _same_books("rows run", seen.work, rows),
        equal("dropped: overloaded", dropped.get(("overloaded",), 0.0), 1.0 * seen.statuses["503"]),
        equal("dropped: deadline", dropped.get(("deadline",), 0.0), 1.0 * seen.statuses["504"]),
    ]


def _same_books(
    what: str, seen: Mapping[tuple[str, ...], float], counted: Mapping[tuple[str, ...], float]
) -> Goal:
    differ = sorted(
        f"{' '.join(key)}: {counted.get(key, 0):g} counted, {seen.get(key, 0):g} seen"
        for key in seen.keys() | counted.keys()
        if seen.get(key, 0) != counted.get(key, 0)
    )
    return none_of(f"{what}: counted otherwise than the {sum(seen.values()):,} seen", differ)


def _requests(counted: Metrics) -> Counter[tuple[str, ...]]:
    table = counted.by("latentd_requests_total", "method", "route", "status")
    return Counter({key: int(n) for key, n in table.items() if key[1] != READING})


TRIAL = Trial("the metrics equal the clients' own count", _add_options, _run)
