"""What the benchmarks need to know of a server. Standard library only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.questions import Question

Operation = str  # decode, sample, walk, encode, rows or colour


@dataclass(frozen=True)
class Launch:
    """What a server is told when it starts."""

    python: Path  # of the environment that has its packages
    port: int
    store: Path
    operation: Operation  # the one that is measured; some servers pay for each they offer
    processes: int
    batch: int
    png_level: int


@dataclass(frozen=True)
class Peer:
    """One server. `command` and `environment` start it, `ask` puts a question to it."""

    name: str
    title: str
    command: Callable[[Launch], list[str]]
    ask: Callable[[Question], bytes]
    ready: str = "/health"
    environment: Callable[[Launch], Mapping[str, str]] = lambda _: {}
    packages: tuple[str, ...] = ()  # whose versions a report names
    own_venv: bool = True  # else the project's own environment has what it needs
    own_noise: bool = False  # seeds are not torch.Generator's
    batches: tuple[int, ...] = (64,)  # sizes worth trying; of the first, one process is tried too
    operations: frozenset[Operation] = field(
        default=frozenset({"decode", "sample", "walk", "encode", "rows", "colour"})
    )
