"""A real service in a process of its own, on a free port, for tests to call."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.warm import Warm

READY = re.compile(r"ready: (http://\S+)")


def environment(store: Path | None = None, **settings: object) -> dict[str, str]:
    """This process's environment with `settings` as LATENTD_* and without any others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LATENTD_")}
    receipts = os.environ.get("LATENTD_RECEIPTS", "none")
    given = {"port": 0, "torch_threads": 1, "receipts": receipts} | settings
    if store is not None:
        given["store"] = store
    return kept | {f"LATENTD_{name.upper()}": str(value) for name, value in given.items()}


def start(store: Path | None = None, **settings: object) -> Warm:
    """`python -m app` with its log on a pipe, whose imports are done already."""
    return Warm(environment(store, **settings))


def start_cold(store: Path | None = None, **settings: object) -> "subprocess.Popen[str]":
    """The same from nothing, as users start it."""
    return subprocess.Popen(
        [sys.executable, "-m", "app"],
        env=environment(store, **settings),
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(store: Path | None = None, **settings: object) -> Iterator[httpx.Client]:
    """A client of a running service; the process is ended, and its exit checked, at the end."""
    process = start(store, **settings)
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := READY.search(line):
                break
        else:
            raise AssertionError("the service did not start:\n" + "".join(lines))
        with httpx.Client(base_url=found[1], timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0, "the service did not end cleanly"


def refusal(store: Path | None = None, **settings: object) -> str:
    """What a service that must not start says; it must end by itself, with a failure."""
    process = start(store, **settings)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in (0, None), said
    assert "Traceback" not in said, said
    return said
