"""What TensorBoard is shown of a run: numbers, sheets of pictures, and what the latent does."""

from pathlib import Path
from typing import Any

from torch import Tensor

from training.errors import ConfigError
from training.posteriors import Posteriors
from training.run_state import Record

FOLDER = "tensorboard"


class Events:
    """The event file of one run; all of it is told against epochs."""

    def __init__(self, folder: Path) -> None:
        """ConfigError where the package is missing."""
        self.writer = _writer(folder / FOLDER)

    def scalars(self, record: Record) -> None:
        """The numbers of a log line that tells of an epoch."""
        for key, value in record.items():
            if not isinstance(value, str) and "epoch" in record and key != "epoch":
                self.writer.add_scalar(f"{record['event']}/{key}", value, int(record["epoch"]))

    def sheet(self, name: str, sheet: Tensor, epoch: int) -> None:
        """Bytes [C, H, W]."""
        self.writer.add_image(name, sheet, epoch)

    def latents(self, posteriors: Posteriors, seed: int, epoch: int) -> None:
        """Histograms of the posteriors' means and of a draw from each; the dimensions' rates."""
        self.writer.add_histogram("latents/means", posteriors.mean, epoch)
        self.writer.add_histogram("latents/draws", posteriors.draw(seed, "histogram"), epoch)
        for dimension, nats in enumerate(posteriors.rates.tolist()):
            self.writer.add_scalar(f"rates/{dimension}", nats, epoch)

    def close(self) -> None:
        """Write what is left and close the file."""
        self.writer.close()


def _writer(folder: Path) -> Any:  # noqa: ANN401 (tensorboard is untyped and optional)
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 (optional, slow to import)
    except ImportError as error:
        raise ConfigError(
            "tensorboard=true needs the package tensorboard: pip install 'latentd[training]'"
        ) from error
    return SummaryWriter(folder)
