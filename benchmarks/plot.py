"""The report's picture: requests a second over the number of connections, one panel a workload."""

from pathlib import Path

from benchmarks.report import Results, best, middle, variants
from benchmarks.workloads import WORKLOADS

COLUMNS = 3
COLOURS = {
    "latentd": "tab:red",
    "mosec": "tab:blue",
    "litserve": "tab:green",
    "tutorial": "tab:orange",
    "bare": "0.6",
}


def draw(results: Results, file: Path) -> None:
    """Each server as it is fastest on all processes that were measured.

    Of workloads, those that were measured at several numbers of connections, if there are any.
    """
    import matplotlib as mpl  # noqa: PLC0415 - of the training extra, and slow to import

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    processes = max(row["processes"] for row in results.rows)
    rows = [row for row in results.rows if row["processes"] == processes]
    table = variants(rows)
    connections = {
        name: {row["connections"] for row in rows if row["workload"] == name} for name in WORKLOADS
    }
    least = min(2, max(map(len, connections.values())))
    workloads = [name for name, numbers in connections.items() if len(numbers) >= least]
    columns = min(COLUMNS, len(workloads))
    lines = -(-len(workloads) // columns)
    size = (max(3.6 * columns, 6.4), max(2.9 * lines, 3.6))  # the legend takes its room
    figure, panels = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    for panel in panels.flat[len(workloads) :]:
        panel.set_visible(False)
    for panel, workload in zip(panels.flat, workloads, strict=False):
        for (name, peer, _), variant in best(rows).items():
            if name == workload:
                cells = dict(sorted(table[variant].items()))
                rates = [middle(at, "rate") for at in cells.values()]
                panel.loglog(list(cells), rates, "o-", label=peer, color=COLOURS.get(peer))
        panel.set_title(WORKLOADS[workload].title, fontsize=8)
        panel.set_xticks(sorted({row["connections"] for row in rows}))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("requests/s")
    panels[-1][0].set_xlabel("connections")
    handles = {h.get_label(): h for panel in panels.flat for h in panel.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)
