"""Reads results files and writes them as Markdown; knows nothing of how they came about.

A results file is JSON lines: the facts of a run, then its rows. What was measured several times is
its median.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.workloads import WORKLOADS

Row = dict[str, Any]
DEFAULT_BATCH = 64
DISTURBED = 0.1  # cores that other programs took during a row
SHOWN = 64  # connections at which latency and cost are shown


class Results(NamedTuple):
    """What was measured on one machine."""

    facts: Row
    rows: list[Row]
    ceilings: list[Row]
    failures: list[Row]


class Variant(NamedTuple):
    """One way to run a server for one workload."""

    workload: str
    peer: str
    processes: int
    batch: int

    @property
    def title(self) -> str:
        if self.batch == DEFAULT_BATCH:
            return self.peer
        return (
            f"{self.peer}, batches of {self.batch}" if self.batch > 1 else f"{self.peer}, unbatched"
        )


def read(files: Iterable[Path]) -> Results:
    """All lines of the files; the last one's facts stand for them."""
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    facts = [line["facts"] for line in lines if "facts" in line]
    return Results(
        facts=facts[-1],
        rows=[line for line in lines if "rate" in line],
        ceilings=[line for line in lines if "ceiling" in line],
        failures=[line for line in lines if "failed" in line],
    )


def variants(rows: list[Row]) -> dict[Variant, dict[int, list[Row]]]:
    """The rows of each variant by their connections."""
    table: dict[Variant, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        key = Variant(row["workload"], row["peer"], row["processes"], row["batch"])
        table[key][row["connections"]].append(row)
    return table


def best(rows: list[Row]) -> dict[tuple[str, str, int], Variant]:
    """The faster variant of each workload, server and number of processes, at SHOWN connections."""
    chosen: dict[tuple[str, str, int], Variant] = {}
    table = variants(rows)
    for variant, cells in table.items():
        key = (variant.workload, variant.peer, variant.processes)
        if key not in chosen or _rate(cells) > _rate(table[chosen[key]]):
            chosen[key] = variant
    return chosen


def middle(rows: list[Row], key: str) -> float:
    """The median of a column."""
    return float(median(row[key] for row in rows))


def shown(cells: dict[int, list[Row]]) -> list[Row]:
    """The rows at SHOWN connections, or at the most that were measured."""
    return cells.get(SHOWN) or cells[max(cells)]


def markdown(results: Results) -> str:
    """A table for each workload, and what it was measured on."""
    measured = {row["workload"] for row in results.rows}
    parts = [about(results.facts)]
    parts += [_section(results, name) for name in WORKLOADS if name in measured]
    disturbed = sum(row.get("other_cores", 0) > DISTURBED for row in results.rows)
    if disturbed:
        parts.append(f"Other programs disturbed {disturbed} of {len(results.rows)} rows.")
    parts += [
        f"{row['peer']}, {row['processes']} processes, {row['workload']}: failed, {row['failed']}"
        for row in results.failures
    ]
    return "\n\n".join(parts) + "\n"


def summary(results: Results) -> str:
    """One line a workload: requests a second of each server on all cores, for the README."""
    processes = max(row["processes"] for row in results.rows)
    rows = [row for row in results.rows if row["processes"] == processes]
    table, chosen = variants(rows), best(rows)
    peers = list(dict.fromkeys(row["peer"] for row in rows))
    lines = [_line(["requests/s (p99 ms)", *peers]), _line(["---", *["---:"] * len(peers)])]
    for workload in (name for name in WORKLOADS if any(row["workload"] == name for row in rows)):
        cells = [WORKLOADS[workload].title]
        for peer in peers:
            variant = chosen.get((workload, peer, processes))
            cells.append(_rate_and_tail(shown(table[variant])) if variant else "–")
        lines.append(_line(cells))
    return "\n".join(lines) + "\n\n" + about(results.facts) + "\n"


def _section(results: Results, workload: str) -> str:
    rows = [row for row in results.rows if row["workload"] == workload]
    connections = sorted({row["connections"] for row in rows})
    at = min(SHOWN, max(connections))
    head = ["server", "processes", *[f"req/s at {c}" for c in connections]]
    head += [f"p50 ms at {at}", f"p99 ms at {at}", "CPU ms/request", "peak MiB", "start s"]
    lines = [f"### {workload}: {WORKLOADS[workload].title}", ""]
    lines += [_line([*head, "latentd ×"]), _line(["---", *["---:"] * len(head)])]
    chosen = best(rows)
    for key in sorted(chosen, key=lambda key: key[2]):  # stable: one process first
        lines.append(_line(_cells(rows, chosen, chosen[key], connections)))
    for row in results.ceilings:
        if row["workload"] == workload:
            rate, processes = number(row["ceiling"]), row["processes"]
            lines += ["", f"torch alone, full batches, processes: {processes}: {rate} rows/s."]
    return "\n".join(lines)


def _cells(
    rows: list[Row],
    chosen: dict[tuple[str, str, int], Variant],
    variant: Variant,
    connections: list[int],
) -> list[str]:
    table = variants(rows)
    cells = table[variant]
    mine = shown(cells)
    ours = chosen.get((variant.workload, "latentd", variant.processes))
    ratio = "–" if ours is None else f"{_ratio(shown(table[ours]), mine):.2f}"
    rates = [number(middle(cells[c], "rate")) if c in cells else "–" for c in connections]
    columns = [number(middle(mine, key)) for key in ("p50_ms", "p99_ms", "cpu_ms")]
    peak = max(row["peak_mib"] for at in cells.values() for row in at)
    columns += [number(peak), number(middle(mine, "start_seconds"))]
    errors = sum(_errors(row) for at in cells.values() for row in at)
    title = variant.title + (f" ({errors} errors)" if errors else "")
    return [title, str(variant.processes), *rates, *columns, ratio]


def _ratio(ours: list[Row], theirs: list[Row]) -> float:
    """The median of the repeats' ratios: what slows the machine down for a while cancels out."""
    by_repeat = {row["repeat"]: row["rate"] for row in theirs if row["rate"]}
    pairs = [(row["rate"], by_repeat.get(row["repeat"])) for row in ours]
    return float(median([a / b for a, b in pairs if b] or [float("nan")]))


def _errors(row: Row) -> int:
    bad = sum(n for status, n in row["statuses"].items() if status not in ("200", "304"))
    return int(bad + sum(row["errors"].values()))


def _rate(cells: dict[int, list[Row]]) -> float:
    return middle(shown(cells), "rate")


def _rate_and_tail(rows: list[Row]) -> str:
    return f"{number(middle(rows, 'rate'))} ({number(middle(rows, 'p99_ms'))})"


def about(facts: Row) -> str:
    """What was measured, when and on which machine."""
    of_peers = facts["versions"].values()
    versions = ", ".join(sorted({f"{n} {v}" for packages in of_peers for n, v in packages.items()}))
    return (
        f"{facts['when']}, commit {facts['commit']}, {facts['processor']}, {facts['cores']} cores, "
        f"{facts['system']}, Python {facts['python']}. {versions}."
    )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def number(value: float) -> str:
    """Three significant digits, no fewer than the whole part."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
