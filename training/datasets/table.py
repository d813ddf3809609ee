"""Tables of numbers with named columns, .csv or .parquet; the only file that knows pyarrow.

pyarrow is imported where it is used: it takes longer than all of this room's own modules.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from training.datasets.csv_dialect import dialect_of
from training.datasets.dataset import Dataset, Request, rows_of, shown, split, wanted_path
from training.datasets.gathering import gather
from training.datasets.rounding import Rounding
from training.datasets.rows import Array
from training.errors import DataError

WANTED = "a .csv, .tsv or .parquet file of numbers whose columns have names"
ROWS = 1 << 16  # of a parquet file at a time
Batches = Iterator[Any]
"""Record batches of pyarrow, which has no types."""


def load(request: Request) -> Dataset:
    """Vectors [D] of the columns that are asked for, in that order; all without `columns`."""
    path = wanted_path(request, "table", WANTED)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".tsv", ".parquet"} or not path.is_file():
        raise DataError(f"{shown(path)} is not {WANTED}")
    with _naming(path, []), path.open("rb") as file:
        read = (_parquet if suffix == ".parquet" else _csv)(file, path, request.columns)
        numbers = _numbers(read, path)
        array = gather(numbers, (len(read.names),), np.float32, request.room)
    rows = rows_of(array, "vectors", shown(path), request.room)
    parts = split(rows, request, shown(path))
    return Dataset(
        shown(path.stem),
        "vectors",
        parts.train,
        parts.test,
        columns=tuple(read.names),
        notes=read.notes,
        kept=parts.kept,
    )


class _Read(NamedTuple):
    names: list[str]
    """Of the columns that are taken, as they are called here."""
    header: list[str]
    """The same of all."""
    stored: list[str]
    """Of those that are taken, as the file has them."""
    batches: Batches
    notes: tuple[str, ...] = ()


def _csv(file: BinaryIO, path: Path, columns: tuple[str, ...]) -> _Read:
    from pyarrow import csv, float64  # type: ignore[import-untyped]  # noqa: PLC0415

    dialect = dialect_of(path)
    reading = csv.ReadOptions(
        use_threads=False, encoding=dialect.encoding, skip_rows=dialect.skipped_lines
    )
    parsing = csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)
    known = csv.open_csv(file, reading, parsing).schema.names
    header = [name.strip() for name in known]
    if not columns and all(_is_number(name) for name in header):
        raise DataError(
            f"{shown(path)}: the first line holds numbers, not the columns' names: add a line, or "
            "name the columns by columns=… if these are their names"
        )
    names = _chosen(header, columns, path)
    stored = [known[header.index(name)] for name in names]
    wanted = csv.ConvertOptions(
        column_types=dict.fromkeys(stored, float64()),
        include_columns=stored,
        decimal_point=dialect.decimal_point,
    )

    def batches() -> Batches:
        file.seek(0)
        with _naming(path, header):
            yield from csv.open_csv(file, reading, parsing, wanted)

    return _Read(names, header, stored, batches())


def _parquet(file: BinaryIO, path: Path, columns: tuple[str, ...]) -> _Read:
    from pyarrow import parquet, types  # noqa: PLC0415

    table = parquet.ParquetFile(file)
    header = table.schema_arrow.names
    # What pandas writes of an index is no column: row numbers, mostly.
    told = (table.schema_arrow.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in header if name in told] if not columns else []
    names = _chosen(header, columns or tuple(name for name in header if name not in index), path)
    kinds = {name: table.schema_arrow.field(name).type for name in names}
    numeric = (types.is_integer, types.is_floating, types.is_decimal)
    others = [name for name, kind in kinds.items() if not any(test(kind) for test in numeric)]
    if others:
        what = f"column {others[0]!r} holds {kinds[others[0]]}, not numbers"
        raise DataError(f"{shown(path)}: {what}; {_remedy(names, others)}")

    def batches() -> Batches:
        with _naming(path, names):
            yield from table.iter_batches(ROWS, columns=names, use_threads=False)

    notes = (f"the table's index is left out: {', '.join(index)}",) if index else ()
    return _Read(names, header, names, batches(), notes)


def _chosen(header: list[str], columns: tuple[str, ...], path: Path) -> list[str]:
    names = list(columns) or header
    file = shown(path)
    absent = [name for name in names if name not in header]
    if absent:
        raise DataError(f"{file}: there is no column {absent[0]!r}; it has {', '.join(header)}")
    if "" in names:
        raise DataError(f"{file}: column {names.index('')} has no name; {_remedy(names, [''])}")
    repeated = [name for name in names if header.count(name) + names.count(name) > 2]
    if repeated:
        raise DataError(f"{file}: more than one column is {repeated[0]!r}: give each its own name")
    return names


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _numbers(read: _Read, path: Path) -> Iterator[Array]:
    """Each batch as finite float32 [n, D], the columns in the order of the names."""
    rows, rounding = 0, Rounding(len(read.names))
    for batch in read.batches:
        columns = [batch.column(name).cast("float64", safe=False) for name in read.stored]
        # What is missing becomes NaN; what float32 cannot hold, infinite.
        exact = np.stack([column.to_numpy(zero_copy_only=False) for column in columns], 1)
        with np.errstate(over="ignore"):
            array = exact.astype(np.float32)
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            row, column = bad[0]
            raise DataError(
                f"{shown(path)}: row {rows + row} (the first is 0) of column "
                f"{read.names[column]!r} is missing or not finite, or beyond float32's ±3.4e38: "
                "fill or remove such rows"
            )
        rounding.add(exact)
        rows += len(array)
        yield array
    rounding.refuse(shown(path), lambda column: f"column {read.names[column]!r}")


@contextmanager
def _naming(path: Path, header: list[str]) -> Iterator[None]:
    """Turn pyarrow's errors into one that names the file, and the column where it can."""
    from pyarrow import ArrowException  # noqa: PLC0415

    try:
        yield
    except (ArrowException, UnicodeDecodeError, OSError) as error:
        said, found = str(error), re.search(r"CSV column #(\d+)", str(error))
        if found:
            column = header[int(found[1])]
            said = f"{said.replace(found[0], f'column {column!r}')}; {_remedy(header, [column])}"
        raise DataError(f"{shown(path)}: cannot be read as {WANTED}: {said}") from error


def _remedy(names: list[str], without: list[str]) -> str:
    return f"leave it out: columns={','.join(name for name in names if name not in without)}"
