"""What a service's processes take while it works, sampled from the side, and whether it grows."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import numpy as np

from benchmarks.trials.service import Service

T = TypeVar("T")

MEGA = 1e6


class Reading(NamedTuple):
    """Proportional memory in bytes and open descriptors, of all processes together."""

    moment: float
    memory: int
    descriptors: int
    processes: int


@contextmanager
def sampled(look: Callable[[], T], every: float) -> Iterator[list[T]]:
    """What `look` sees, once in `every` seconds, in a thread of its own; the list grows."""
    seen: list[T] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            seen.append(look())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def reading(service: Service) -> Reading:
    """As it is now."""
    memory = service.server.tree.proportional_bytes()
    processes = len(service.server.tree.alive())
    return Reading(time.perf_counter(), memory, service.descriptors(), processes)


def growth(readings: list[Reading]) -> tuple[float, float]:
    """MB an hour and descriptors an hour, by a line through the second half; NaN for too few.

    While a worker is replaced there is one more of them: such readings are left out.
    """
    usual = Counter(each.processes for each in readings).most_common(1)
    half = [each for each in readings[len(readings) // 2 :] if each.processes == usual[0][0]]
    if len(half) < 2:
        return float("nan"), float("nan")
    hours = [(each.moment - half[0].moment) / 3600 for each in half]
    memory = np.polyfit(hours, [each.memory / MEGA for each in half], 1)
    descriptors = np.polyfit(hours, [each.descriptors for each in half], 1)
    return float(memory[0]), float(descriptors[0])
