"""The supervisor keeps as many workers as are wanted, whatever happens to them and when."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.app.light_workers import Supervised, supervised
from tests.app.processes import runs, until


def workers(service: Supervised, num: int = 3) -> set[int]:
    """The workers, once there are so many."""

    def present() -> set[int]:
        found = service.running.workers()
        return found if len(found) == num else set()

    return until(present, lambda: f"no {num} workers:\n{service.running.log}", 30)


def ready(service: Supervised) -> set[int]:
    service.running.said("ready: ")
    return workers(service)


def reload(service: Supervised) -> None:
    service.running.process.send_signal(signal.SIGHUP)


def ends(service: Supervised, sig: signal.Signals = signal.SIGTERM) -> None:
    """It ends in order, soon, and nobody is left."""
    left = service.running.workers()
    service.running.process.send_signal(sig)
    assert service.running.end() == 0, service.running.log
    until(lambda: not any(map(runs, left)), lambda: "a worker outlives it")


def test_a_worker_that_cannot_be_forked_is_started_once_it_can(tmp_path: Path) -> None:
    with supervised(tmp_path) as service:
        victim = min(ready(service))
        service.forbid_starts()
        os.kill(victim, signal.SIGKILL)
        service.running.said("cannot start a worker: .*another takes its place in")
        service.allow_starts()
        assert victim not in workers(service)
        reload(service)
        service.running.said("reloaded: 3 new workers")
        ends(service)


def test_a_reload_whose_fork_fails_is_made_once_it_can_be(tmp_path: Path) -> None:
    with supervised(tmp_path) as service:
        old = ready(service)
        service.forbid_starts()
        reload(service)
        service.running.said("cannot start a worker: ")
        assert service.running.workers() == old
        service.allow_starts()
        service.running.said("reloaded: 3 new workers")
        assert not old & workers(service)


@pytest.mark.parametrize("victims", [pytest.param(1, marks=pytest.mark.slow), 2, 3])
def test_workers_that_die_during_a_reload_are_replaced(tmp_path: Path, victims: int) -> None:
    with supervised(tmp_path) as service:
        old = ready(service)
        service.plan("slow")
        reload(service)
        workers(service, 4)
        for victim in sorted(old)[:victims]:
            os.kill(victim, signal.SIGKILL)
        service.running.said("reloaded: 3 new workers")
        assert not old & workers(service)


def test_the_last_of_many_reloads_is_what_counts(tmp_path: Path) -> None:
    with supervised(tmp_path, plan="slow") as service:
        ready(service)
        for word in ("one", "two", "three"):
            service.plan(word)
            reload(service)
            time.sleep(0.3)
        service.running.said("reloaded: 3 new workers")
        until(lambda: service.plans(workers(service)) == {"three"}, lambda: service.running.log)


def test_a_reload_during_the_start_reaches_every_worker(tmp_path: Path) -> None:
    with supervised(tmp_path, plan="slow") as service:
        first = workers(service)
        until(lambda: service.plans(first) == {"slow"}, lambda: "they have not read their plan")
        service.plan("new")
        reload(service)
        service.running.said("reloaded: 3 new workers")
        assert service.plans(workers(service)) == {"new"}


def test_a_reload_that_is_refused_leaves_things_as_they_are_and_the_next_is_made(
    tmp_path: Path,
) -> None:
    with supervised(tmp_path) as service:
        old = ready(service)
        service.plan("refuse")
        reload(service)
        service.running.said("the store is damaged; the other workers stay as they are")
        assert workers(service) == old
        service.plan("serve")
        reload(service)
        service.running.said("reloaded: 3 new workers")
        assert not old & workers(service)


def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, worker_timeout_s=3) as service:
        before = ready(service)
        victim = min(before)
        os.kill(victim, signal.SIGSTOP)
        service.running.said(f"worker {victim} was silent for 3 s .LATENTD_WORKER_TIMEOUT_S.; kill")
        service.running.said(f"worker {victim} ended with SIGKILL")
        assert before - {victim} < workers(service)
        assert not runs(victim)


def test_a_machine_that_stood_still_costs_no_worker(tmp_path: Path) -> None:
    with supervised(tmp_path, worker_timeout_s=3) as service:
        before = ready(service)
        together = [service.running.process.pid, *before]
        for pid in together:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(5)
        for pid in together:
            os.kill(pid, signal.SIGCONT)
        time.sleep(2)
        assert service.running.workers() == before, service.running.log
        assert "silent" not in service.running.log
        ends(service)


def test_a_worker_whose_device_is_lost_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path) as service:
        before = ready(service)
        service.plan("lost")
        os.kill(min(before), signal.SIGKILL)
        service.running.said("ended with status 70; another takes its place in")
        service.plan("serve")
        assert before - {min(before)} < workers(service)


def test_workers_that_die_together_are_all_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, workers=6) as service:
        service.running.said("ready: ")
        before = workers(service, 6)
        for victim in before:
            os.kill(victim, signal.SIGKILL)
        until(lambda: not before & service.running.workers(), lambda: service.running.log)
        workers(service, 6)


@pytest.mark.parametrize("when", ["slow", "serve", "sleep"])
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_whatever_is_going_on(
    tmp_path: Path, when: str, sig: signal.Signals
) -> None:
    with supervised(tmp_path) as service:
        ready(service)
        service.plan(when)
        reload(service)
        if when != "serve":  # those are ready too soon to be seen beside the old ones
            workers(service, 4)
        ends(service, sig)
        assert "Traceback" not in service.running.log


def test_workers_that_will_not_start_end_it_with_their_reason(tmp_path: Path) -> None:
    with supervised(tmp_path, plan="refuse") as service:
        assert service.running.end() == 1
        assert service.running.log.count("the store is damaged") == 1


@pytest.mark.slow
def test_a_worker_that_is_never_ready_is_killed_and_another_started(tmp_path: Path) -> None:
    with supervised(tmp_path, plan="sleep", start_timeout_s=1) as service:
        first = workers(service)
        until(lambda: service.plans(first) == {"sleep"}, lambda: "they have not read their plan")
        service.plan("serve")
        service.running.said("is not ready after 11 s .LATENTD_START_TIMEOUT_S.; killed")
        assert not first & ready(service)


@pytest.mark.slow
def test_it_gives_up_where_nobody_serves_and_every_start_dies(tmp_path: Path) -> None:
    with supervised(tmp_path, plan="die") as service:
        until(lambda: service.running.process.poll() is not None, lambda: service.running.log, 60)
        assert service.running.end() == 1
        assert service.running.log.count("takes its place in") >= 4
