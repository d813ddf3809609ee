"""`python -m benchmarks`: install the peers, run the measurements, report them; and training."""

import argparse
import json
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.environments import DEFAULT_HOME, PROJECT, Home, install
from benchmarks.peers.peer import Peer
from benchmarks.peers.registry import PEERS

README = PROJECT / "README.md"
IMAGE = PROJECT / "docs" / "images" / "benchmarks.png"
RESTORATION = PROJECT / "docs" / "images" / "restoration.png"
RESULTS = PROJECT / "benchmarks" / "results"
BLOCK = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)
CEILINGS = ("decode", "colour")  # workloads that are one decoded row a request


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = given.command
    return command(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)

    installing = commands.add_parser("install", help="one environment a peer, outside the project")
    installing.set_defaults(command=_install)
    running = commands.add_parser("run", help="measure, and write a results file")
    running.set_defaults(command=_run)
    for each in (installing, running):
        each.add_argument("--peers", type=_names, default=list(PEERS), metavar="NAME,NAME")
        each.add_argument("--home", type=Path, default=DEFAULT_HOME, help="%(default)s")
        each.add_argument("--venvs", type=Path, help="the environments; HOME/venvs where absent")
    running.add_argument("--workloads", type=_names, metavar="NAME,NAME", help="all where absent")
    running.add_argument("--connections", type=_numbers, default=[1, 16, 64, 256])
    running.add_argument("--processes", type=_numbers, default=sorted({1, os.cpu_count() or 1}))
    running.add_argument("--seconds", type=float, default=4.0, help="a cell; %(default)s")
    running.add_argument("--repeats", type=int, default=3, help="%(default)s")
    running.add_argument("--png-level", type=int, default=6, help="Pillow's, in the peers; 6")
    running.add_argument("--out", type=Path, help="appended to; results/DATE.jsonl where absent")

    training = commands.add_parser("training", help="images a second of the training loop")
    training.set_defaults(command=_training)
    training.add_argument("--data", type=Path, required=True, help="MNIST's folder")
    training.add_argument("--cases", type=_names, metavar="NAME,NAME", help="all where absent")
    training.add_argument("--images", type=int, default=12800, help="of a turn; %(default)s")
    training.add_argument("--repeats", type=int, default=7, help="turns of each; %(default)s")
    training.add_argument("--threads", type=int, default=1, help="of torch; %(default)s")
    training.add_argument("--device", default="cpu", help="cpu or cuda; %(default)s")
    training.add_argument(
        "--out", type=Path, help="appended to; results/DATE-training.jsonl where absent"
    )

    restoring = commands.add_parser("restoration", help="half-hidden digits, by a running service")
    restoring.set_defaults(command=_restoration)
    restoring.add_argument("--data", type=Path, required=True, help="MNIST's folder")
    restoring.add_argument("--url", default="http://127.0.0.1:8000", help="%(default)s")
    restoring.add_argument("--count", type=int, default=100, help="of test images; %(default)s")
    restoring.add_argument("--image", type=Path, default=RESTORATION, help="%(default)s")

    compressing = commands.add_parser("compression", help="binarized digits, by a running service")
    compressing.set_defaults(command=_compression)
    compressing.add_argument("--data", type=Path, required=True, help="MNIST's folder")
    compressing.add_argument("--url", default="http://127.0.0.1:8000", help="%(default)s")
    compressing.add_argument("--count", type=int, default=1000, help="of test images; %(default)s")

    paging = commands.add_parser("page", help="the page at /, by a running service, in Chromium")
    paging.set_defaults(command=_page)
    paging.add_argument("--url", default="http://127.0.0.1:8000", help="%(default)s")

    reporting = commands.add_parser("report", help="the tables and the picture of results files")
    reporting.set_defaults(command=_report)
    reporting.add_argument("files", type=Path, nargs="+")
    reporting.add_argument("--image", type=Path, default=IMAGE, help="%(default)s")
    reporting.add_argument("--readme", action="store_true", help="rewrite the block in README.md")
    return parser


def _compression(given: argparse.Namespace) -> int:
    from benchmarks import compression
    from benchmarks.trials.goals import failed, table

    found = compression.goals(given.url, given.data, given.count)
    print(table(found))
    return 1 if failed(found) else 0


def _page(given: argparse.Namespace) -> int:
    from benchmarks import page
    from benchmarks.trials.goals import table

    print(table(page.goals(given.url)))
    return 0


def _restoration(given: argparse.Namespace) -> int:
    from benchmarks import restoration
    from benchmarks.trials.goals import table

    found = list(restoration.cases(given.url, given.data, given.count))
    restoration.draw(found, given.image)
    print(f"{table(restoration.goals(found))}\npicture: {given.image}")
    return 0


