"""What test digits come to: a running service's files beside those of general formats."""

import gzip
import io
import lzma
import time
from math import ceil, sqrt
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.trials.goals import Goal, equal, fact
from training.datasets import DATASETS, Request

SECONDS = 600.0  # for one answer on a busy machine
NPY = {"Content-Type": "application/x-npy"}

WHITE = 255
Pixels = NDArray[np.uint8]


def goals(url: str, data: Path, count: int) -> list[Goal]:
    """Bits a pixel of every way, and the service's own −ELBO and images a second.

    By a model of 8-bit levels, digits are coded as they are. By one of black and white, each pixel
    is white with the probability that its grey level is, drawn once with a fixed seed.
    """
    grey = DATASETS["idx"](Request(data, channels=1)).test[:count].numpy()
    with httpx.Client(base_url=url, timeout=SECONDS) as client:
        model = client.get("/models").raise_for_status().json()
        (card,) = (card for card in model["models"] if card["id"] == model["default"])
        eight_bits = "level_probabilities" in card["capabilities"]
        drawn = grey if eight_bits else np.random.default_rng(0).random(grey.shape) < grey
        images = np.rint(255 * drawn.astype(np.float32)).astype(np.uint8)
        lines = _of_service(client, images)
    flat = images[:, 0]
    raw = flat.tobytes() if eight_bits else np.packbits(flat == WHITE, axis=None).tobytes()
    ways = {
        "lzma": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)),
        "gzip": len(gzip.compress(raw)),
        "PNG, one sheet": len(_saved(_sheet(flat), "PNG")),
        "PNG, an image a file": sum(len(_saved(image, "PNG")) for image in flat),
        "WebP, one sheet": len(_saved(_sheet(flat), "WEBP")),
        "WebP, an image a file": sum(len(_saved(image, "WEBP")) for image in flat),
    }
    return lines + [fact(way, _bits(size, images)) for way, size in ways.items()]


def _of_service(client: httpx.Client, images: Pixels) -> list[Goal]:
    _answer(client, "/compress", images[:1])  # makes the model ready
    began = time.perf_counter()
    file = _answer(client, "/compress", images)
    written = time.perf_counter()
    headers = {"Content-Type": file.headers["Content-Type"]}
    back = client.post("/decompress?format=npy", content=file.content, headers=headers)
    read = time.perf_counter()
    back.raise_for_status()
    lost = int((np.rint(255 * np.load(io.BytesIO(back.content))) != images).sum())
    score = _answer(client, "/score?k=10", images).json()
    bound = sum(score["negative_elbo"]) / np.log(2) / 8
    name = file.headers["X-Latentd-Model"]
    return [
        equal("pixels lost", lost, 0),
        fact(f"{name}, the whole file", _bits(len(file.content), images)),
        fact(f"{name}, -ELBO", _bits(bound, images)),
        fact("bytes of the file", file.headers["X-Latentd-Bytes"]),
        fact("compressed a second", f"{len(images) / (written - began):.0f} images"),
        fact("decompressed a second", f"{len(images) / (read - written):.0f} images"),
    ]


def _answer(client: httpx.Client, path: str, levels: Pixels) -> httpx.Response:
    file = io.BytesIO()
    np.save(file, levels)
    answer = client.post(path, content=file.getvalue(), headers=NPY)
    answer.raise_for_status()
    return answer


def _bits(size: float, images: Pixels) -> str:
    return f"{8 * size / images.size:.4f} bits a pixel"


def _sheet(images: Pixels) -> Pixels:
    """All in one picture, as square as can be; places left over are black."""
    count, height, width = images.shape
    columns = ceil(sqrt(count))
    lines = ceil(count / columns)
    sheet = np.zeros((lines * columns, height, width), np.uint8)
    sheet[:count] = images
    grid = sheet.reshape(lines, columns, height, width).transpose(0, 2, 1, 3)
    return grid.reshape(lines * height, columns * width)


def _saved(image: Pixels, form: str) -> bytes:
    """As small as Pillow makes it; black and white as a PNG of one bit a pixel."""
    file = io.BytesIO()
    picture = Image.fromarray(image)
    if form == "PNG":
        black_or_white = np.isin(image, (0, WHITE)).all()
        (picture.convert("1") if black_or_white else picture).save(file, form, optimize=True)
    else:
        picture.save(file, form, lossless=True, quality=100, method=6)
    return file.getvalue()
