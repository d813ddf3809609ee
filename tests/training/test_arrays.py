"""Numpy files of images and of vectors: shapes, types and ranges, good and bad."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.datasets import DATASETS, Dataset, Request
from training.errors import DataError

Array = NDArray[np.generic]


def read(tmp_path: Path, array: Array) -> Dataset:
    np.save(tmp_path / "rows.npy", array)
    return DATASETS["arrays"](Request(tmp_path / "rows.npy", held_out=0.25))


def bytes_of(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def values(data: Dataset) -> list[float]:
    return sorted(set(data.train[:].flatten().tolist()))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((8, 6, 5), (1, 6, 5)),
        ((8, 6, 5, 3), (3, 6, 5)),
        ((8, 3, 6, 5), (3, 6, 5)),
        ((8, 6, 5, 1), (1, 6, 5)),
        ((8, 1, 6, 5), (1, 6, 5)),
    ],
)
def test_images_become_channels_first_whatever_their_layout(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    data = read(tmp_path, bytes_of(*shape))
    assert (data.kind, data.shape) == ("image", expected)
    assert (len(data.train), len(data.test)) == (6, 2)


def test_both_layouts_of_the_same_images_are_the_same_data(tmp_path: Path) -> None:
    images = bytes_of(8, 6, 5, 3)
    last, first = read(tmp_path, images), read(tmp_path, np.moveaxis(images, 3, 1))
    assert last.digest() == first.digest()


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8"])
def test_floats_in_the_unit_range_are_taken_as_they_are(tmp_path: Path, dtype: str) -> None:
    data = read(tmp_path, np.full((4, 6, 5), 0.25).astype(dtype))
    assert data.train[:].dtype == torch.float32
    assert values(data) == [0.25]


def test_bytes_are_divided_by_255_once(tmp_path: Path) -> None:
    data = read(tmp_path, np.full((4, 6, 5), 255, np.uint8))
    assert values(data) == [1.0]


def test_booleans_are_black_and_white(tmp_path: Path) -> None:
    data = read(tmp_path, bytes_of(4, 6, 5) > 127)
    assert set(values(data)) == {0.0, 1.0}


def test_vectors_may_be_any_real_numbers(tmp_path: Path) -> None:
    data = read(tmp_path, np.array([[-300.0, 2], [3, 4], [5, 6], [7, 800]]))
    assert (data.kind, data.shape) == ("vectors", (2,))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((4, 6, 5), 255.0), "pixels reach from 255 to 255, not [0, 1]: divide by 255"),
        (np.full((4, 6, 5), -1.0), "from -1 to -1"),
        (np.full((4, 6, 5), 7, np.int64), "save bytes (uint8)"),
        (np.full((4, 6, 5), 7, np.uint16), "save bytes (uint8)"),
        (np.full((4, 6, 5), np.nan), "4 of 4 rows hold NaN or infinite values"),
        (np.full((4, 6), np.inf), "the first is row 0"),
        (bytes_of(4, 30), "look like flattened images"),
        (bytes_of(4), "neither images nor vectors"),
        (bytes_of(4, 1, 1, 1, 1), "neither images nor vectors"),
        (bytes_of(0, 6, 5), "neither images nor vectors"),
        (bytes_of(1, 6, 5), "cannot be split"),
        (bytes_of(4, 6, 5, 7), "must be the channels"),
        (bytes_of(4, 3, 6, 3), "must be the channels"),
        (np.array([["a", "b"]]), "are not numbers"),
        (np.zeros((4, 6, 5), np.complex64), "are not numbers"),
    ],
)
def test_a_bad_array_is_refused_with_the_remedy(
    tmp_path: Path, array: Array, expected: str
) -> None:
    with pytest.raises(DataError) as refused:
        read(tmp_path, array)
    assert expected in str(refused.value)
    assert "rows.npy" in str(refused.value)


def test_one_bad_row_is_named(tmp_path: Path) -> None:
    rows = np.zeros((9, 3))
    rows[7, 1] = np.nan
    with pytest.raises(DataError, match=r"1 of 9 rows .* the first is row 7"):
        read(tmp_path, rows)


@pytest.mark.parametrize("names", [("train", "test"), ("x_train", "x_test")])
def test_a_pair_of_arrays_is_the_split(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays = {names[0]: bytes_of(6, 4, 5), names[1]: bytes_of(2, 4, 5), "y_train": bytes_of(6)}
    np.savez(tmp_path / "pair.npz", allow_pickle=False, **arrays)
    data = DATASETS["arrays"](Request(tmp_path / "pair.npz"))
    assert (len(data.train), len(data.test)) == (6, 2)


@pytest.mark.parametrize("names", [("train_labels", "test_labels"), ("y_train", "y_test")])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_whole_numbers_beside_a_pair_are_the_classes_of_its_rows(
    tmp_path: Path, names: tuple[str, str], shape: tuple[int, ...]
) -> None:
    pair = {"train": bytes_of(6, 4, 5), "test": bytes_of(2, 4, 5)}
    np.savez(tmp_path / "pair.npz", allow_pickle=False, **pair)
    without = DATASETS["arrays"](Request(tmp_path / "pair.npz"))
    pair[names[0]] = np.array([1, 7, 3, 3, 0, 1], np.uint8).reshape(shape)
    pair[names[1]] = np.array([7, 3], np.uint8).reshape(shape)
    np.savez(tmp_path / "pair.npz", allow_pickle=False, **pair)
    data = DATASETS["arrays"](Request(tmp_path / "pair.npz"))
    assert data.test_labels is not None
    assert (data.test_labels.dtype, data.test_labels.tolist()) == (torch.int64, [7, 3])
    assert data.train_labels is not None
    assert data.train_labels.tolist() == [1, 7, 3, 3, 0, 1]
    assert (without.test_labels, without.train_labels) == (None, None)
    assert data.digest() == without.digest()


def test_targets_that_are_not_whole_numbers_are_not_classes(tmp_path: Path) -> None:
    images = {"x_train": bytes_of(6, 4, 5), "x_test": bytes_of(2, 4, 5)}
    np.savez(tmp_path / "pair.npz", allow_pickle=False, y_test=np.zeros(2), **images)
    assert DATASETS["arrays"](Request(tmp_path / "pair.npz")).test_labels is None


def test_labels_that_are_not_as_many_as_the_test_rows_are_refused(tmp_path: Path) -> None:
    arrays = {"x_train": bytes_of(6, 4, 5), "x_test": bytes_of(2, 4, 5), "y_test": bytes_of(3)}
    np.savez(tmp_path / "pair.npz", allow_pickle=False, **arrays)
    with pytest.raises(DataError, match=r"pair: labels of shape \[3\] for 2 test rows: give one"):
        DATASETS["arrays"](Request(tmp_path / "pair.npz"))


def test_a_pair_that_differs_in_shape_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pair.npz", train=bytes_of(6, 4, 5), test=bytes_of(2, 4, 6))
    with pytest.raises(DataError, match="differ in shape"):
        DATASETS["arrays"](Request(tmp_path / "pair.npz"))


def test_an_archive_of_unknown_arrays_is_refused_with_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", left=bytes_of(6, 4, 5), right=bytes_of(2, 4, 5))
    with pytest.raises(DataError, match="holds left, right"):
        DATASETS["arrays"](Request(tmp_path / "many.npz"))


@pytest.mark.parametrize("content", [b"", b"not numpy", b"PK\x03\x04broken", b"\x93NUMPY\x01"])
def test_a_file_that_is_no_numpy_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.npy").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        DATASETS["arrays"](Request(tmp_path / "rows.npy"))


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"all rows of one size: .*[Pp]ython objects"):
        DATASETS["arrays"](Request(tmp_path / "rows.npy"))
