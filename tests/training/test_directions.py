"""The directions that classes give a model, against means and differences taken by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model_store import MAX_DIRECTIONS
from tests.training.small import GREY, LATENT, VECTOR, kind_of, model, rows
from training import directions
from training.datasets import DATASETS, Dataset, Request
from training.datasets.rows import Array, Rows, Streamed
from training.directions import class_directions
from training.errors import DataError
from training.labels import Labels, labels_from, labels_of
from training.learned import learned_from


def labels(count: int, *names: str) -> Labels:
    """Rows of each class in turn."""
    return Labels.of([names[row % len(names)] for row in range(count)])


def encode(x: Tensor) -> tuple[Tensor, Tensor]:
    return model("mlp", "bernoulli", GREY).encode(x)


@pytest.mark.parametrize("hold", [torch.from_numpy, Streamed])
def test_a_centroid_is_the_mean_of_the_posterior_means_of_its_class(
    hold: Callable[[Array], Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rows(30, GREY)
    monkeypatch.setattr(directions, "CHUNK", 7)
    found = class_directions(encode, hold(x.numpy()), labels(30, "a", "b", "c"))
    assert list(found) == ["a", "b", "c", "a - b", "a - c", "b - c"]
    with torch.no_grad():
        means = [
            torch.stack([encode(x[row : row + 1])[0][0] for row in range(first, 30, 3)]).mean(0)
            for first in range(3)
        ]
    for name, wanted in zip("abc", means, strict=True):
        torch.testing.assert_close(found[name].tensor(), wanted)
    torch.testing.assert_close(found["a - c"].tensor(), means[0] - means[2])
    torch.testing.assert_close(found["b - c"].tensor(), means[1] - means[2])


def test_a_difference_leads_from_the_second_class_to_the_first() -> None:
    found = class_directions(encode, rows(20, GREY), labels(20, "3", "8"))
    assert list(found) == ["3", "8", "3 - 8"]
    arrived = found["8"].tensor() + found["3 - 8"].tensor()
    torch.testing.assert_close(arrived, found["3"].tensor())


def test_a_latent_of_any_shape_has_directions_of_that_shape() -> None:
    def to_a_map(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :, :2, :3], x[:, :, :2, :3]

    found = class_directions(to_a_map, rows(20, GREY), labels(20, "a", "b"))
    assert {record.shape for record in found.values()} == {(1, 2, 3)}


@pytest.mark.parametrize(("classes", "named"), [(1, 1), (2, 3), (10, 55), (11, 11)])
def test_few_classes_are_compared_pair_by_pair(classes: int, named: int) -> None:
    names = [str(number) for number in range(classes)]
    found = class_directions(encode, rows(50, GREY), labels(50, *names))
    assert len(found) == named
    assert list(found)[:classes] == names


def test_classes_are_in_the_order_of_their_numbers_or_of_their_names() -> None:
    assert Labels.of(["10", "-1", "2", "2"]).names == ("-1", "2", "10")
    assert Labels.of(["pear", "2", "apple"]).names == ("2", "apple", "pear")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            [str(number) for number in range(MAX_DIRECTIONS + 1)],
            "257 classes are more than the 256",
        ),
        (["x" * 65], "cannot name a direction"),
        (["x" * 31, "y" * 31], "of a class, or of two"),
        (["a\tb"], "cannot name a direction"),
        (["a", "b", "a - b"], "'a - b' is a class and the difference of two"),
    ],
)
def test_classes_that_cannot_be_named_are_refused(names: list[str], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        class_directions(encode, rows(300, GREY), labels(300, *names))


def test_a_centroid_that_is_no_point_is_refused() -> None:
    x = rows(20, GREY)
    x[7] = float("inf")
    with pytest.raises(DataError, match="a latent that is not finite"):
        class_directions(encode, x, labels(20, "a", "b"))


def test_labels_of_a_data_set_are_named_by_their_numbers() -> None:
    x = rows(4, VECTOR)
    without = Dataset("rows", kind_of(VECTOR), x, x)
    given = Dataset("rows", kind_of(VECTOR), x, x, train_labels=torch.tensor([7, 10, 7, 3]))
    assert labels_of(without) is None
    found = labels_of(given)
    assert found is not None
    assert found.names == ("3", "7", "10")
    assert found.numbers.tolist() == [1, 2, 1, 0]


def test_a_run_goes_on_without_directions_that_cannot_be_named() -> None:
    vae, x = model("mlp", "bernoulli", GREY), rows(300, GREY)
    every = Dataset("x", "image", x, x, train_labels=torch.arange(300))
    found = learned_from(vae, every, x, seed=0)
    assert found.directions == {}
    assert found.scores is not None
    assert len(found.notes) == 1
    assert found.notes[0].startswith("no directions: 300 classes are more than the 256")
    named = Dataset("x", "image", x, x, train_labels=torch.arange(300) % 2, classes=("n", "y"))
    assert list(learned_from(vae, named, x, seed=0).directions) == ["n", "y", "n - y"]
    unnamed = learned_from(vae, Dataset("x", "image", x, x), x, seed=0)
    assert (unnamed.directions, unnamed.notes) == ({}, ())


def numbered(folder: Path, count: int) -> Dataset:
    """Rows that hold their own numbers, a part of them held out."""
    np.save(folder / "rows.npy", np.arange(count, dtype="f4").repeat(LATENT).reshape(count, -1))
    return DATASETS["arrays"](Request(folder / "rows.npy", held_out=0.25))


def named(folder: Path, kind: str, given: list[int]) -> tuple[Path, str | None]:
    """A file of labels, and its column."""
    if kind == "csv":
        lines = [f"{row},{label},x" for row, label in enumerate(given)]
        (folder / "labels.csv").write_text("\n".join(["row,class,rest", *lines]), "utf-8-sig")
        return folder / "labels.csv", "class"
    array = np.array(given)
    forms = {"numbers": array, "text": array.astype(str), "column": array[:, None]}
    np.save(folder / "labels.npy", forms[kind])
    return folder / "labels.npy", None


@pytest.mark.parametrize("kind", ["numbers", "text", "column", "csv"])
def test_labels_of_a_file_follow_the_rows_that_are_not_held_out(tmp_path: Path, kind: str) -> None:
    data = numbered(tmp_path, 40)
    file, column = named(tmp_path, kind, [row % 3 for row in range(40)])
    found = labels_from(file, column, data)
    assert found.names == ("0", "1", "2")
    assert found.numbers.tolist() == [int(row) % 3 for row in data.train[:][:, 0].tolist()]
    assert len(found.numbers) == 30


def test_of_a_set_with_test_rows_of_its_own_the_training_rows_are_labelled(tmp_path: Path) -> None:
    x = rows(6, VECTOR)
    data = Dataset("pair", kind_of(VECTOR), x, x[:2])
    file, _ = named(tmp_path, "numbers", [0, 1, 0, 1, 5, 5])
    assert labels_from(file, None, data).numbers.tolist() == [0, 1, 0, 1, 2, 2]
    file, _ = named(tmp_path, "numbers", [0] * 8)
    with pytest.raises(DataError, match="8 labels, and pair has 6 training rows: give one label"):
        labels_from(file, None, data)


def test_labels_of_another_number_than_the_rows_are_refused(tmp_path: Path) -> None:
    data = numbered(tmp_path, 40)
    file, _ = named(tmp_path, "numbers", [0] * 30)
    with pytest.raises(DataError, match="30 labels, and rows has 40 rows, held-out ones among"):
        labels_from(file, None, data)


def test_a_class_whose_rows_are_all_held_out_is_named(tmp_path: Path) -> None:
    data = numbered(tmp_path, 40)
    held_out = int(data.test[:][0, 0])
    file, _ = named(tmp_path, "numbers", [int(row == held_out) for row in range(40)])
    with pytest.raises(DataError, match="class '1' has no training row"):
        labels_from(file, None, data)


@pytest.mark.parametrize(
    ("name", "text", "column", "expected"),
    [
        ("labels.txt", "0\n", None, "is not a .npy file"),
        ("absent.csv", None, "a", "absent.csv cannot be read"),
        ("labels.npy", "no array", None, "labels.npy cannot be read"),
        ("labels.csv", "a,b\n1,2\n", None, "its columns are a, b, none is named with --column"),
        ("labels.csv", "a,b\n1,2\n", "c", "its columns are a, b, not 'c'"),
        ("labels.csv", "a,b\n1,2\n1,\n", "b", r"row 1 \(the first is 0\) of 'b' has no label"),
        ("labels.csv", 'a,b\n1,"2\n', "b", "unexpected end of data"),
        ("labels.csv", "", None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_labels_is_refused(
    tmp_path: Path, name: str, text: str | None, column: str | None, expected: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=expected):
        labels_from(tmp_path / name, column, numbered(tmp_path, 40))


@pytest.mark.parametrize("array", [np.zeros(40), np.zeros((20, 2), int), np.zeros((), int)])
def test_an_array_that_is_no_list_of_classes_is_refused(
    tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    np.save(tmp_path / "labels.npy", array)
    with pytest.raises(DataError, match="whole numbers or text"):
        labels_from(tmp_path / "labels.npy", None, numbered(tmp_path, 40))
