"""The training rows beside a published model, by which the service finds a point's neighbours."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from model_store import NEIGHBOUR_LATENTS, NEIGHBOUR_ROWS, publish_again
from training.datasets.rows import Rows, Watch, on_device, pieces, take
from training.errors import DataError
from training.evaluate import CHUNK
from training.published import Opened
from training.streams import stream


def index_rows(
    opened: Opened,
    store: Path,
    most: int,
    progress: Watch,
) -> list[str]:
    """Publish the model's next version with at most so many training rows and their latents.

    Fewer than there are come as the seed of the training chooses. Gives a line for each thing
    that was done; TrainingError or StoreError.
    """
    rows = opened.dataset.train
    if most < len(rows):
        order = torch.randperm(len(rows), generator=stream(opened.config.seed, "neighbours", 0))
        rows = take(rows, order[:most].sort().values)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(opened, rows, folder, progress)
        manifest = opened.checkpoint.manifest
        files = {file: folder / file for file in (NEIGHBOUR_LATENTS, NEIGHBOUR_ROWS)}
        size = sum(file.stat().st_size for file in files.values()) / 2**20
        model = publish_again(
            store, opened.model, manifest.directions, manifest.scores, attachments=files
        )
    return [
        f"{len(rows)} training rows and their latents, {size:.1f} MiB",
        f"published: {model} in {store}, the module of {opened.model} as it is",
    ]


@torch.no_grad()
def _write(
    opened: Opened,
    rows: Rows,
    folder: Path,
    progress: Watch,
) -> None:
    """E[z | x] of the rows as float32, and the rows: images as the levels 0 … 255."""
    manifest, checkpoint = opened.checkpoint.manifest, opened.checkpoint
    images = manifest.data.kind == "image"
    count = len(rows)
    latents = _new(folder / NEIGHBOUR_LATENTS, np.float32, (count, *manifest.latent_shape))
    kept = _new(
        folder / NEIGHBOUR_ROWS, np.uint8 if images else np.float32, (count, *manifest.data.shape)
    )
    start = 0
    for chunk in progress(pieces(on_device(rows, checkpoint.device), CHUNK)):
        mean = checkpoint.encode(chunk)[0]
        if not bool(mean.isfinite().all()):
            raise DataError("the encoder gives a training row a latent that is not finite")
        part = slice(start, start + len(chunk))
        latents[part] = mean.cpu().numpy()
        kept[part] = ((255 * chunk).round() if images else chunk).cpu().numpy()
        start += len(chunk)


def _new(file: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    array: NDArray[Any] = open_memmap(file, mode="w+", dtype=dtype, shape=shape)
    return array
