"""The model's work as a peer does it: the usual lines of torch, numpy and Pillow, for a batch.

All peers share it, so that a difference between them is serving; and it is the reference that every
server's answers are compared with, latentd's too. It runs with torch, numpy and Pillow alone.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

LARGEST_CALL = 64  # rows that the model is given at once
Body = Mapping[str, Any]  # a question as JSON; of encode {"png": bytes}
Answer = bytes | dict[str, list[float]]


class ModelWork:
    """Loads what `operation` needs and answers batches of it."""

    OPERATIONS = frozenset({"decode", "sample", "walk", "encode", "rows", "colour"})

    def __init__(self, store: Path, operation: str, png_level: int = 6) -> None:
        torch.set_num_threads(1)
        name, self._shape, self._latents = (
            ("colour", (3, 64, 64), 128) if operation == "colour" else ("mlp", (1, 28, 28), 20)
        )
        self._model = torch.jit.load(str(store / name / "1" / "model.ts")).eval()  # type: ignore[no-untyped-call]
        self._png_level = png_level
        methods: dict[str, Callable[[Sequence[Body]], Sequence[Answer]]] = {
            "decode": self._decode,
            "colour": self._decode,
            "sample": self._sample,
            "walk": self._walk,
            "encode": self._encode,
            "rows": self._rows,
        }
        self._method = methods[operation]
        self._warm_up()

    def answer(self, bodies: Sequence[Body]) -> Sequence[Answer]:
        """One answer a body, in their order."""
        with torch.inference_mode():
            return self._method(bodies)

    def decode_rows(self, latents: Tensor) -> Tensor:
        """The model alone, without anything drawn."""
        with torch.inference_mode():
            return self._rows_of(latents)

    def pictures_of(self, latents: Sequence[Sequence[float]]) -> list[bytes]:
        """A PNG of each latent."""
        with torch.inference_mode():
            return [self._png(picture) for picture in _bytes(self._rows_of(torch.tensor(latents)))]

    def _warm_up(self) -> None:
        """Let the JIT specialize before there is traffic: it compiles in the first two calls."""
        with torch.inference_mode():
            for rows in (1, 1, LARGEST_CALL, LARGEST_CALL):
                self._model.decode(torch.zeros(rows, self._latents))
                self._model.encode(torch.zeros(rows, *self._shape))

    def _decode(self, bodies: Sequence[Body]) -> Sequence[Answer]:
        return self.pictures_of([body["latent"] for body in bodies])

    def _sample(self, bodies: Sequence[Body]) -> Sequence[Answer]:
        return [self._png(_sheet(pictures)) for pictures in self._draw(bodies, _noise)]

    def _walk(self, bodies: Sequence[Body]) -> Sequence[Answer]:
        return [self._png(_strip(frames)) for frames in self._draw(bodies, _line)]

    def _rows(self, bodies: Sequence[Body]) -> Sequence[Answer]:
        return [_npy(self._rows_of(_noise(body)).numpy()) for body in bodies]

    def _encode(self, bodies: Sequence[Body]) -> Sequence[Answer]:
        images = [Image.open(io.BytesIO(body["png"])).convert("L") for body in bodies]
        x = torch.from_numpy(np.stack([np.asarray(image, np.float32) for image in images]))
        mean, log_var = self._model.encode(x[:, None] / 255)
        pairs = zip(mean.tolist(), log_var.tolist(), strict=True)
        return [{"mean": m, "log_var": v} for m, v in pairs]

    def _draw(
        self, bodies: Sequence[Body], latents: Callable[[Body], Tensor]
    ) -> list[NDArray[np.uint8]]:
        """Pictures of each body's latents; all bodies' rows go through the model together."""
        each = [latents(body) for body in bodies]
        pictures = _bytes(self._rows_of(torch.cat(each)))
        ends = np.cumsum([len(z) for z in each])[:-1]
        return np.split(pictures, ends)

    def _rows_of(self, z: Tensor) -> Tensor:
        return torch.cat([self._model.decode(part) for part in torch.split(z, LARGEST_CALL)])

    def _png(self, picture: NDArray[np.uint8]) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG", compress_level=self._png_level)
        return file.getvalue()


def _noise(body: Body) -> Tensor:
    return torch.randn(body["n"], 20, generator=torch.Generator().manual_seed(body["seed"]))


def _line(body: Body) -> Tensor:
    start, end = torch.tensor(body["start"]), torch.tensor(body["end"])
    return torch.lerp(start, end, torch.linspace(0, 1, body["steps"])[:, None])


def _bytes(rows: Tensor) -> NDArray[np.uint8]:
    """[N, C, H, W] in [0, 1] to [N, H, W] or [N, H, W, 3]."""
    levels = rows.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    pictures: NDArray[np.uint8] = (levels.squeeze(3) if levels.shape[3] == 1 else levels).numpy()
    return pictures


def _sheet(pictures: NDArray[np.uint8], columns: int = 8) -> NDArray[np.uint8]:
    """One picture as it is, more in rows of eight."""
    if len(pictures) == 1:
        only: NDArray[np.uint8] = pictures[0]
        return only
    rows = [_strip(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    return np.concatenate(rows)


def _strip(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate(list(pictures), axis=1)


def _npy(rows: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()
