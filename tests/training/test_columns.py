"""Columns are what a table's file says they are; what float32 cannot hold is refused by name."""

from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import torch
from numpy.typing import NDArray
from pyarrow import parquet

from training.config import RunConfig
from training.datasets import DATASETS, Dataset, Request
from training.datasets.gathering import Room
from training.errors import DataError
from training.labels import labels_from
from training.preparation import build_vae

ROWS = [[1.5, -2.25], [3.0, 40000.5], [0.125, 5.0], [-7.0, 8.75]]


def read(path: Path, *columns: str, source: str = "table", room: Room | None = None) -> Dataset:
    request = Request(path, held_out=0.25, columns=columns, room=room or Room())
    return DATASETS[source](request)


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(data: Dataset) -> list[list[float]]:
    found: list[list[float]] = torch.cat([data.train[:], data.test[:]]).tolist()
    return sorted(found)


def written(delimiter: str, point: str, end: str = "\n", quote: str = "") -> str:
    lines = [["a", "b"], *([str(value).replace(".", point) for value in row] for row in ROWS)]
    return "".join(delimiter.join(f"{quote}{word}{quote}" for word in line) + end for line in lines)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("point", [".", ","])
def test_every_common_way_to_write_a_table_is_read(
    tmp_path: Path, delimiter: str, point: str, quote: str, end: str
) -> None:
    if delimiter == point:
        return
    data = read(csv(tmp_path, written(delimiter, point, end, quote)))
    assert data.columns == ("a", "b")
    assert rows(data) == sorted(ROWS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    data = read(csv(tmp_path, mark + written("\t", ".").encode(encoding)))
    assert data.columns == ("a", "b")
    assert rows(data) == sorted(ROWS)


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("sep=;\na;b\n1,5;2\n3;4\n", ("a", "b"), [[1.5, 2], [3, 4]]),
        ("a\n1,5\n2,5\n", ("a",), [[1.5], [2.5]]),
        ("a\n1.5\n2\n", ("a",), [[1.5], [2]]),
        (
            "weight, kg;height, m\n1,5;2,5\n3,5;4\n",
            ("weight, kg", "height, m"),
            [[1.5, 2.5], [3.5, 4]],
        ),
        ('"a,b";c\n1;2\n3;4\n', ("a,b", "c"), [[1, 2], [3, 4]]),
        ("a, b\n1, 2\n3, 4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("a;b\n1,234;2\n5,678;3\n", ("a", "b"), [[1.234, 2], [5.678, 3]]),
        ("größe;b\n1;2\n3;4\n", ("größe", "b"), [[1, 2], [3, 4]]),
        ('a,"b\nc"\n1,2\n3,4\n', ("a", "b\nc"), [[1, 2], [3, 4]]),
    ],
)
def test_odd_headers_and_numbers_are_read_as_meant(
    tmp_path: Path, text: str, columns: tuple[str, ...], expected: list[list[float]]
) -> None:
    data = read(csv(tmp_path, text))
    assert data.columns == columns
    np.testing.assert_allclose(rows(data), expected, rtol=1e-6)


