"""A service that verifies a model for ever ends at once, and leaves no process behind."""

import os
import signal
from pathlib import Path

import pytest

from tests.app.processes import Service, children, cold_service, runs, until
from tests.model_store.hostile import HangsForEver, plant

# Of the checks of one model: longer than any test waits.
FOR_EVER = {"verify_timeout_s": 3600, "receipts": "none"}
# To end takes less than one second; a machine that does other work may add to that.
SOON = 10


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("hangs") / "store"
    store.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTD_RECEIPTS", "none")
        plant(store, HangsForEver())
    return store


def tree(pid: int) -> set[int]:
    """A process and all that come from it."""
    return {pid}.union(*map(tree, children(pid)))


def verifiers(pids: set[int]) -> set[int]:
    """Those that verify, and those that they forked for it."""
    return {pid for pid in pids if b"verifier_process" in command(pid)}


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def verifying(running: Service) -> set[int]:
    """All processes of a service, once a candidate runs in one of them."""

    def begun() -> set[int]:
        assert running.process.poll() is None, running.log
        found = tree(running.process.pid)
        forks = {child for pid in verifiers(found) for child in children(pid)}
        return found if any(map(computes, forks)) else set()

    return until(begun, lambda: f"nothing is verified:\n{running.log}", 100)


def computes(pid: int) -> bool:
    """Whether a process has been at it for a while: it is in the candidate."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 0.3


def leaves_nobody(started: set[int]) -> None:
    until(
        lambda: not any(map(runs, started)),
        lambda: f"still there: {[command(pid) for pid in started if runs(pid)]}",
        SOON,
    )


@pytest.mark.parametrize(
    ("workers", "sig"),
    [
        (1, signal.SIGTERM),
        pytest.param(1, signal.SIGINT, marks=pytest.mark.slow),
        (2, signal.SIGTERM),
    ],
)
def test_a_signal_ends_it_and_what_verifies(store: Path, workers: int, sig: signal.Signals) -> None:
    with cold_service(store, workers=workers, **FOR_EVER) as running:
        started = verifying(running)
        running.process.send_signal(sig)
        assert running.process.wait(SOON) in (0, -sig)
        leaves_nobody(started)
    assert "Traceback" not in running.log


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_start_that_takes_too_long_ends_what_verifies(store: Path, workers: int) -> None:
    with cold_service(store, workers=workers, start_timeout_s=25, **FOR_EVER) as running:
        started = verifying(running)
        assert running.process.wait(60) == 1
        leaves_nobody(started)
    assert "cannot start: not ready after 25 s (LATENTD_START_TIMEOUT_S" in running.log
    assert "Traceback" not in running.log
