"""The sources of data by name. A new one is a file beside this one and a line in `DATASETS`."""

from collections.abc import Callable

from training.datasets import arrays, curved_surface, digits, idx, image_folder, table
from training.datasets.dataset import Dataset, Request

DATASETS: dict[str, Callable[[Request], Dataset]] = {
    "digits": digits.load,
    "curved_surface": curved_surface.load,
    "idx": idx.load,
    "arrays": arrays.load,
    "image_folder": image_folder.load,
    "table": table.load,
}

__all__ = ["DATASETS", "Dataset", "Request"]
