"""Bodies that are nearly good, to the endpoints of a running service: never an error of its own."""

import random
import time
from collections.abc import Sequence
from typing import NamedTuple

import httpx

from tests.fuzz import seeds
from tests.fuzz.mutation import mutated, repaired

QUESTION = "/sample?n=2&seed=9&format=npy"
REFUSALS = (501, 503, 504)  # of the statuses from 500 on


class Upload(NamedTuple):
    """Where good bodies go, and what they are."""

    path: str
    media_type: str
    bodies: Sequence[bytes]


def uploads(client: httpx.Client) -> list[Upload]:
    """For a service whose default model takes grey images of 8 × 8 and has five latents."""
    few = {"points": [{"seed": 1}, {"seed": 2}]}
    compressed = client.post("/compress?threshold=0.5", json=few).raise_for_status().content
    points = (b'{"points": [{"seed": 1}, {"latent": [0, 1, 2, 3, 4]}], "steps": 4}',)
    npy, json = "application/x-npy", "application/json"
    pictures = [
        Upload("/encode", f"image/{form}", [file for file in seeds.images() if mark in file[:12]])
        for form, mark in (("png", b"PNG"), ("jpeg", b"\xff\xd8"), ("webp", b"WEBP"))
    ]
    return [
        *pictures,
        Upload("/score?k=3", "image/png", pictures[0].bodies),
        Upload("/encode?seed=1", npy, seeds.arrays()),
        Upload("/decode?format=npy", json, seeds.latents()),
        Upload("/interpolate?format=npy", json, points),
        Upload("/decompress?format=npy", "application/x-latentd", (compressed,)),
        Upload("/encode", "multipart/form-data; boundary=b", (_form(pictures[0].bodies[:2]),)),
    ]


def _form(files: Sequence[bytes]) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
    return b"".join(head + file + b"\r\n" for file in files) + b"--b--\r\n"


def send(client: httpx.Client, count: int, seed: int, seconds: float = float("inf")) -> list[int]:
    """The statuses of `count` bodies, or as many as there was time for.

    AssertionError for an answer that is the service's fault, or for a next request gone wrong.
    """
    dice, end = random.Random(seed), time.monotonic() + seconds
    kinds, before = uploads(client), client.get(QUESTION).content
    statuses: list[int] = []
    while len(statuses) < count and time.monotonic() < end:
        kind = dice.choice(kinds)
        body = mutated(dice.choice(kind.bodies), kind.bodies, dice)
        body = repaired(body) if dice.random() < 0.7 else body
        answer = client.post(kind.path, content=body, headers={"Content-Type": kind.media_type})
        said = f"{kind.path} as {kind.media_type}: {answer.status_code} to {body!r}"
        assert answer.status_code < 500 or answer.status_code in REFUSALS, said
        assert client.get(QUESTION).content == before, f"the next answer is another after {said}"
        statuses.append(answer.status_code)
    return statuses
