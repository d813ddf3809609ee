"""How long a service takes to be ready, beyond the torch that it cannot do without."""

import os
import re
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.environments import PROJECT
from benchmarks.trials.goals import Goal, at_most, fact
from benchmarks.trials.service import serving
from benchmarks.trials.trial import Say, Trial, names, store_of

MOST_SECONDS = 2.0
# Beyond that: a start whose models were verified here before, and one whose models were not.
MOST_WITH_RECEIPT = 0.3
MOST_VERIFYING = 3.0
HEAVY_SECONDS = 0.030  # a package that takes longer to import is named
# `import time: self [us] | cumulative | imported package`
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--models", type=names, default=["mlp"], help="loaded and warmed")
    parser.add_argument("--repeats", type=int, default=5, help="the median counts")
    parser.add_argument("--device", default="auto", help="LATENTD_DEVICE")


def _run(given: Namespace, say: Say) -> list[Goal]:
    store = store_of(given)
    settings = {"models": ",".join(given.models), "device": given.device}
    firsts: list[float] = []
    starts: list[float] = []
    imports: list[float] = []
    for number in range(given.repeats):
        with TemporaryDirectory() as folder:
            # The first start leaves its receipts there, which the second one finds.
            receipts = {"receipts": folder}
            for seen in (firsts, starts):
                with serving(store, given.home / "logs", **settings, **receipts) as service:
                    seen.append(service.server.start_seconds)
        imports.append(_seconds_of("import torch"))
        say(
            f"{number + 1}/{given.repeats}: ready in {firsts[-1]:.2f} s, then in "
            f"{starts[-1]:.2f} s, torch {imports[-1]:.2f} s"
        )
    seconds = "{:.2f} s".format
    torch = median(imports)
    most, first = MOST_SECONDS + MOST_WITH_RECEIPT, MOST_SECONDS + MOST_VERIFYING
    return [
        fact("`import torch` alone", seconds(torch)),
        fact("to ready, verified before", seconds(median(starts))),
        fact("to ready, verifying", seconds(median(firsts))),
        at_most("beyond torch, verified before", median(starts) - torch, most, seconds),
        at_most("beyond torch, verifying", median(firsts) - torch, first, seconds),
        at_most("verifying alone", median(firsts) - median(starts), MOST_VERIFYING, seconds),
        *[
            fact(f"imports {name}", milliseconds)
            for name, milliseconds in heavy_imports(_import_log("import app.server"))
        ],
    ]


def heavy_imports(log: str) -> list[tuple[str, str]]:
    """The packages that take long by themselves, the longest first; `-X importtime` wrote `log`."""
    spent: Counter[str] = Counter()
    for microseconds, module in LINE.findall(log):
        spent[module.partition(".")[0]] += int(microseconds)
    return [(n, f"{us / 1000:.0f} ms") for n, us in spent.most_common() if us / 1e6 > HEAVY_SECONDS]


def _seconds_of(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=_environment())
    return time.perf_counter() - began


def _import_log(statement: str) -> str:
    command = [sys.executable, "-X", "importtime", "-c", statement]
    done = subprocess.run(command, check=True, env=_environment(), capture_output=True, text=True)
    return done.stderr


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}


TRIAL = Trial("from the start of the process to ready", _add_options, _run)
