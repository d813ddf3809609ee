"""Tables of numbers with named columns, .csv or .parquet; the only file that knows pyarrow.

pyarrow is imported where it is used: it takes longer than all of this room's own modules.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from training.datasets.dataset import Dataset, Request, rows_of, split, wanted_path
from training.datasets.gathering import gather
from training.datasets.rows import Array
from training.errors import DataError

WANTED = "a .csv or .parquet file of numbers whose columns have names"
ROWS = 1 << 16  # of a parquet file at a time
Batches = Iterator[Any]
"""Record batches of pyarrow, which has no types."""


def load(request: Request) -> Dataset:
    """Vectors [D] of the columns that are asked for, in that order; all without `columns`."""
    path = wanted_path(request, "table", WANTED)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise DataError(f"{path} is not {WANTED}")
    with _naming(path, []):
        names, batches = (_csv if suffix == ".csv" else _parquet)(path, request.columns)
    array = gather(_numbers(batches, names, path), (len(names),), np.float32, request.room)
    parts = split(rows_of(array, "vectors", str(path), request.room), request, str(path))
    return Dataset(
        path.stem, "vectors", parts.train, parts.test, columns=tuple(names), kept=parts.kept
    )


def _csv(path: Path, columns: tuple[str, ...]) -> tuple[list[str], Batches]:
    from pyarrow import csv, float32  # type: ignore[import-untyped]  # noqa: PLC0415

    alone = csv.ReadOptions(use_threads=False)
    header = csv.open_csv(path, read_options=alone).schema.names
    names = _chosen(header, columns, path)
    wanted = csv.ConvertOptions(column_types=dict.fromkeys(names, float32()), include_columns=names)

    def batches() -> Batches:
        with _naming(path, header):
            yield from csv.open_csv(path, read_options=alone, convert_options=wanted)

    return names, batches()


def _parquet(path: Path, columns: tuple[str, ...]) -> tuple[list[str], Batches]:
    from pyarrow import parquet, types  # noqa: PLC0415

    file = parquet.ParquetFile(path)
    names = _chosen(file.schema_arrow.names, columns, path)
    kinds = {name: file.schema_arrow.field(name).type for name in names}
    numeric = (types.is_integer, types.is_floating, types.is_decimal)
    others = [name for name, kind in kinds.items() if not any(test(kind) for test in numeric)]
    if others:
        what = f"column {others[0]!r} holds {kinds[others[0]]}, not numbers"
        raise DataError(f"{path}: {what}; {_remedy(names, others)}")

    def batches() -> Batches:
        with _naming(path, names):
            yield from file.iter_batches(ROWS, columns=names, use_threads=False)

    return names, batches()


def _chosen(header: list[str], columns: tuple[str, ...], path: Path) -> list[str]:
    names = list(columns) or header
    if all(_is_number(name) for name in header):
        raise DataError(f"{path}: the first line holds numbers, not the columns' names: add a line")
    absent = [name for name in names if name not in header]
    if absent:
        raise DataError(f"{path}: there is no column {absent[0]!r}; it has {', '.join(header)}")
    if "" in names:
        raise DataError(f"{path}: column {names.index('')} has no name; {_remedy(names, [''])}")
    repeated = [name for name in names if header.count(name) + names.count(name) > 2]
    if repeated:
        raise DataError(f"{path}: more than one column is {repeated[0]!r}: give each its own name")
    return names


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _numbers(batches: Batches, names: list[str], path: Path) -> Iterator[Array]:
    """Each batch as finite float32 [n, D], the columns in the order of the names."""
    rows = 0
    for batch in batches:
        columns = [batch.column(name).cast("float64", safe=False) for name in names]
        # What is missing becomes NaN; what float32 cannot hold, infinite.
        with np.errstate(over="ignore"):
            array = np.stack(
                [column.to_numpy(zero_copy_only=False) for column in columns], 1
            ).astype(np.float32)
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            row, column = bad[0]
            raise DataError(
                f"{path}: row {rows + row} (the first is 0) of column {names[column]!r} is missing "
                "or not finite: fill or remove such rows"
            )
        rows += len(array)
        yield array


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
        raise DataError(f"{path}: cannot be read as {WANTED}: {said}") from error


def _remedy(names: list[str], without: list[str]) -> str:
    return f"leave it out: columns={','.join(name for name in names if name not in without)}"
