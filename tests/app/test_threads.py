"""Work for worker threads is pure: in many threads at once it gives what it gives alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import orjson
import pytest

from app import latent_codes, latent_math, paths
from app.formats import FORMATS, Answer, Head
from app.formats import png as png_format
from app.images import read_images
from app.layout import Motion, Sheet
from app.operations import projection

THREADS = 4
ROUNDS = 6

DICE = np.random.default_rng(0)
PICTURES = DICE.integers(0, 256, (6, 12, 10, 3), np.uint8)
ROWS = DICE.random((6, 3, 12, 10), np.float32)
LATENTS = DICE.standard_normal((200, 5), np.float32)
HEAD = Head("m@1", (3,), 6, (3, 12, 10), Sheet(3, 2), Motion(fps=7, pingpong=True))
PNGS = [png_format.encode(picture) for picture in PICTURES]


def written(name: str) -> Callable[[], Any]:
    form = FORMATS[name]
    answer = Answer(HEAD, PICTURES if form.levels else ROWS)
    return lambda: b"".join(form.write(answer))


WORK: dict[str, Callable[[], Any]] = {
    "row_noise": partial(latent_math.row_noise, 7, 300, (16,)),
    "noise in parts": lambda: latent_math.Noise(7, (16,)).rows(300),
    "binarize": partial(latent_math.binarize, ROWS, 3),
    "draw_posterior": partial(latent_math.draw_posterior, LATENTS, LATENTS, LATENTS),
    "fit of a prior": partial(
        lambda drawn: latent_codes.fitted(drawn).parameters,
        latent_math.row_noise(0, 10 * latent_codes.BLOCK, (3,)),
    ),
    "evenly": partial(paths.evenly, LATENTS, paths.parts(40, "in_out")),
    "along": partial(paths.along, LATENTS, np.linspace(0, 199, 300), "slerp"),
    "principal components": partial(projection.principal, LATENTS),
    "images": partial(read_images, PNGS, (3, 12, 10)),
    **{f"as {name}": written(name) for name in FORMATS},
}


def same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return all(map(same, one, other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return one == other


@pytest.mark.parametrize("name", WORK)
def test_work_for_a_thread_is_pure(name: str) -> None:
    """Each thread does this work while another one does everything else."""
    alone = WORK[name]()
    others = [work for other, work in WORK.items() if other != name]
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            for work in others:
                work()

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            disturbing = pool.submit(disturb)
            for found in pool.map(lambda _: WORK[name](), range(ROUNDS * (THREADS - 1))):
                assert same(found, alone)
        finally:
            done.set()
        disturbing.result()


def test_a_seed_means_the_same_rows_while_others_are_drawn() -> None:
    """The loop draws one row after another while threads draw thousands."""
    expected = latent_math.row_noise(7, 1, (16,))
    with ThreadPoolExecutor(2) as pool:
        drawing = [pool.submit(latent_math.row_noise, 1, 16384, (16,)) for _ in range(20)]
        while not all(future.done() for future in drawing):
            assert same(latent_math.row_noise(7, 1, (16,)), expected)
        first = drawing[0].result()
        assert all(same(future.result(), first) for future in drawing)


def test_json_of_an_array_is_written_while_others_are() -> None:
    """orjson holds nothing between two calls."""
    alone = orjson.dumps({"a": LATENTS}, option=orjson.OPT_SERIALIZE_NUMPY)
    with ThreadPoolExecutor(THREADS) as pool:
        dump = partial(orjson.dumps, {"a": LATENTS}, option=orjson.OPT_SERIALIZE_NUMPY)
        assert all(found == alone for found in pool.map(lambda _: dump(), range(50)))
