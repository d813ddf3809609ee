"""What is asked of every server, and whether it answered right.

Each workload cycles through many different questions, so that an answer cache does not count, save
where remembering is what is measured.
"""

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.connection import Answer
from benchmarks.peers.model_work import ModelWork
from benchmarks.questions import Decode, Encode, Question, Rows, Sample, Walk

QUESTIONS = 2048
REMEMBERED = 16  # questions of the two workloads that are about being asked again
CHECKED_EVERY = 64  # one answer in so many is compared, before and during the load


class Workload(NamedTuple):
    """`title` is what the report says; `operation` is what servers are started for."""

    title: str
    operation: str
    questions: Callable[[ModelWork], list[Question]]
    most_connections: int = 1024  # more would wait longer than the load lasts


def _latents(size: int, stream: int) -> list[list[float]]:
    rows = np.random.default_rng(stream).standard_normal((QUESTIONS, size))
    return [[float(x) for x in row] for row in rows.round(4)]


def _decodes(_: ModelWork) -> list[Question]:
    return [Decode("mlp", latent) for latent in _latents(20, 1)]


def _colours(_: ModelWork) -> list[Question]:
    return [Decode("colour", latent) for latent in _latents(128, 2)]


def _samples(_: ModelWork) -> list[Question]:
    return [Sample(1, seed) for seed in range(QUESTIONS)]


def _sheets(_: ModelWork) -> list[Question]:
    return [Sample(64, seed) for seed in range(QUESTIONS)]


def _walks(_: ModelWork) -> list[Question]:
    ends = zip(_latents(20, 3), _latents(20, 4), strict=True)
    return [Walk(start, end, 16) for start, end in ends]


def _images(work: ModelWork) -> list[Question]:
    """PNGs that the model itself drew; `work` is of the operation `encode`."""
    return [Encode(png) for png in work.pictures_of(_latents(20, 5))]


def _arrays(_: ModelWork) -> list[Question]:
    return [Rows(1024, seed) for seed in range(QUESTIONS)]


def _few_samples(_: ModelWork) -> list[Question]:
    return [Sample(1, seed) for seed in range(REMEMBERED)]


WORKLOADS = {
    "decode": Workload("a latent (JSON) to a PNG", "decode", _decodes),
    "sample": Workload("a seeded sample as PNG", "sample", _samples),
    "sheet": Workload("64 seeded samples as a contact sheet", "sample", _sheets),
    "walk": Workload("16 frames between two latents as a strip", "walk", _walks),
    "encode": Workload("a PNG to its latents (JSON)", "encode", _images),
    "rows": Workload("1,024 seeded samples as .npy (3.2 MB)", "rows", _arrays, 64),
    "colour": Workload("a latent (JSON) to a PNG of 64×64 RGB, 6 M parameters", "colour", _colours),
    "cached": Workload("a seeded sample asked before", "cached", _few_samples),
    "unchanged": Workload("a seeded sample by its ETag: 304", "unchanged", _few_samples),
}


@cache
def reference(store: Path, operation: str) -> ModelWork:
    """The work done here, to compare answers with."""
    return ModelWork(store, operation if operation in ModelWork.OPERATIONS else "sample")


class Checker:
    """Compares one answer in CHECKED_EVERY with the reference, and counts what it compared.

    `own_noise` is for a server whose seeds draw other numbers than torch.Generator: its samples
    must have the right size, be the same whenever they are asked for, and differ between seeds.
    """

    def __init__(self, work: ModelWork, questions: list[Question], *, own_noise: bool) -> None:
        self.indices = range(0, len(questions), min(CHECKED_EVERY, max(len(questions) // 8, 1)))
        expected = work.answer([dict(questions[i]._asdict()) for i in self.indices])
        self._expected = dict(zip(self.indices, expected, strict=True))
        self._questions = questions
        self._own_noise = own_noise
        self._right: dict[int, bytes] = {}  # the last right answer to each question
        self.compared = 0

    def __call__(self, index: int, answer: Answer) -> None:
        if index in self._expected and answer.status == 200:
            self.compare(index, answer.body)

    def compare(self, index: int, body: bytes) -> None:
        """AssertionError where the answer is wrong."""
        expected = self._expected[index]
        self.compared += 1
        if self._right.get(index) == body:
            return  # to take a picture apart costs the callers more than to ask for it
        self._look_at(index, expected, body)
        self._right[index] = body

    def _look_at(self, index: int, expected: bytes | dict[str, list[float]], body: bytes) -> None:
        if isinstance(expected, dict):
            mean = np.asarray(json.loads(body)["mean"]).reshape(-1)
            assert np.abs(mean - expected["mean"]).max() < 1e-4, f"question {index}: other latents"
            return
        right, given = _array(expected), _array(body)
        assert given.shape == right.shape, f"question {index}: {given.shape}, not {right.shape}"
        if self._own_noise and isinstance(self._questions[index], Sample | Rows):
            assert index not in self._right, f"seed {index} drew something else"
            assert body not in self._right.values(), f"seed {index} drew what another one did"
        else:
            off = np.abs(given - right).max()
            limit = 1 if expected.startswith(b"\x89PNG") else 1e-4
            assert off <= limit, f"question {index}: off by {off:g}, more than {limit:g}"


def _array(body: bytes) -> NDArray[np.float64]:
    """Of a PNG its levels, of a .npy file its values."""
    file = io.BytesIO(body)
    if body.startswith(b"\x89PNG"):
        return np.asarray(Image.open(file), np.float64)
    return np.asarray(np.load(file), np.float64)
