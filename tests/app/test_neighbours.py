"""`/neighbours`, held against distances computed here."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.arrays import Floats
from app.latent_math import row_noise
from model_store import publish_again
from tests.app.conftest import array, picture, problem
from tests.app.processes import service
from tests.factories import publish_kind
from tests.serving import READY, running

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (300, 1, 8, 8), np.uint8)
LATENTS = RNG.standard_normal((300, 5)).astype(np.float32)
VECTORS = RNG.standard_normal((20, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """grey@2 and rows@2 with training rows, grey@1 without."""
    folder = tmp_path_factory.mktemp("neighbours")
    (folder / "store").mkdir()
    kinds = {"grey": (LATENTS, IMAGES), "rows": (LATENTS[:20, :2], VECTORS)}
    for kind, (latents, rows) in kinds.items():
        first = publish_kind(folder / "store", kind)
        files = {"neighbour_latents.npy": latents, "neighbour_rows.npy": rows}
        for name, content in files.items():
            np.save(folder / name, content)
        publish_again(folder / "store", first, {}, None, {name: folder / name for name in files})
    return folder / "store"


@pytest.fixture(scope="module")
def client(store: Path) -> Iterator[httpx.Client]:
    with running(store, models="grey@2,grey@1,rows@2") as client:
        yield client


def nearest(z: Floats, latents: Floats, count: int) -> tuple[list[int], Floats]:
    distances = np.linalg.norm(latents.astype(np.float64) - z, axis=1)
    places = np.argsort(distances, kind="stable")[:count]
    return places.tolist(), distances[places]


def listed(answer: httpx.Response) -> tuple[list[int], list[float]]:
    assert answer.status_code == 200, answer.text
    pairs = [pair.split(":") for pair in answer.headers["X-Latentd-Neighbours"].split(", ")]
    return [int(place) for place, _ in pairs], [float(distance) for _, distance in pairs]


def test_the_nearest_rows_come_first(client: httpx.Client) -> None:
    z = row_noise(3, 2, (5,))
    body = {"points": [{"seed": 3}, {"latent": z[1].tolist()}], "count": 5}
    answer = client.post("/neighbours?format=npy", json=body)
    places, distances = listed(answer)
    for row in range(2):
        wanted, far = nearest(z[row], LATENTS, 5)
        assert places[5 * row : 5 * row + 5] == wanted
        assert np.allclose(distances[5 * row : 5 * row + 5], far, rtol=1e-4)
    assert np.array_equal(array(answer), IMAGES[places] / np.float32(255))
    sheet = picture(client.post("/neighbours", json=body))
    lines = [IMAGES[places[start : start + 5], 0] for start in (0, 5)]
    assert np.array_equal(sheet, np.block([[*line] for line in lines]))


def test_a_row_is_its_own_nearest(client: httpx.Client) -> None:
    body = {"points": [{"latent": LATENTS[17].tolist()}], "count": 1}
    assert listed(client.post("/neighbours", json=body)) == ([17], [0.0])


def test_an_answer_does_not_depend_on_its_company(client: httpx.Client) -> None:
    points = [{"seed": seed} for seed in range(32)]
    together = listed(client.post("/neighbours", json={"points": points, "count": 4}))
    alone = [listed(client.post("/neighbours", json={"points": [p], "count": 4})) for p in points]
    assert together[0] == [place for places, _ in alone for place in places]
    assert together[1] == [distance for _, distances in alone for distance in distances]


def test_vectors_have_neighbours_in_numbers(client: httpx.Client) -> None:
    answer = client.post("/models/rows/neighbours", json={"points": [{"seed": 1}], "count": 30})
    places, _ = listed(answer)
    assert sorted(places) == list(range(20))
    assert np.array_equal(np.array(answer.json()["rows"], np.float32), VECTORS[places])


def test_a_point_too_far_out_has_no_nearest(client: httpx.Client) -> None:
    for size in (1e19, 1e15):
        far = client.post("/neighbours", json={"points": [{"latent": [0, 0, size, 0, 0]}]})
        assert "within ±1e+06" in problem(far, 422)
    assert listed(client.post("/neighbours", json={"points": [{"latent": [1e6, 0, 0, 0, 0]}]}))


def test_what_cannot_be_answered_is_said(client: httpx.Client) -> None:
    body = {"points": [{"seed": 1}]}
    without = client.post("/models/grey@1/neighbours", json=body)
    assert "python -m training neighbours grey" in problem(without, 422)
    many = client.post("/neighbours", json=body | {"count": 10_000})
    assert "at most 128" in problem(many, 422)
    assert client.post("/neighbours", json=body).status_code == 200


def test_damaged_rows_are_never_answered_and_the_rest_is_served(store: Path) -> None:
    file = store / "grey/2/neighbour_rows.npy"
    sound = file.read_bytes()
    damages: tuple[Callable[[], object], ...] = (
        lambda: file.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1])),
        lambda: file.write_bytes(sound[:-1]),
        file.unlink,
        file.mkdir,
    )
    with service(store, models="grey@2") as running:
        running.said(READY.pattern)
        begun = len(running.lines)
        with httpx.Client(base_url=running.url) as client:
            ask = partial(client.post, "/neighbours", json={"points": [{"seed": 1}]})
            for damage in damages:
                damage()
                answer = ask()
                assert "grey@2" in problem(answer, 503)
                assert answer.json()["type"].endswith(":store-unreadable")
                assert str(store) not in answer.text
                assert client.get("/sample?seed=1").status_code == 200
            file.rmdir()
            # What was put back is found without a new start.
            file.write_bytes(sound)
            assert listed(ask())
        running.process.terminate()
        running.end()
    lines = [line for line in running.lines[begun:] if "POST /neighbours" in line]
    assert len(lines) == len(damages), running.log
    assert str(store) not in "".join(running.lines[begun:])
    assert "Traceback" not in running.log
