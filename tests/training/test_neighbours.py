"""`python -m training neighbours` on models that are published already."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from model_store import ModelId, load, read_manifest, read_verified
from tests.factories import eager, publish_kind
from training.__main__ import main


def test_rows_and_their_latents_lie_beside_the_next_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    publish_kind(store, "colour")
    levels = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)
    np.save(tmp_path / "x.npy", levels)
    given = ["--source", "arrays", "--data", str(tmp_path / "x.npy"), "--store", str(store)]
    assert main(["neighbours", "colour", *given]) == 0
    assert (
        "36 training rows and their latents, 0.0 MiB\npublished: colour@2"
        in capsys.readouterr().out
    )
    manifest = load(store, ModelId("colour", 2)).manifest
    latents, rows = (
        np.load(BytesIO(read_verified(store, manifest, f"neighbour_{name}.npy")))
        for name in ("latents", "rows")
    )
    known = {row.tobytes() for row in levels}
    assert len(rows) == 36
    assert all(row.tobytes() in known for row in rows)
    with torch.no_grad():
        mean, _ = eager("colour").encode(torch.from_numpy(rows).float() / 255)  # type: ignore[operator]
    assert np.allclose(latents, mean.numpy(), atol=1e-5)
    assert main(["neighbours", "colour", *given, "--rows", "10"]) == 0
    fewer = read_manifest(store, ModelId("colour", 3))
    assert len(np.load(BytesIO(read_verified(store, fewer, "neighbour_rows.npy")))) == 10
