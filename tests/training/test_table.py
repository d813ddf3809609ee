"""Tables of numbers with named columns, good and bad."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import torch
from pyarrow import parquet

from model_store import ModelId, load
from training.__main__ import main
from training.datasets import DATASETS, Dataset, Request
from training.errors import DataError
from training.run import run

TEXT = "height,weight,age\n1.5,60,30\n1.75,70,31\n2.0,80,32\n1.25,50,33\n"


def read(path: Path, *columns: str) -> Dataset:
    return DATASETS["table"](Request(path, held_out=0.25, columns=columns))


def csv(folder: Path, text: str) -> Path:
    path = folder / "people.csv"
    path.write_text(text)
    return path


def written(folder: Path, **columns: Any) -> Path:  # noqa: ANN401 (what pyarrow takes)
    path = folder / "people.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


def all_rows(data: Dataset) -> list[list[float]]:
    rows: list[list[float]] = torch.cat([data.train[:], data.test[:]]).tolist()
    return sorted(rows)


def test_a_csv_file_becomes_vectors_with_names(tmp_path: Path) -> None:
    data = read(csv(tmp_path, TEXT))
    assert (data.kind, data.shape, data.name) == ("vectors", (3,), "people")
    assert data.columns == ("height", "weight", "age")
    assert (len(data.train), len(data.test)) == (3, 1)
    assert all_rows(data) == [[1.25, 50, 33], [1.5, 60, 30], [1.75, 70, 31], [2.0, 80, 32]]


def test_the_same_numbers_in_every_format_are_the_same_data(tmp_path: Path) -> None:
    columns = {
        "a": [1.5, 2.5, 3.5, -4.5],
        "b": [1, 2, 3, 4],
        "c": [Decimal("0.5"), Decimal("1.5")] * 2,
    }
    table = read(written(tmp_path, **columns))
    lines = [f"{a},{b},{c}" for a, b, c in zip(*columns.values(), strict=True)]
    text = read(csv(tmp_path, "\n".join(["a,b,c", *lines])))
    np.save(tmp_path / "rows.npy", np.array(list(columns.values()), np.float64).T)
    array = DATASETS["arrays"](Request(tmp_path / "rows.npy", held_out=0.25))
    assert table.digest() == text.digest() == array.digest()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_are_taken_by_name_in_the_order_that_is_asked_for(
    tmp_path: Path, suffix: str
) -> None:
    columns = {"name": ["x", "y"], "a": [1.0, 2.0], "b": [3.0, 4.0]}
    text = "name,a,b\nx,1,3\ny,2,4\n"
    path = written(tmp_path, **columns) if suffix == "parquet" else csv(tmp_path, text)
    data = read(path, "b", "a")
    assert data.columns == ("b", "a")
    assert all_rows(data) == [[3, 1], [4, 2]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n3,x\n", r"column 'b'.*invalid value 'x'; leave it out: columns=a$"),
        ("a,b\n1,2\n3,true\n", "column 'b'"),
        ("a,b\n1,2\n3,\n", r"row 1 \(the first is 0\) of column 'b' is missing"),
        ("a,b\n1,2\nnan,4\n", "row 1 .* of column 'a' is missing or not finite"),
        ("a,b\n1,2\n3,1e99\n", "row 1 .* of column 'b' is missing or not finite"),
        ("a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("1,2\n3,4\n", "the first line holds numbers"),
        (",a\n0,1\n1,2\n", "column 0 has no name; leave it out: columns=a"),
        ("a,a\n1,2\n3,4\n", "more than one column is 'a'"),
        ("a,b\n", r"0 row\(s\) cannot be split"),
        ("a,b\n1,2\n", r"1 row\(s\) cannot be split"),
        ("", "Empty CSV file"),
        ("\x00\xff", "cannot be read"),
    ],
)
def test_a_bad_table_is_refused_with_column_row_and_remedy(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(DataError, match=expected) as refused:
        read(csv(tmp_path, text))
    assert "people.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_columns_of_parquet_that_are_no_numbers_are_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, a=[1.0, 2.0], city=["x", "y"])
    with pytest.raises(
        DataError, match=r"column 'city' holds string, not numbers; leave it out: columns=a$"
    ):
        read(path)
    assert read(path, "a").columns == ("a",)


def test_a_missing_value_of_parquet_is_refused_by_row_and_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2 .* of column 'b' is missing"):
        read(written(tmp_path, a=[1, 2, 3], b=[1, 2, None]))


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_damaged_parquet_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "people.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"people\.parquet: cannot be read"):
        read(path)


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'size'; it has height, weight, age"):
        read(csv(tmp_path, TEXT), "size")


def test_other_files_are_refused_with_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "people.xlsx").write_text("x")
    with pytest.raises(DataError, match=r"people\.xlsx is not a \.csv, \.tsv or \.parquet file"):
        read(tmp_path / "people.xlsx")


def people(folder: Path) -> Path:
    """Two columns of very different units, which follow each other; and numbers of rows."""
    draw = np.random.default_rng(0)
    height = draw.normal(1.7, 0.1, 300)
    grams = 90_000 * (height - 0.9) + draw.normal(0, 500, 300)
    rows = zip(range(300), height, grams, strict=True)
    lines = [f"{number},{metres},{weight}" for number, metres, weight in rows]
    return csv(folder, "\n".join(["row,height,grams", *lines]))


def test_a_table_goes_all_the_way_and_the_model_speaks_its_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [f"data={people(tmp_path)}", f"store={tmp_path}", f"out={tmp_path / 'out'}"]
    taken = ["source=table", "columns=height,grams", "epochs=60", "nll_samples=5"]
    outcome = run("vectors", [*where, *taken])
    assert outcome.published == ModelId("vectors", 1)
    checkpoint = load(tmp_path, outcome.published)
    assert checkpoint.manifest.data.columns == ("height", "grams")
    x = torch.tensor([[1.6, 63_000.0], [1.8, 81_000.0]])
    back = checkpoint.decode(checkpoint.encode(x)[0])
    deviations = torch.tensor([0.1, 9000.0])
    assert float(((back - x) / deviations).abs().max()) < 0.5

    words = ["evaluate", "vectors", "--store", str(tmp_path), "--data", str(tmp_path / "moved.csv")]
    # The same columns in another order, which are found by their names.
    header, *lines = (tmp_path / "people.csv").read_text().splitlines()
    turned = [",".join(reversed(line.split(","))) for line in (header, *lines)]
    (tmp_path / "moved.csv").write_text("\n".join(turned))
    assert main([*words, "--samples", "5"]) == 0
    said = capsys.readouterr().out
    assert f"{outcome.figures[0].value:.3f}" in said
    assert "note: these are not the rows" not in said


def test_a_column_of_one_value_is_refused_by_name(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,c\n" + "\n".join(f"{row},7,{-row}" for row in range(9)))
    words = ["source=table", f"data={path}", "publish=false", f"out={tmp_path / 'out'}"]
    with pytest.raises(DataError, match=r"1 of 3 columns hold one value throughout.*leave out b"):
        run("vectors", words)
