"""Files opened: from bytes to a table whose cells are still as written.

What can go wrong before a cell is looked at goes wrong here: no such file, a folder, an empty file,
another encoding or separator, a row that is too short, a Parquet file that was cut off. Each row
keeps the line it began on, so that whoever reads the cells can say where they stand.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lvkit.data.cells import Places, as_flags, is_blank, parse_number
from lvkit.data.names import name_text, plain_name
from lvkit.errors import LvkitError, Problem, nearest
from lvkit.spreadsheet import as_written

_SHOWN = 10
_TITLE = 5  # lines that may stand above a table
_MOST_CELLS = 20_000_000  # a small file may unpack to more than the memory holds
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "|"}


class Table(NamedTuple):
    """Cells as they stand in a file, and where.

    Attributes
    ----------
    frame : DataFrame
        The cells; text in a CSV file, anything in a Parquet file.
    places : Places
        Where its rows stand.
    """

    frame: pd.DataFrame
    places: Places


def open_table(path: Path, content: bytes | None = None) -> Table:
    """Return the table in a file, whatever its kind.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes, optional
        Its bytes, where they are at hand; the path then only names it. None reads them.

    Raises
    ------
    LvkitError
        If it cannot be read, or is none of the kinds lvkit knows.
    """
    kind = path.suffix.lower()
    if kind != ".csv" and not is_parquet(path):
        raise LvkitError(
            f"a file of the kind '{kind or path.name}'",
            where=f"'{path}'",
            expected="a name that ends in .csv, .parquet or .pq",
            remedy="Save the table as CSV (UTF-8, commas) or Parquet.",
        )
    content = _content(path) if content is None else content
    if not content.strip():
        raise LvkitError("the file is empty", where=f"'{path}'", expected="a header and rows")
    try:
        return parse_csv(_decoded(content)) if kind == ".csv" else _parse_parquet(content)
    except LvkitError as error:
        raise LvkitError.from_problems(
            [
                Problem(
                    p.seen, f"'{path}'" + (f", {p.where}" if p.where else ""), p.expected, p.remedy
                )
                for p in error.problems
            ]
        ) from error


def is_parquet(path: Path) -> bool:
    """Return whether a file says by its name that it is Parquet."""
    return path.suffix.lower() in (".parquet", ".pq")


def _content(path: Path) -> bytes:
    """Return the bytes of a file, or say why there are none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        try:
            others = [file.name for file in path.parent.iterdir()]
        except OSError:
            others = []
        hint = nearest(path.name, others).strip() or "Check the name and the folder."
        raise LvkitError("there is no such file", where=f"'{path}'", remedy=hint) from error
    except (OSError, ValueError) as error:
        folder = os.path.isdir(path)
        seen = "that is a folder" if folder else f"cannot be read: {error}"
        remedy = "Give the name of a file in it." if folder else ""
        raise LvkitError(seen, where=f"'{path}'", remedy=remedy) from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LvkitError(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            where=f"line {line}",
            expected="text in UTF-8",
            remedy="Save the file again with the encoding UTF-8.",
        ) from error


