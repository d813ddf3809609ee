"""Images a second of the training loop, beside a bare loop and PyTorch's example, taking turns."""

import copy
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.training_loops import Epoch, bare, example, ours
from benchmarks.trials.goals import Goal, at_least, fact
from training.preparation import prepare
from training.run import configure

Row = dict[str, Any]
# By name: a recipe, and the keys that are changed in it.
CASES: dict[str, tuple[str, ...]] = {
    "mnist_classic": ("mnist_classic",),
    "mnist_quick": ("mnist_quick",),
    "mnist_mlp": ("mnist_mlp",),
    "mnist_convolutional": ("mnist_convolutional",),
    "mnist_residual": ("mnist_convolutional", "family=residual"),
}
# What the example's network and loss are the same as.
OF_THE_EXAMPLE = "mnist_classic"
LEAST_OF_BARE = 0.85
LEAST_OF_EXAMPLE = 5.0


class Plan(NamedTuple):
    """What to measure, and with what."""

    cases: Sequence[str]
    data: Path
    """MNIST's folder."""
    images: int
    """Of an epoch, which is a turn."""
    repeats: int
    threads: int
    device: str


def measure(plan: Plan) -> Iterator[Row]:
    """A row for every turn of every loop; the first turns, in which all warm up, are not told."""
    for case in plan.cases:
        loops, images = _loops(case, plan)
        for repeat in range(-1, plan.repeats):
            for name, epoch in loops.items():
                began = time.perf_counter()
                epoch()
                rate = images / (time.perf_counter() - began)
                if repeat >= 0:
                    yield {"repeat": repeat, "case": case, "loop": name, "rate": round(rate)}


def _loops(case: str, plan: Plan) -> tuple[dict[str, Epoch], int]:
    """The loops of a case by name, and how many images each takes in a turn."""
    recipe, *keys = CASES[case]
    words = [*keys, f"data={plan.data}", f"threads={plan.threads}", f"device={plan.device}"]
    config = configure(recipe, words)
    prepared = prepare(config)
    # Full batches only: what is left over is work for one loop and not for another.
    batches = min(plan.images, len(prepared.train)) // config.batch_size
    count = max(1, batches) * config.batch_size
    images = prepared.train[:count]
    loops = {
        "ours": ours(prepared.vae, images, config),
        "bare": bare(copy.deepcopy(prepared.vae), images, config),
    }
    if case == OF_THE_EXAMPLE:
        loops["example"] = example(images, config)
    return loops, count


def compare(rows: Sequence[Row]) -> list[Goal]:
    """Each case's rates, medians over its turns, and ours over the others', held against goals.

    A ratio is the median of the turns' ratios: what slows the machine down for a while cancels.
    """
    goals: list[Goal] = []
    for case in dict.fromkeys(row["case"] for row in rows):
        rates = {
            loop: [row["rate"] for row in rows if (row["case"], row["loop"]) == (case, loop)]
            for loop in ("ours", "bare", "example")
        }
        goals.append(fact(case, _images(rates["ours"])))
        goals.append(fact("  a bare loop", _images(rates["bare"])))
        part = _ratio(rates["ours"], rates["bare"])
        goals.append(at_least("  ours, of the bare loop", part, LEAST_OF_BARE, "{:.0%}".format))
        if rates["example"]:
            times = _ratio(rates["ours"], rates["example"])
            goals.append(fact("  pytorch/examples", _images(rates["example"])))
            show = "{:.1f} ×".format
            goals.append(at_least("  ours, over the example", times, LEAST_OF_EXAMPLE, show))
    return goals


def _images(rates: Sequence[float]) -> str:
    return f"{median(rates):,.0f} images/s"


def _ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    return median(one / other for one, other in zip(ours, others, strict=True))
