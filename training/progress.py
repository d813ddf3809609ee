"""What a run shows and writes while it goes: a progress bar, the log, curves, events."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # its stubs are another package

from training.errors import ConfigError
from training.pictures import loss_curves
from training.run_state import Record, RunState

LOG = "log.jsonl"
CURVES = "curves.png"


class Progress:
    """The screen and the log of one run; a context manager, so that the bar is always closed."""

    def __init__(self, folder: Path, total: int, state: RunState, *, tensorboard: bool) -> None:
        self.folder = folder
        self.history = state.history
        # disable=None: no bar where nobody watches; the lines of `say` remain.
        self.bar = tqdm(
            total=total, initial=state.step, unit="step", dynamic_ncols=True, disable=None
        )
        self.events = _event_writer(folder) if tensorboard else None
        # After a crash the log may be ahead of the saved state: it starts again from the latter.
        lines = "".join(json.dumps(record) + "\n" for record in self.history)
        (folder / LOG).write_text(lines, encoding="utf-8")

    def step(self) -> None:
        """One training step is done."""
        self.bar.update()

    def record(self, record: Record) -> None:
        """Write a line to the history, the log and TensorBoard."""
        self.history.append(record)
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        if self.events is not None:
            for key, value in record.items():
                if not isinstance(value, str) and "epoch" in record and key != "epoch":
                    name = f"{record['event']}/{key}"
                    self.events.add_scalar(name, value, int(record["epoch"]))

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        tqdm.write(line)
        sys.stdout.flush()

    def draw_curves(self) -> None:
        """Draw the loss curves anew from the history."""
        loss_curves(self.history, self.folder / CURVES)

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


def bar(chunks: Sequence[Tensor]) -> Iterable[Tensor]:
    """The chunks of a long evaluation, with a bar where somebody watches."""
    wrapped: Iterable[Tensor] = tqdm(chunks, desc="estimating the NLL", leave=False, disable=None)
    return wrapped


def _event_writer(folder: Path) -> Any:  # noqa: ANN401 (tensorboard is untyped and optional)
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 (optional, slow to import)
    except ImportError as error:
        raise ConfigError(
            "tensorboard=true needs the package tensorboard: pip install 'latentd[training]'"
        ) from error
    return SummaryWriter(folder / "tensorboard")