def test_text_beside_numbers_leaves_the_delimiter_what_it_is(tmp_path: Path) -> None:
    text = "name;note;a;b\nx;1,2, and 3;1,5;2\ny;none, really;3;4\n"
    assert rows(read(csv(tmp_path, text), "a", "b")) == [[1.5, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\n1,234\t2\n5,678\t3\n", "column 'a'.*invalid value '1,234'"),  # thousands? decimals?
        ("a;b\n1.234,5;2\n1;2\n", "column 'a'.*invalid value '1.234,5'"),
        ("a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("a;a\n1;2\n3;4\n", "more than one column is 'a'"),
        ("a;;b\n1;2;3\n", "column 1 has no name; leave it out: columns=a,b"),
        ("1;2\n3;4\n", "the first line holds numbers"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read(csv(tmp_path, text))


def test_names_that_are_numbers_are_names_where_the_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    parquet.write_table(pa.table({"2019": [1.0, 2.0], "2020": [3.0, 5.0]}), path)
    assert read(path).columns == ("2019", "2020")
    text = csv(tmp_path, "2019,2020\n1,3\n2,5\n")
    assert read(text, "2020", "2019").columns == ("2020", "2019")


def test_an_index_that_pandas_wrote_is_no_column_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    table = pa.table({"a": [1.0, 2.0], "a.b": [3.0, 4.0], "__index_level_0__": [7, 9]})
    told = b'{"index_columns": ["__index_level_0__"], "columns": [], "column_indexes": []}'
    parquet.write_table(table.replace_schema_metadata({"pandas": told}), path)
    data = read(path)
    assert data.columns == ("a", "a.b")
    assert data.notes == ("the table's index is left out: __index_level_0__",)
    assert rows(data) == [[1, 3], [2, 4]]
    assert read(path, "__index_level_0__", "a").columns == ("__index_level_0__", "a")


SECONDS = 1.7e9 + np.arange(40)  # float32 counts them in steps of 128


@pytest.mark.parametrize("room", [Room(), Room(memory=64)], ids=["in memory", "in a file"])
@pytest.mark.parametrize("form", ["csv", "parquet", "npy", "npy of integers"])
def test_what_float32_cannot_tell_apart_is_refused_with_the_reason(
    tmp_path: Path, form: str, room: Room
) -> None:
    value = np.random.default_rng(0).normal(size=40)
    source = "arrays" if form.startswith("npy") else "table"
    if form == "csv":
        lines = zip(SECONDS, value, strict=True)
        path = csv(tmp_path, "t,x\n" + "".join(f"{t},{x}\n" for t, x in lines))
    elif form == "parquet":
        path = tmp_path / "table.parquet"
        parquet.write_table(pa.table({"t": SECONDS, "x": value}), path)
    else:
        path = tmp_path / "table.npy"
        array = np.stack([SECONDS, 100 * value], 1)
        np.save(path, array.astype(np.int64) if form == "npy of integers" else array)
    with pytest.raises(DataError) as refused:
        read(path, source=source, room=room)
    said = str(refused.value)
    assert "column 't'" in said or "column 0" in said
    assert "runs from 1700000000 to 1700000039" in said
    assert "steps of 128" in said
    assert "take a constant off it first, for example 1700000000" in said


@pytest.mark.parametrize(
    "column",
    [
        SECONDS - 1.7e9,
        1.7e9 + 86400.0 * np.arange(40),
        np.float64(1.7e9) + np.zeros(40),
        np.random.default_rng(0).normal(size=40),
        np.append(np.zeros(39), 1e12),
        128.0 * np.arange(40) + 1.7e9,
    ],
    ids=["centred", "days", "one value", "normal", "an outlier", "float32's own steps"],
)
def test_other_numbers_are_not(tmp_path: Path, column: NDArray[np.float64]) -> None:
    path = tmp_path / "table.npy"
    np.save(path, np.stack([column, np.arange(40.0)], 1))
    assert len(read(path, source="arrays").train) == 30


def test_a_column_in_tiny_units_is_no_column_of_one_value(tmp_path: Path) -> None:
    farads = np.random.default_rng(0).normal(3e-12, 1e-13, 40)
    np.save(tmp_path / "table.npy", np.stack([farads, np.arange(40.0)], 1))
    data = read(tmp_path / "table.npy", source="arrays")
    encoded = build_vae(RunConfig(likelihood="gaussian"), data).units.standardize(data.train[:])
    assert 0.5 < float(encoded[:, 0].std()) < 2
    np.save(tmp_path / "table.npy", np.stack([farads * 1e-28, np.arange(40.0)], 1))
    with pytest.raises(DataError, match=r"spread by less than float32 can divide by.*: 0"):
        build_vae(RunConfig(likelihood="gaussian"), read(tmp_path / "table.npy", source="arrays"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_labels_are_read_from_the_same_tables(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(8, 2)))
    data = read(tmp_path / "rows.npy", source="arrays")
    names = ["tea", "café"] * 4
    lines = ["row", "kind"], *([str(row), name] for row, name in enumerate(names))
    text = "".join(delimiter.join(line) + "\n" for line in lines)
    labels = labels_from(csv(tmp_path, text.encode(encoding)), "kind", data)
    assert labels.names == ("café", "tea")
    assert data.kept is not None
    assert [labels.names[number] for number in labels.numbers.tolist()] == [
        names[row] for row in data.kept.tolist()
    ]
