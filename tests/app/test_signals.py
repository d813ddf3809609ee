"""A signal ends the service at any moment of its start, also as process 1 of a container."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app.processes import Service, children, cold_service, process, runs, until
from tests.factories import publish_kind
from tests.serving import environment

# Holds the interpreter for a minute, as a library does that loads or compiles.
IN_A_LIBRARY = """
import ctypes, sys
from app import first_process
first_process.prepare()
print("begun", file=sys.stderr, flush=True)
ctypes.PyDLL(None).sleep(60)
"""
# A process of which an orphan is left, which ends after its parent; then the status of both.
LEAVES_AN_ORPHAN = """
import os, sys, time
from app import first_process
first_process.prepare()
if os.fork() == 0:
    if os.fork() == 0:
        print("orphan", file=sys.stderr, flush=True)
        time.sleep(0.3)
    os._exit(0)
os.wait()
time.sleep(1)
print("begun", os.getpid(), os.getppid(), len(os.popen("ps -A -o stat= | grep Z").readlines()),
      file=sys.stderr, flush=True)
sys.exit(7)
"""
FIRST = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("signals") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


@contextmanager
def as_first(command: list[str], settings: dict[str, str]) -> Iterator[tuple[Service, int]]:
    """A Python command as process 1 of a process namespace, and its number outside of it."""
    tried = subprocess.run([*FIRST, "-c", ""], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no process namespace can be made here: {tried.stderr.decode().strip()}")
    # Through an interpreter that becomes unshare, for `process` starts interpreters.
    become = ["-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])", *FIRST, *command]
    with process(become, settings) as running:
        first = until(lambda: children(running.process.pid), lambda: "nothing was started")
        yield running, min(first)


def maps(library: str) -> Callable[[int], bool]:
    """Whether a process has begun to load a library."""
    return lambda pid: library in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize(
    ("library", "sig"),
    [
        ("pydantic_core", signal.SIGTERM),
        ("libtorch", signal.SIGINT),
        ("libtorch", signal.SIGTERM),
        ("latentd", signal.SIGTERM),
        pytest.param("pydantic_core", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("latentd", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_start_at_once(store: Path, sig: signal.Signals, library: str) -> None:
    with cold_service(store) as running:
        if library == "latentd":
            running.said("latentd .* on cpu")  # the models are being loaded
        else:
            until(
                lambda: maps(library)(running.process.pid), lambda: f"no {library}: {running.log}"
            )
        running.process.send_signal(sig)
        assert running.process.wait(5) == -sig
    assert "Traceback" not in running.log


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_never_comes_back_to_the_interpreter(sig: signal.Signals) -> None:
    with process(["-c", IN_A_LIBRARY], environment()) as running:
        running.said("begun")
        running.process.send_signal(sig)
        assert running.process.wait(5) == -sig


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_so_it_does_as_process_1(sig: signal.Signals) -> None:
    with as_first(["-c", IN_A_LIBRARY], environment()) as (running, first):
        running.said("begun")
        os.kill(first, sig)
        assert running.process.wait(5) == 128 + sig


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_as_process_1_it_serves_and_ends_in_order(store: Path, workers: int) -> None:
    with as_first(["-m", "app"], environment(store, workers=workers)) as (running, first):
        assert running.get("/sample?seed=1").status_code == 200
        (serving,) = children(first)
        os.kill(first, signal.SIGTERM)
        assert running.end() == 0, running.log
        assert not runs(serving)


@pytest.mark.parametrize("workers", [1, 2])
def test_as_process_1_a_start_is_ended_at_once(store: Path, workers: int) -> None:
    with as_first(["-m", "app"], environment(store, workers=workers)) as (running, first):
        (serving,) = until(lambda: children(first), lambda: "process 1 has no child")
        until(lambda: maps("pydantic_core")(serving), lambda: running.log)
        os.kill(first, signal.SIGTERM)
        assert running.process.wait(5) in (0, 143)


def test_process_1_buries_orphans_and_ends_as_its_child() -> None:
    with as_first(["-c", LEAVES_AN_ORPHAN], environment()) as (running, _):
        said = running.said(r"begun (\d+) (\d+) (\d+)")
        assert int(said[1]) > 1
        assert (said[2], said[3]) == ("1", "0")
        assert running.process.wait(5) == 7


@pytest.mark.parametrize("workers", [1, 2])
def test_a_start_that_takes_too_long_is_given_up(store: Path, workers: int) -> None:
    with cold_service(store, start_timeout_s=0.001, workers=workers) as running:
        assert running.process.wait(60) == 1
        running.end()
        assert running.log.count("cannot start: not ready after 0.001 s (LATENTD_START_") == 1
        assert "Traceback" not in running.log
