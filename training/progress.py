"""What a run shows and writes while it goes: a progress bar, the log, curves."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # its stubs are another package

from training import charts
from training.events import Events
from training.run_state import Record, RunState

LOG = "log.jsonl"
CURVES = "curves.png"
REFRESH = 0.3  # seconds


class Progress:
    """The screen and the log of one run; a context manager, so that the bar is always closed."""

    def __init__(self, folder: Path, total: int, state: RunState, *, tensorboard: bool) -> None:
        self.folder = folder
        self.state = state
        self.history = state.history
        # disable=None: no bar where nobody watches; the lines of `say` remain.
        self.bar = tqdm(
            total=total, initial=state.step, unit="step", dynamic_ncols=True, disable=None
        )
        self.refreshed = -REFRESH
        self.events = Events(folder) if tensorboard else None
        # After a crash the log may be ahead of the saved state: it starts again from the latter.
        lines = "".join(json.dumps(record) + "\n" for record in self.history)
        (folder / LOG).write_text(lines, encoding="utf-8")

    def step(self) -> None:
        """One training step is done."""
        now = time.monotonic()
        if not self.bar.disable and now - self.refreshed >= REFRESH:
            self.refreshed = now
            self.bar.set_postfix_str(self._standing(), refresh=False)
        self.bar.update()

    def _standing(self) -> str:
        """How this epoch goes so far, and what the last evaluation found in use."""
        _, rate, distortion, rows = self.state.sums
        rows = max(rows, 1.0)
        standing = f"-ELBO {(rate + distortion) / rows:.2f}, KL {rate / rows:.2f}"
        found = [line["active_units"] for line in self.history if "active_units" in line]
        return f"{standing}, {found[-1]} active" if found else standing

    def record(self, record: Record) -> None:
        """Write a line to the history, the log and TensorBoard."""
        self.history.append(record)
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        if self.events is not None:
            self.events.scalars(record)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        tqdm.write(line)
        sys.stdout.flush()

    def draw_curves(self) -> None:
        """Draw the curves anew from the history."""
        charts.write(charts.curves(self.history), self.folder / CURVES)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar and the event file."""
        self.bar.close()
        if self.events is not None:
            self.events.close()


def bar(chunks: Sequence[Tensor], what: str = "estimating the NLL") -> Iterable[Tensor]:
    """The chunks of a long evaluation, with a bar where somebody watches."""
    wrapped: Iterable[Tensor] = tqdm(chunks, desc=what, leave=False, disable=None)
    return wrapped
