"""What a service's processes take while it works, sampled from the side, and whether it grows."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

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
    """MB an hour and descriptors an hour, of the second half; NaN for too few.

    While a worker is replaced there is one more of them: such readings are left out. A new one has
    its pages before it is one more or after it was, so a few readings stand out even so: the slope
    is the median of those between any two (Theil 1950, Sen 1968), which they hardly move.
    """
    usual = Counter(each.processes for each in readings).most_common(1)
    half = [each for each in readings[len(readings) // 2 :] if each.processes == usual[0][0]]
    if len(half) < 2:
        return float("nan"), float("nan")
    hours = np.array([each.moment for each in half]) / 3600
    memory = np.array([each.memory for each in half]) / MEGA
    descriptors = np.array([each.descriptors for each in half])
    return _slope(hours, memory), _slope(hours, descriptors)


def _slope(x: NDArray[Any], y: NDArray[Any]) -> float:
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
