"""What trials ask: requests of every endpoint for any model of images, with the work they make."""

import io
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.questions import get, post, post_json
from model_store import Manifest, ModelId, find, read_manifest

FORMS = ("png", "json", "npy")
STEPS = 16  # of a walk
SHEET = 64
BOOK = 500

# Rows that the device is given, by model and operation.
Work = Counter[tuple[str, ...]]


class Ask(NamedTuple):
    """One request, where it goes, and what it makes the device do."""

    request: bytes
    method: str
    route: str  # its template, as metrics name it
    work: Work


class Model(NamedTuple):
    """What has to be known of a model to ask it something."""

    id: ModelId
    manifest: Manifest

    @classmethod
    def of(cls, store: Path, name: str) -> "Model":
        """The latest version of `name`."""
        model = find(store, name)
        return cls(model, read_manifest(store, model))

    @property
    def path(self) -> str:
        return f"/models/{self.id.name}"

    def work(self, *, drawn: int = 0, decoded: int = 0, encoded: int = 0) -> Work:
        """Rows of each operation; what is drawn goes through the prior where there is one."""
        prior = drawn if "prior" in self.manifest.capabilities else 0
        rows = {"prior": prior, "decode": decoded, "encode": encoded}
        return Work({(str(self.id), name): n for name, n in rows.items() if n})


def sample(model: Model, n: int, seed: int, form: str = "png") -> Ask:
    """`n` samples."""
    request = get(f"{model.path}/sample?n={n}&seed={seed}&format={form}")
    return Ask(request, "GET", "/models/{model}/sample", model.work(drawn=n, decoded=n))


def drawn(model: Model, n: int, seed: int) -> Ask:
    """`n` samples as PNG by POST, whose answers are never kept nor shared."""
    request = post_json(f"{model.path}/sample?format=png", {"n": n, "seed": seed})
    return Ask(request, "POST", "/models/{model}/sample", model.work(drawn=n, decoded=n))


def walk(model: Model, seeds: tuple[int, int], form: str = "png") -> Ask:
    """STEPS frames between two samples."""
    start, end = seeds
    path = f"{model.path}/interpolate?seed={start}&seed={end}&steps={STEPS}&format={form}"
    work = model.work(drawn=2, decoded=STEPS)
    return Ask(get(path), "GET", "/models/{model}/interpolate", work)


def decode(model: Model, n: int, seed: int, form: str = "png", body: str = "json") -> Ask:
    """The images of `n` latents, given as `body`, `json` or `npy`."""
    latents = np.random.default_rng(seed).standard_normal((n, *model.manifest.latent_shape))
    path = f"{model.path}/decode?format={form}"
    if body == "json":
        request = post_json(path, {"latents": latents.round(4).tolist()})
    else:
        request = post(path, _npy(latents.astype(np.float32)), "application/x-npy")
    return Ask(request, "POST", "/models/{model}/decode", model.work(decoded=n))


def encode(model: Model, n: int, seed: int) -> Ask:
    """The latents of `n` images: one is given as PNG, more as `.npy`."""
    channels, height, width = model.manifest.data.shape
    levels = np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), np.uint8)
    path = f"{model.path}/encode?seed={seed}"
    if n == 1 and channels in (1, 3):
        request = post(path, _png(levels[0]), "image/png")
    else:
        request = post(path, _npy(levels), "application/x-npy")
    return Ask(request, "POST", "/models/{model}/encode", model.work(encoded=n))


def mixed(models: list[Model], count: int, seed: int = 0) -> list[Ask]:
    """`count` different questions: mostly small ones, most of them to the first model."""
    draw = random.Random(seed)
    weights = [7] + [1] * (len(models) - 1)
    return [_any(draw, draw.choices(models, weights)[0], number) for number in range(count)]


def _any(draw: random.Random, model: Model, number: int) -> Ask:
    form = draw.choice(FORMS)
    kinds = ["few", "sheet", "book", "walk", "decode", "encode"]
    match draw.choices(kinds, [40, 8, 1, 12, 22, 17])[0]:
        case "few":
            return sample(model, draw.randint(1, 9), number, form)
        case "sheet":
            return sample(model, SHEET, number, form)
        case "book":
            return sample(model, BOOK, number, form)
        case "walk":
            return walk(model, (number, number + 1), form)
        case "decode":
            return decode(model, draw.randint(1, 4), number, form, draw.choice(("json", "npy")))
        case _:
            return encode(model, draw.randint(1, 2), number)


def _npy(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _png(levels: NDArray[np.uint8]) -> bytes:
    """Of [1, H, W] or [3, H, W]."""
    file = io.BytesIO()
    Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()
