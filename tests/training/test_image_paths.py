"""Which files of a folder are data: hidden ones, linked ones, and the parts of a split."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.datasets import DATASETS, Dataset, Request
from training.errors import DataError


def images(folder: Path, level: int, count: int = 3) -> Path:
    """So many images of one level each, so that a row says which folder it is from."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        levels = np.full((4, 4), level, np.uint8)
        levels[0, 0] = number
        Image.fromarray(levels).save(folder / f"{number}.png")
    return folder


def read(folder: Path) -> Dataset:
    return DATASETS["image_folder"](Request(folder, (4, 4), 1, 0.3))


def levels(rows: torch.Tensor) -> list[int]:
    return sorted((rows[:, 0, 3, 3] * 255).round().int().tolist())


def all_levels(data: Dataset) -> list[int]:
    return levels(torch.cat([data.train[:], data.test[:]]))


@pytest.mark.parametrize(
    "name",
    [".ipynb_checkpoints", ".cache", "a/.thumbnails/b", "__MACOSX", "@eaDir", "$RECYCLE.BIN"],
)
def test_what_systems_and_tools_leave_behind_is_no_data(tmp_path: Path, name: str) -> None:
    for number, place in enumerate(("a", "b")):
        images(tmp_path / place, 100 + number)
    before = read(tmp_path)
    images(tmp_path / name, 200)
    (tmp_path / "a" / "._0.png").write_bytes(b"a fork of a resource")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"thumbnails")
    after = read(tmp_path)
    assert after.classes == before.classes == ("a", "b")
    assert after.digest() == before.digest()
    assert after.notes == before.notes


def test_a_folder_below_a_hidden_one_can_be_the_data(tmp_path: Path) -> None:
    assert all_levels(read(images(tmp_path / ".data" / ".set", 7))) == [7, 7, 7]


def test_linked_folders_and_files_are_followed(tmp_path: Path) -> None:
    elsewhere = images(tmp_path / "elsewhere", 50)
    data = images(tmp_path / "data" / "own", 60).parent
    (data / "linked").symlink_to(elsewhere)
    one = images(tmp_path / "one", 70, 1)
    (data / "own" / "single.png").symlink_to(one / "0.png")
    found = read(data)
    assert all_levels(found) == [50, 50, 50, 60, 60, 60, 70]
    assert found.classes == ("linked", "own")


def test_no_folder_is_read_twice_and_no_circle_is_walked_for_ever(tmp_path: Path) -> None:
    data = images(tmp_path / "data" / "z", 60).parent
    images(data / "y", 61)
    (data / "a-link-that-comes-first").symlink_to(data / "z")
    (data / "z" / "up").symlink_to(data)
    (data / "z" / "itself").symlink_to(data / "z")
    (data / "y" / "circle").symlink_to(data / "y" / "circle")
    (data / "gone").symlink_to(tmp_path / "nowhere")
    (data / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = read(data)
    assert all_levels(found) == [60] * 3 + [61] * 3
    assert found.classes == ("y", "z")
    (twice, broken) = [note for note in found.notes if "link" in note]
    assert "3 linked folders are read under their other names" in twice
    assert "a-link-that-comes-first" in twice
    assert "gone.png" in broken


def test_a_test_folder_that_is_linked_below_train_does_not_leak(tmp_path: Path) -> None:
    images(tmp_path / "train", 10)
    images(tmp_path / "test", 20)
    (tmp_path / "train" / "more").symlink_to(tmp_path / "test")
    found = read(tmp_path)
    assert levels(found.train[:]) == [10, 10, 10]
    assert levels(found.test[:]) == [20, 20, 20]


@pytest.mark.parametrize("train", ["train", "training", "Train", "TRAINING"])
@pytest.mark.parametrize("test", ["test", "testing", "val", "valid", "validation", "dev", "Test"])
def test_common_names_are_the_split_and_no_classes(tmp_path: Path, train: str, test: str) -> None:
    for name, level in (("cat", 10), ("dog", 20)):
        images(tmp_path / train / name, level)
        images(tmp_path / test / name, level + 1, 2)
    found = read(tmp_path)
    assert found.classes == ("cat", "dog")
    assert levels(found.train[:]) == [10, 10, 10, 20, 20, 20]
    assert levels(found.test[:]) == [11, 11, 21, 21]
    assert found.train_labels is not None
    assert found.train_labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_of_three_parts_that_for_validation_is_left_out_and_said(tmp_path: Path) -> None:
    for name, level in (("train", 10), ("val", 20), ("test", 30)):
        images(tmp_path / name, level)
    images(tmp_path / "annotations", 40)
    found = read(tmp_path)
    assert levels(found.train[:]) == [10, 10, 10]
    assert levels(found.test[:]) == [30, 30, 30]
    assert "3 images for validation are left out: those for testing are taken" in found.notes
    assert "beside the split, folders are left out: annotations" in found.notes


@pytest.mark.parametrize("names", [("train",), ("test",), ("val", "test")])
def test_what_is_left_of_a_split_is_no_class(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        for place, level in (("cat", 10), ("dog", 20)):
            images(tmp_path / name / place, level)
    found = read(tmp_path)
    assert found.classes == ("cat", "dog")
    assert all_levels(found) == sorted([10, 20] * 3 * len(names))


def test_a_class_may_be_called_like_a_part_where_there_is_no_split(tmp_path: Path) -> None:
    for name in ("car", "train", "plane"):
        images(tmp_path / name, 10)
    assert read(tmp_path).classes == ("car", "plane", "train")


def test_an_empty_part_is_refused_by_its_name(tmp_path: Path) -> None:
    images(tmp_path / "train", 10)
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match=r"/test: no image found"):
        read(tmp_path)
    (tmp_path / "val").mkdir()
    images(tmp_path / "val", 20)
    assert levels(read(tmp_path).test[:]) == [20, 20, 20]


def test_a_file_is_no_folder_of_images(tmp_path: Path) -> None:
    images(tmp_path, 10, 1)
    with pytest.raises(DataError, match=r"0\.png is a file; wanted a folder"):
        read(tmp_path / "0.png")