def parse_csv(text: str) -> Table:
    """Return the cells of a CSV file as text, and the line each row begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    begins = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([as_written(cell) for cell in row])
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise LvkitError(f"not a CSV file: {error}", where=f"line {reader.line_num}") from error
    if not rows:
        raise LvkitError("the file is empty", expected="a header and rows")
    _check_separator(rows)
    body = rows[1:]
    header = _without_empty_end(rows[0], body)
    _check_shape(header, body, lines[1:])
    cells = np.empty((len(body), len(header)), dtype=object)
    for i, row in enumerate(body):
        cells[i] = row[: len(header)]
    return Table(pd.DataFrame(cells, columns=header, dtype=object), Places(lines[1:]))


def _check_separator(rows: list[list[str]]) -> None:
    """Refuse other separators than commas; a title may stand above such a table."""
    header = rows[0]
    if "model" in map(plain_name, header):
        return
    for row in rows[:_TITLE] if len(header) == 1 else [header]:
        for mark, name in _SEPARATORS.items():
            if sum(cell.count(mark) for cell in row) >= len(row):
                _refuse_separator(name)
    if len(header) == 1 and {"model", "benchmark"} & set(header[0].split()):
        _refuse_separator("spaces")


def _refuse_separator(name: str) -> None:
    raise LvkitError(
        f"the columns are separated by {name}",
        where="header",
        expected="commas",
        remedy="Save the table again as CSV: commas between the columns, points in the numbers.",
    )


def _without_empty_end(header: list[str], body: list[list[str]]) -> list[str]:
    """Return the header without the empty columns that commas at the ends of lines make."""
    width = len(header)
    while (
        width > 1
        and not header[width - 1].strip()
        and not any(row[width - 1].strip() for row in body if len(row) >= width)
    ):
        width -= 1
    return header[:width]


def _check_shape(header: list[str], body: list[list[str]], lines: list[int]) -> None:
    """Refuse rows longer or shorter than the header."""
    width = len(header)
    wrong = [
        (line, row)
        for line, row in zip(lines, body, strict=True)
        if len(row) < width or any(cell.strip() for cell in row[width:])
    ]
    problems = [
        Problem(
            f"{len(row)} {'cell' if len(row) == 1 else 'cells'}",
            f"row {line}",
            f"{width}, as in the header",
            _length_remedy(row, width),
        )
        for line, row in wrong[:_SHOWN]
    ]
    if len(wrong) > _SHOWN:
        problems.append(Problem(f"{len(wrong) - _SHOWN} more rows of the wrong length"))
    if problems:
        raise LvkitError.from_problems(problems)


def _length_remedy(row: list[str], width: int) -> str:
    """Return what has probably made a row longer or shorter than the header."""
    if len(row) < width:
        return "Write a comma for each blank cell too; or is the file cut off?"
    cells = [cell.strip() for cell in row]
    pairs = [pair for pair in itertools.pairwise(cells) if all(map(str.isdecimal, pair))]
    if not pairs:
        return "Put quotes around a cell that holds a comma."
    whole, rest = min(pairs, key=lambda pair: pair[0] != "0")
    if whole != "0" and len(whole) < 4 and len(rest) == 3:
        written = f"{whole}{rest} without a thousands separator, or {whole}.{rest}"
    else:
        written = f"{whole}.{rest}, with a decimal point"
    return f"If '{whole},{rest}' is one number, write {written}."


def _parse_parquet(content: bytes) -> Table:
    """Return the table in a Parquet file; its rows count from 1."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise LvkitError(
            "reading Parquet needs pyarrow, which is not installed",
            remedy="Install lvkit[parquet], or save the table as CSV.",
        ) from error
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        cells = file.metadata.num_rows * file.metadata.num_columns
        frame = file.read().to_pandas() if cells <= _MOST_CELLS else None
    except Exception as error:  # pyarrow has many errors for one thing: a damaged file
        first = str(error).split("\n")[0]
        raise LvkitError(
            f"not a whole Parquet file: {first}",
            expected="a file written to its end",
            remedy="Copy or write the file again.",
        ) from error
    if frame is None:
        raise LvkitError(
            f"the table has {cells:,} cells",
            expected=f"at most {_MOST_CELLS:,}",
            remedy="Keep one row per model, and only the columns that you need.",
        )
    if frame.index.name == "model" and "model" not in frame.columns:
        frame = frame.reset_index()
    return Table(frame, Places(range(1, len(frame) + 1)))


def with_types(frame: pd.DataFrame, names: Collection[str] = ()) -> pd.DataFrame:
    """Turn columns of text that hold nothing but numbers, or true and false, into such.

    Columns that hold names stay text: '001' and '1', or '1.1' and '1.10', are different names.
    """
    columns = [
        frame.iloc[:, i] if name_text(column) in names else _typed(frame.iloc[:, i])
        for i, column in enumerate(frame.columns)
    ]
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1)


def _typed(column: pd.Series) -> pd.Series:
    """Return a column of text as numbers or flags if all its cells are; else as it is."""
    cells: list[Any] = list(column)
    given = [cell for cell in cells if not is_blank(cell)]
    if not given or not all(isinstance(cell, str) for cell in given):
        return column
    numbers = [parse_number(cell) for cell in cells]
    if None not in numbers:
        return pd.Series(numbers, dtype=float)
    if {cell.strip().lower() for cell in given} <= {"true", "false"}:
        known = [None if is_blank(cell) else cell.strip().lower() == "true" for cell in cells]
        return as_flags(known)
    return column
