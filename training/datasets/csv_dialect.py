"""How a file of comma-separated values is written: by commas or not, and what its decimals are."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

DELIMITERS = (",", ";", "\t", "|")
LOOKED_AT = 1 << 16  # bytes of the file
LINES = 100
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What Excel is told by a first line of its own.
SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n")
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(,\d{3})+\s*")
DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*")


class Dialect(NamedTuple):
    """What a reader has to be told."""

    delimiter: str
    decimal_point: str
    encoding: str
    skipped_lines: int


def dialect_of(path: Path) -> Dialect:
    """The dialect that the first lines are written in; OSError where they cannot be read."""
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
        whole = not file.read(1)
    encoding = "utf-16" if start.startswith(UTF16) else "utf8"
    text = start.decode(encoding, "replace").removeprefix("\ufeff")
    told = SEPARATOR_LINE.match(text)
    text = text[told.end() :] if told else text
    if not whole:
        text = text.rpartition("\n")[0]
    read = {name: _rows(text, name) for name in ((told[1],) if told else DELIMITERS)}
    delimiter = told[1] if told else _delimiter(read)
    return Dialect(delimiter, _decimal_point(read[delimiter], delimiter), encoding, int(bool(told)))


def _rows(text: str, delimiter: str) -> list[list[str]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    try:
        for row in lines:
            if row:
                rows.append(row)
            if len(rows) == LINES:
                break
    except csv.Error:
        pass  # said, with its line, where all of the file is read
    return rows


def _delimiter(read: dict[str, list[list[str]]]) -> str:
    """That which divides the header, all lines alike, and into the most numbers."""
    dividing = {name: rows for name, rows in read.items() if rows and len(rows[0]) > 1}
    if not dividing:
        # One column. Its numbers may have commas: they would be divided by a comma.
        divided = any(len(row) > 1 for row in read[","])
        return ";" if divided else ","

    def score(name: str) -> tuple[bool, float, int]:
        header, *rows = dividing[name]
        fields = [field for row in rows for field in row]
        numbers = sum(_is_number(field, name) for field in fields)
        alike = all(len(row) == len(header) for row in rows)
        return alike, numbers / max(len(fields), 1), len(header)

    return max(dividing, key=score)  # the first of equals


def _is_number(field: str, delimiter: str) -> bool:
    try:
        float(field)
    except ValueError:
        return delimiter != "," and DECIMAL_COMMA.fullmatch(field) is not None
    return True


def _decimal_point(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """A comma where some numbers have one that divides no thousands, and none has a point."""
    fields = [field for row in rows[1:] for field in row]
    if delimiter == "," or any(DECIMAL_POINT.fullmatch(field) for field in fields):
        return "."
    commas = [field for field in fields if DECIMAL_COMMA.fullmatch(field)]
    # Behind semicolons there is a comma for the decimals: that is why there are semicolons.
    clear = delimiter == ";" or not all(THOUSANDS.fullmatch(field) for field in commas)
    return "," if commas and clear else "."
