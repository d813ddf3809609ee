"""What transparent images are laid on travels with the model; old manifests stay as they were."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from model_store import DataSpec, read_manifest
from tests.laws.rooms import by_service
from training.published import Given, open_published
from training.run import run


def transparent(folder: Path, count: int = 24) -> list[bytes]:
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(count):
        levels = draw.integers(0, 256, (6, 5, 4), np.uint8)
        Image.fromarray(levels).save(folder / f"{number:02}.png")
    return [file.read_bytes() for file in sorted(folder.iterdir())]


@pytest.mark.parametrize("ground", ["white", "black"])
def test_the_service_lays_images_on_what_training_laid_them_on(tmp_path: Path, ground: str) -> None:
    files = transparent(tmp_path / "images")
    (tmp_path / "store").mkdir()
    words = [
        *(f"data={tmp_path / 'images'}", f"store={tmp_path / 'store'}", f"out={tmp_path / 'out'}"),
        *("source=image_folder", f"ground={ground}", "channels=3", "likelihood=gaussian"),
        *("epochs=1", "nll_samples=2", "batch_size=8", "encoder=4", "decoder=4"),
    ]
    published = run("digits", words).published
    assert published is not None
    data = read_manifest(tmp_path / "store", published).data
    assert data.ground == ground
    given = Given(tmp_path / "images", None, "cpu")
    opened = open_published(published.name, tmp_path / "store", given)
    assert opened.same_data()
    trained = torch.cat([opened.dataset.train[:], opened.dataset.test[:]]).numpy()
    rows = {np.rint(row * 255).astype(np.uint8).transpose(1, 2, 0).tobytes() for row in trained}
    served = {by_service(file, (3, 6, 5), data.ground).tobytes() for file in files}
    assert served == rows


def test_a_manifest_without_a_ground_is_read_and_written_as_before() -> None:
    old = {"kind": "image", "shape": [1, 4, 4], "value_range": [0.0, 1.0]}
    spec = DataSpec.model_validate(old)
    assert spec.ground is None
    assert spec.model_dump(mode="json") == old
    with_it = old | {"ground": "white"}
    assert DataSpec.model_validate(with_it).model_dump(mode="json") == with_it


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "image", "shape": [4, 4, 4], "value_range": [0.0, 1.0], "ground": "white"},
        {"kind": "vectors", "shape": [4], "value_range": None, "ground": "white"},
        {"kind": "image", "shape": [3, 4, 4], "value_range": [0.0, 1.0], "ground": "red"},
    ],
)
def test_a_ground_is_black_or_white_and_of_images_without_alpha(spec: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataSpec.model_validate(spec)
