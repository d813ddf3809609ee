"""`python -m benchmarks.trials NAME`: one trial, its figures against its goals.

The exit status is 1 where something that must hold does not; speeds are only reported.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.trials import (
    bulk,
    counters,
    fairness,
    faults,
    half_load,
    leavers,
    overload,
    same_bytes,
    soak,
    start,
)
from benchmarks.trials.goals import failed, table
from benchmarks.trials.trial import Trial, add_place

TRIALS: dict[str, Trial] = {
    "overload": overload.TRIAL,
    "fairness": fairness.TRIAL,
    "half": half_load.TRIAL,
    "leavers": leavers.TRIAL,
    "bytes": same_bytes.TRIAL,
    "tally": counters.TRIAL,
    "soak": soak.TRIAL,
    "faults": faults.TRIAL,
    "start": start.TRIAL,
    "device": bulk.TRIAL,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one trial; the exit status."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that services are ended
    began = time.perf_counter()
    goals = TRIALS[given.trial].run(given, lambda line: print(line, file=sys.stderr, flush=True))
    print(table(goals))
    wrong = failed(goals)
    verdict = f"FAILED: {'; '.join(goal.what for goal in wrong)}" if wrong else "passed"
    print(f"{given.trial}: {verdict} ({time.perf_counter() - began:.0f} s)")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="trial", metavar="NAME")
    for name, trial in TRIALS.items():
        command = commands.add_parser(
            name,
            help=trial.about,
            description=trial.about,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        add_place(command)
        trial.add_options(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
