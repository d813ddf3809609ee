"""IDX files and folders in MNIST's layout, whole and damaged."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from training.datasets import DATASETS, Request
from training.errors import DataError

load = DATASETS["idx"]


def idx(count: int, height: int = 4, width: int = 3, kind: int = 8) -> bytes:
    """An IDX file of images whose bytes count up from zero."""
    sizes = b"".join(size.to_bytes(4, "big") for size in (count, height, width))
    pixels = bytes(i % 256 for i in range(math.prod((count, height, width))))
    return bytes((0, 0, kind, 3)) + sizes + pixels


def folder(path: Path, train: bytes, test: bytes, suffix: str = "") -> Path:
    (path / f"train-images-idx3-ubyte{suffix}").write_bytes(train)
    (path / f"t10k-images-idx3-ubyte{suffix}").write_bytes(test)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_folder_in_the_layout_of_mnist_is_read_packed_or_not(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    data = load(Request(folder(tmp_path, pack(idx(5)), pack(idx(2)), ".gz")))
    assert (data.train.shape, data.test.shape) == ((5, 1, 4, 3), (2, 1, 4, 3))
    assert data.kind == "image"
    torch.testing.assert_close(data.train[:][0, 0, 0], torch.tensor([0.0, 1.0, 2.0]) / 255)


def test_packed_and_unpacked_files_have_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = load(Request(folder(tmp_path / "a", idx(5), idx(2))))
    packed = load(Request(folder(tmp_path / "b", gzip.compress(idx(5)), gzip.compress(idx(2)))))
    assert plain.digest() == packed.digest()


def labels(*digits: int) -> bytes:
    """An IDX file of labels."""
    return bytes((0, 0, 8, 1)) + len(digits).to_bytes(4, "big") + bytes(digits)


@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz")])
def test_labels_beside_the_images_are_read_and_do_not_change_the_digest(
    tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str
) -> None:
    without = load(Request(folder(tmp_path, idx(5), idx(2))))
    (tmp_path / f"t10k-labels-idx1-ubyte{suffix}").write_bytes(pack(labels(7, 3)))
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(labels(1, 7, 3, 3, 0)))
    data = load(Request(tmp_path))
    assert (without.test_labels, without.train_labels) == (None, None)
    assert data.test_labels is not None
    assert data.train_labels is not None
    assert (data.test_labels.dtype, data.test_labels.tolist()) == (torch.int64, [7, 3])
    assert data.train_labels.tolist() == [1, 7, 3, 3, 0]
    assert data.digest() == without.digest()


@pytest.mark.parametrize(("part", "rows"), [("train", "5 training"), ("t10k", "2 test")])
def test_labels_that_are_not_as_many_as_the_images_are_refused(
    tmp_path: Path, part: str, rows: str
) -> None:
    folder(tmp_path, idx(5), idx(2))
    (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels(7, 3, 1))
    with pytest.raises(DataError, match=rf"labels of shape \[3\] for {rows} rows"):
        load(Request(tmp_path))


def test_of_a_single_file_a_seeded_part_is_held_out(tmp_path: Path) -> None:
    file = tmp_path / "letters-idx3-ubyte"
    file.write_bytes(idx(20))
    first, again = (load(Request(file, held_out=0.25, seed=1)) for _ in range(2))
    assert (len(first.train), len(first.test)) == (15, 5)
    assert first.digest() == again.digest()
    assert first.digest() != load(Request(file, held_out=0.25, seed=2)).digest()


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG", "89504e47"),
        (idx(5)[:-1], "needs 60 bytes, and there are 59"),
        (idx(5) + b"x", "needs 60 bytes, and there are 61"),
        (idx(5)[:6], "header of 16 bytes is cut short"),
        (gzip.compress(idx(5), mtime=0)[:12] + bytes(40), "not a whole gzip file"),
        (idx(5, kind=13), "not an IDX file of bytes"),
        (gzip.compress(idx(5), mtime=0)[:-9], "not a whole gzip file"),
        (idx(0), "N > 0"),
        (idx(5, height=5), "must agree"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, train: bytes, expected: str) -> None:
    with pytest.raises(DataError) as refused:
        load(Request(folder(tmp_path, train, idx(2))))
    assert expected in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_a_folder_without_the_files_says_which_are_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-images\*idx3-ubyte\[\.gz\] is needed, found none"):
        load(Request(tmp_path))


def test_two_candidates_for_a_file_are_refused_by_name(tmp_path: Path) -> None:
    folder(tmp_path, idx(5), idx(2))
    folder(tmp_path, idx(5), idx(2), ".gz")
    with pytest.raises(DataError, match=r"found train-images-idx3-ubyte, train-images"):
        load(Request(tmp_path))


def test_a_missing_folder_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: there is no such file or folder; wanted IDX"):
        load(Request(tmp_path / "nowhere"))


def test_no_path_at_all_is_answered_with_the_key_to_give() -> None:
    with pytest.raises(DataError, match="data=PATH"):
        load(Request())


def test_the_real_mnist_is_read(mnist_folder: Path) -> None:
    data = load(Request(mnist_folder))
    assert (data.train.shape, data.test.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    # The known average of the training pixels.
    assert float(data.train[:].mean()) == pytest.approx(0.1307, abs=1e-4)
    assert data.name == "mnist"
    assert data.test_labels is not None
    assert data.test_labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert data.train_labels is not None
    assert data.train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
