"""Faults on the real process, one after the other: after each it is as it was before.

Killed and stopped workers, no descriptors, no memory, a store that is gone, and clients that read
slowly, send half, or leave. What is looked at afterwards: the answer, the number of workers, rows
that wait, descriptors, memory.
"""

import shutil
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from http.client import HTTPConnection

from benchmarks.trials.goals import Goal, at_most, fact, none_of
from benchmarks.trials.memory import MEGA, Reading, reading
from benchmarks.trials.service import Service, serving
from benchmarks.trials.trial import Say, Trial, names, store_of
from benchmarks.trials.ways_to_fail import WAYS, Patient

QUESTION = "/sample?n=3&seed=5&format=npy"
MORE_DESCRIPTORS = 8  # that connections on their way out may hold
MORE_MEMORY = 300.0  # MB that allocators may keep of what was freed
# By these a worker may be lost in the middle of whatever it does, and says so in the log.
VIOLENT = frozenset({"kill", "stop", "descriptors", "memory", "store"})


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp"], help="the first one is asked")
    parser.add_argument("--minutes", type=float, default=30.0, help="rounds begin until then")
    parser.add_argument("--faults", type=names, default=[*WAYS], help=f"of {', '.join(WAYS)}")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each of them lasts")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to be well again")
    parser.add_argument("--workers", type=int, default=2, help="processes of the service")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = given.home / "faults" / "store"
    shutil.rmtree(store.parent, ignore_errors=True)
    shutil.copytree(store_of(given), store)
    settings = {"models": ",".join(given.models), "workers": given.workers}
    wrong: list[str] = []
    rounds: Counter[str] = Counter()
    with serving(store, given.home / "logs", **settings) as service:
        patient = Patient(service, store, QUESTION, _first_answer(service), given.seconds)
        while patient.listening() < given.workers:
            time.sleep(0.1)
        before = reading(service)
        after = before
        end = time.monotonic() + 60 * given.minutes
        while not rounds or time.monotonic() < end:
            for fault in given.faults:
                lines = len(service.faults())
                found = WAYS[fault](patient) + _not_well(patient, before, given.patience)
                if fault not in VIOLENT:
                    found += service.faults()[lines:]
                for what in found:
                    say(f"{fault}: {what}")
                    wrong.append(f"{fault}: {what}")
                rounds[fault] += 1
            after = reading(service)
            say(f"{dict(rounds)}, {after.memory / MEGA:.0f} MB, {len(wrong)} wrong")
    grown = (after.memory - before.memory) / MEGA
    return [
        *[fact(f"faults: {fault}", str(count)) for fault, count in rounds.items()],
        fact("descriptors before and after", f"{before.descriptors}, {after.descriptors}"),
        at_most("memory (PSS) more than before", grown, MORE_MEMORY, "{:.0f} MB".format),
        none_of("what was wrong while they lasted or after", wrong),
    ]


def _first_answer(service: Service) -> bytes:
    connection = HTTPConnection(*service.address, timeout=30)
    connection.request("GET", QUESTION)
    answer = connection.getresponse().read()
    connection.close()
    return answer


def _not_well(patient: Patient, before: Reading, seconds: float) -> list[str]:
    """What is not as it was, after so many seconds at the most."""
    end = time.monotonic() + seconds
    while (found := _differences(patient, before)) and time.monotonic() < end:
        time.sleep(0.2)
    return [f"{found} after {seconds:g} s"] if found else []


def _differences(patient: Patient, before: Reading) -> str:
    now = reading(patient.service)
    workers = before.processes - 1
    checks = {
        f"{now.processes} processes, not {before.processes}": now.processes != before.processes,
        f"{now.descriptors} descriptors, not {before.descriptors}": (
            now.descriptors > before.descriptors + MORE_DESCRIPTORS
        ),
        f"not {workers} workers listen": patient.listening() != workers,
        "the store is not back": not any(patient.store.iterdir()),
    }
    if wrong := [what for what, so in checks.items() if so]:
        return ", ".join(wrong)
    if wrong_answer := patient.asked():
        return wrong_answer
    waiting = patient.service.metrics().total("latentd_queued_rows")
    return f"{waiting:.0f} rows wait" if waiting else ""


TRIAL = Trial("faults of processes, machine and clients, each of which passes", _add_options, _run)