def _install(given: argparse.Namespace) -> int:
    for peer in _peers(given):
        if peer.own_venv:
            print(f"{peer.name}: installing into {_home(given).python(peer).parents[1]}")
            install(peer, _home(given))
    return 0


def _run(given: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that servers are ended
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    from benchmarks.ceiling import rows_a_second
    from benchmarks.facts import facts
    from benchmarks.measure import Plan, measure, runs
    from benchmarks.models import publish_models
    from benchmarks.workloads import WORKLOADS

    home, peers = _home(given), _peers(given)
    missing = [peer.name for peer in peers if not home.python(peer).exists()]
    if missing:
        names = ",".join(missing)
        sys.exit(
            f"no environment for {names}; make it: python -m benchmarks install --peers {names}"
        )
    if unknown := set(given.workloads or ()) - set(WORKLOADS):
        sys.exit(f"no workloads {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    home.logs.mkdir(parents=True, exist_ok=True)
    publish_models(home.store)
    plan = Plan(
        peers=peers,
        workloads=tuple(given.workloads or WORKLOADS),
        connections=tuple(given.connections),
        seconds=given.seconds,
        repeats=given.repeats,
        processes=tuple(given.processes),
        png_level=given.png_level,
        home=home,
    )
    versions = {peer.name: home.versions(peer) for peer in peers}
    out = given.out or RESULTS / time.strftime("%Y-%m-%d-%H%M.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    failed = 0
    with out.open("a") as file:

        def keep(line: dict[str, object]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        keep({"facts": facts(versions) | {"png_level": plan.png_level}})
        for workload in (name for name in CEILINGS if name in plan.workloads):
            for processes in plan.processes:
                rate = rows_a_second(home.store, workload, plan.seconds, processes)
                keep({"workload": workload, "processes": processes, "ceiling": round(rate)})
        planned = list(runs(plan))
        for place, run in enumerate(planned, 1):
            for row in measure(plan, run):
                keep(row)
                failed += "failed" in row
                print(f"{place}/{len(planned)} {_progress(row)}", flush=True)
    print(f"results: {out}; python -m benchmarks report {out}")
    return 1 if failed else 0


def _progress(row: dict[str, object]) -> str:
    who = f"{row['workload']} {row['peer']} {row['processes']}p batch {row['batch']}"
    if "failed" in row:
        return f"{who}: FAILED: {row['failed']}"
    return (
        f"{who} c={row['connections']}: {row['rate']:,} req/s, p50 {row['p50_ms']} "
        f"p99 {row['p99_ms']} ms, CPU {row['cpu_ms']} ms, cores {row['server_cores']} + "
        f"{row['load_cores']} + {row['other_cores']} others', {row['peak_mib']} MiB, "
        f"{row['statuses']} {row['errors'] or ''}"
    )


def _training(given: argparse.Namespace) -> int:
    import torch

    from benchmarks.facts import facts
    from benchmarks.report import about
    from benchmarks.training_speed import CASES, Plan, compare, measure
    from benchmarks.trials.goals import table
    from training.errors import TrainingError

    cases = given.cases or list(CASES)
    if unknown := set(cases) - set(CASES):
        sys.exit(f"no cases {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    plan = Plan(cases, given.data, given.images, given.repeats, given.threads, given.device)
    measured_on = facts({"training": {"torch": torch.__version__}})
    measured_on |= {"threads": plan.threads, "device": plan.device}
    rows = []
    try:
        for row in measure(plan):
            rows.append(row)
            print("{case}, turn {repeat}, {loop}: {rate:,} images/s".format(**row), flush=True)
    except TrainingError as error:
        sys.exit(f"error: {error}")
    out = given.out or RESULTS / time.strftime("%Y-%m-%d-%H%M-training.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in ({"facts": measured_on}, *rows))
    print(table(compare(rows)))
    print(f"{about(measured_on)} Threads: {plan.threads}, device: {plan.device}.")
    print(f"results: {out}")
    return 0


def _report(given: argparse.Namespace) -> int:
    from benchmarks.plot import draw
    from benchmarks.report import markdown, read, summary

    results = read(given.files)
    print(markdown(results))
    draw(results, given.image)
    if given.readme:
        text = README.read_text()
        if not BLOCK.search(text):
            sys.exit(f"{README} has no <!-- benchmarks --> … <!-- /benchmarks --> to rewrite")
        block = BLOCK.sub(lambda m: f"{m[1]}{summary(results)}{m[2]}", text)
        README.write_text(block)
    return 0


def _home(given: argparse.Namespace) -> Home:
    return Home(given.home, given.venvs or given.home / "venvs")


def _peers(given: argparse.Namespace) -> tuple[Peer, ...]:
    if unknown := set(given.peers) - set(PEERS):
        sys.exit(f"no peers {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    return tuple(PEERS[name] for name in given.peers)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in _names(text)]


if __name__ == "__main__":
    sys.exit(main())
