"""How well a running service restores test digits of which half is hidden, and a picture of it."""

import io
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.trials.goals import Goal, at_most, fact
from training.datasets import DATASETS, Request

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
SHOWN = 12  # columns of the picture
SCALE = 2
SECONDS = 120.0  # for one answer on a busy machine


class Case(NamedTuple):
    """Test images and what became of them, all [n, 28, 28]."""

    what: str
    images: Floats
    hidden: Bools
    plain: Floats
    """The reconstructions of the images with what is hidden black."""
    restored: Floats

    def error(self, answers: Floats) -> float:
        """Mean square over the hidden pixels."""
        return float(np.square(answers - self.images)[self.hidden].mean())

    def sheet(self) -> Floats:
        """Four lines: the images, what is known of them, plain, restored."""
        known = np.where(self.hidden, np.float32(0.3), self.images)
        lines = (self.images, known, self.plain, self.restored)
        return np.concatenate([np.concatenate([*line[:SHOWN]], axis=1) for line in lines])


def cases(url: str, data: Path, count: int) -> Iterator[Case]:
    """The lower half hidden, and half of the pixels here and there."""
    images = DATASETS["idx"](Request(data, channels=1)).test[:count].numpy()[:, 0]
    lower = np.zeros(images.shape, bool)
    lower[:, images.shape[1] // 2 :] = True
    scattered = np.random.default_rng(0).random(images.shape) < 0.5
    with httpx.Client(base_url=url, timeout=SECONDS) as client:
        for what, hidden in (("the lower half", lower), ("half of the pixels", scattered)):
            known = np.where(hidden, np.float32(0), images)
            plain = _array(
                client.post(
                    "/reconstruct?format=npy",
                    content=_npy(known[:, None]),
                    headers={"Content-Type": "application/x-npy"},
                )
            )
            pairs = zip(known, hidden, strict=True)
            restored = np.concatenate([_restored(client, *pair) for pair in pairs])
            yield Case(what, images, hidden, plain[:, 0], restored)


def goals(found: list[Case]) -> list[Goal]:
    """The errors, each held against that of a plain reconstruction."""
    lines = []
    for case in found:
        plain = case.error(case.plain)
        lines.append(fact(f"{case.what} hidden: reconstructed, mean square error", f"{plain:.4f}"))
        restored = case.error(case.restored)
        lines.append(at_most(f"{case.what} hidden: restored", restored, plain, "{:.4f}".format))
    return lines


def draw(found: list[Case], path: Path) -> None:
    """The cases, one above the other."""
    pixels = (255 * np.concatenate([case.sheet() for case in found])).round().astype(np.uint8)
    Image.fromarray(pixels.repeat(SCALE, 0).repeat(SCALE, 1)).save(path, optimize=True)


def _restored(client: httpx.Client, known: Floats, hidden: Bools) -> Floats:
    body = {"point": {"image": _png(255 * known)}, "mask": _png(np.where(hidden, 255, 0))}
    return _array(client.post("/restore?format=npy", json=body))[:, 0]


def _png(levels: NDArray[Any]) -> str:
    file = io.BytesIO()
    Image.fromarray(levels.round().astype(np.uint8)).save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def _npy(rows: Floats) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def _array(answer: httpx.Response) -> Floats:
    answer.raise_for_status()
    array: Floats = np.load(io.BytesIO(answer.content))
    return array
