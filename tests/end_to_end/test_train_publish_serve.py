"""The main job in one piece: a few training steps, a published model, a real server, a picture."""

import base64
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.latent_math import row_noise
from model_store import Checkpoint, find, load
from tests.serving import environment, running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that some twenty steps of training have published to."""
    folder = tmp_path_factory.mktemp("end-to-end")
    store = folder / "store"
    store.mkdir()
    words = ["epochs=2", "nll_samples=5", f"store={store}", f"out={folder / 'run'}"]
    done = subprocess.run(
        [sys.executable, "-m", "training", "run", "digits", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return store


@pytest.fixture(scope="module")
def client(store: Path) -> Iterator[httpx.Client]:
    with running(store) as client:
        yield client


@pytest.fixture(scope="module")
def checkpoint(store: Path) -> Checkpoint:
    return load(store, find(store, "digits"))


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def decoded(checkpoint: Checkpoint, latents: torch.Tensor) -> NDArray[np.uint8]:
    """The checkpoint's own images [N, H, W] as levels."""
    with torch.inference_mode():
        images = checkpoint.decode(latents)[:, 0].mul(255).round()
    return images.to(torch.uint8).numpy()


def same_image(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Equal but for rounding: a batch of another shape may fall on the other side of a level."""
    return one.shape == other.shape and bool((np.abs(one.astype(int) - other) <= 1).all())


def test_a_sample_is_the_models_own_image(client: httpx.Client, checkpoint: Checkpoint) -> None:
    sheet = pixels(client.get("/sample?n=4&seed=1").content)
    noise = row_noise(1, 4, checkpoint.manifest.latent_shape)
    own = decoded(checkpoint, torch.from_numpy(noise))
    size = own.shape[1]
    images = [sheet[r : r + size, c : c + size] for r in (0, size) for c in (0, size)]
    assert all(same_image(image, mine) for image, mine in zip(images, own, strict=True))


def test_encode_then_decode_is_the_models_own_reconstruction(
    client: httpx.Client, checkpoint: Checkpoint
) -> None:
    png = client.get("/sample?seed=5").content
    body = client.post("/encode", content=png, headers={"Content-Type": "image/png"}).json()
    back = client.post("/decode", json={"latents": body["latents"]}).content
    x = torch.from_numpy(pixels(png).astype(np.float32) / 255)[None, None]
    with torch.inference_mode():
        mean, log_var = checkpoint.encode(x)
    assert np.allclose(body["mean"], mean, atol=1e-4)
    assert np.allclose(body["log_var"], log_var, atol=1e-4)
    assert same_image(pixels(back), decoded(checkpoint, mean)[0])


def test_a_walk_starts_and_ends_at_its_samples(client: httpx.Client) -> None:
    strip = pixels(client.get("/interpolate?seed=1&seed=2&steps=8").content)
    size = strip.shape[0]
    assert strip.shape == (size, 8 * size)
    assert np.array_equal(strip[:, :size], pixels(client.get("/sample?seed=1").content))
    assert np.array_equal(strip[:, -size:], pixels(client.get("/sample?seed=2").content))


def test_the_service_names_what_was_trained(client: httpx.Client, store: Path) -> None:
    card = client.get("/models/digits").json()
    assert card["id"] == "digits@1"
    assert card["training"]["recipe"] == "digits"
    assert {figure["name"] for figure in card["figures"]} >= {"nll"}
    assert card["file"]["size"] == (store / "digits" / "1" / "model.ts").stat().st_size


def test_json_images_are_those_of_the_sheet(client: httpx.Client) -> None:
    body = client.get("/sample?n=3&seed=2&format=json&layout=strip").json()
    strip = pixels(client.get("/sample?n=3&seed=2&layout=strip").content)
    images = [pixels(base64.b64decode(image)) for image in body["images"]]
    assert np.array_equal(np.hstack(images), strip)


def test_sixty_four_clients_at_once_get_what_each_would_get_alone(client: httpx.Client) -> None:
    async def all_at_once() -> list[bytes]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=client.base_url, limits=limits, timeout=60) as many:
            answers: list[bytes] = [b""] * 64

            async def ask(number: int) -> None:
                answer = await many.get(f"/sample?n={1 + number % 7}&seed={number}")
                answers[number] = answer.content

            async with anyio.create_task_group() as group:
                for number in range(64):
                    group.start_soon(ask, number)
        return answers

    together = anyio.run(all_at_once)
    alone = [client.get(f"/sample?n={1 + n % 7}&seed={n}").content for n in range(64)]
    assert together == alone
