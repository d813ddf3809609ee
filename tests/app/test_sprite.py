"""`sprite`: every row where the index says it lies, and TensorBoard reads it."""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tensorboard.plugins.base_plugin import TBContext  # type: ignore[import-untyped]
from tensorboard.plugins.projector.projector_plugin import (  # type: ignore[import-untyped]
    ProjectorPlugin,
)
from werkzeug.test import Client

from app.latent_math import row_noise
from tests.app.conftest import array


def unpacked(answer: httpx.Response) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The sprite and its index."""
    assert answer.status_code == 200, answer.text
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["sprite.png", "index.json", "projector_config.pbtxt"]
        sprite = np.asarray(Image.open(io.BytesIO(archive.read("sprite.png"))))
        return sprite, json.loads(archive.read("index.json"))


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("sample?n=1&seed=3", 1),
        ("sample?n=2&seed=3", 2),
        ("sample?n=7&seed=3&scale=2", 3),
        # Always square, whatever is asked for.
        ("sample?n=5&seed=3&layout=strip", 3),
        ("interpolate?seed=3&seed=4&steps=9&columns=2", 3),
    ],
)
def test_every_row_lies_where_the_index_says(
    client: httpx.Client, query: str, columns: int
) -> None:
    sprite, index = unpacked(client.get(f"/{query}&format=sprite"))
    rows = np.rint(array(client.get(f"/{query}&format=npy"))[:, 0] * 255).astype(np.uint8)
    side = 16 if "scale=2" in query else 8
    rows = rows.repeat(side // 8, 1).repeat(side // 8, 2)
    assert sprite.shape == (columns * side, columns * side)
    assert index["model"] == "grey@1"
    assert index["seeds"] == ([3, 4] if "interpolate" in query else [3])
    assert index["columns"] == columns
    assert index["single_image_dim"] == [side, side]
    assert [place["row"] for place in index["images"]] == [*range(len(rows))]
    left = sprite.copy()
    for place, row in zip(index["images"], rows, strict=True):
        x, y = place["x"], place["y"]
        assert np.array_equal(sprite[y : y + side, x : x + side], row)
        left[y : y + side, x : x + side] = 0
    assert not left.any()


def test_the_embedding_projector_reads_it(client: httpx.Client, tmp_path: Path) -> None:
    """The archive, and latents beside it, are a folder that TensorBoard shows."""
    latents = row_noise(3, 7, (5,))
    body = {"latents": latents.tolist()}
    answer = client.post("/decode?format=sprite&scale=2", json=body)
    with ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    np.savetxt(tmp_path / "latents.tsv", latents, delimiter="\t")
    pages = ProjectorPlugin(TBContext(logdir=str(tmp_path))).get_plugin_apps()

    def ask(page: str) -> Any:  # noqa: ANN401 - werkzeug's response
        return Client(pages[page]).get(f"{page}?run=.&name=latents.tsv")

    assert json.loads(ask("/info").get_data())["embeddings"] == [
        {
            "tensorName": "latents.tsv",
            "tensorShape": [7, 5],
            "tensorPath": "latents.tsv",
            "sprite": {"imagePath": "sprite.png", "singleImageDim": [16, 16]},
        }
    ]
    shown = np.frombuffer(ask("/tensor").get_data(), np.float32)
    assert np.array_equal(shown.reshape(7, 5), latents)
    assert ask("/sprite_image").get_data() == (tmp_path / "sprite.png").read_bytes()
