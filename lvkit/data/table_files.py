"""CSV and Parquet files: from bytes to a table whose cells are still as written, and back.

What can go wrong before a cell is looked at goes wrong here: no such file, a folder, an empty file,
another encoding or separator, a row that is too short, a Parquet file that was cut off. Each row
keeps the line it began on, so that whoever reads the cells can say where they stand. CSV files are
written so that they are safe to open in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lvkit.data.cells import Places, column_flags, column_numbers, name_text, plain_name
from lvkit.errors import LvkitError, Problem, count, nearest

_SHOWN = 10
_TITLE = 5  # lines that may stand above a table
_MOST_CELLS = 20_000_000  # a small file may unpack to more than the memory holds
# What a spreadsheet may take for a formula, also behind blanks and apostrophes: the signs, their
# wide forms, and a tab or line end, behind which some programs look for one.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "|"}


class Table(NamedTuple):
    """Cells as they stand in a file, and where.

    Attributes
    ----------
    frame : DataFrame
        The cells; text in a CSV file, anything in a Parquet file.
    places : Places
        Where its rows and columns stand.
    notes : tuple of str
        What was left out or converted.
    """

    frame: pd.DataFrame
    places: Places
    notes: tuple[str, ...] = ()


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
    return _parsed(path, content, _parse_parquet if is_parquet(path) else _parse_csv)


def open_csv(path: Path) -> Table:
    """Return the table in a CSV file, whatever its name ends in."""
    return _parsed(path, None, _parse_csv)


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet by its name."""
    return path.suffix.lower() in (".parquet", ".pq")


def _parsed(path: Path, content: bytes | None, parse: Callable[[bytes], Table]) -> Table:
    """Return the table in a file; whatever is wrong with it names the file."""
    try:
        content = _content(path) if content is None else content
        if not content.strip():
            raise LvkitError("the file is empty", expected="a header and rows")
        return parse(content)
    except LvkitError as error:
        file = f"'{path}'"
        located = [
            replace(p, where=", ".join(filter(None, (file, p.where)))) for p in error.problems
        ]
        raise LvkitError.from_problems(located) from error


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
        raise LvkitError("there is no such file", remedy=hint) from error
    except (OSError, ValueError) as error:
        folder = Problem("that is a folder", remedy="Give the name of a file in it.")
        raise LvkitError(folder if os.path.isdir(path) else f"cannot be read: {error}") from error


def _parse_csv(content: bytes) -> Table:
    try:
        return parse_csv(content.decode("utf-8-sig"))
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
    expected = f"{width}, as in the header"
    problems = [
        Problem(count(len(row), "cell"), f"row {line}", expected, _length_remedy(row, width))
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
    numbers, text = column_numbers(column)
    blank = bool(np.isnan(numbers).all())
    if not text:
        return column if blank else pd.Series(numbers)
    flags, other = column_flags(column) if blank else (column, text)
    return column if other else flags


# -- safe CSV ----------------------------------------------------------------------------------
# A spreadsheet takes a cell that begins with =, +, - or @ for a formula, and a formula can send
# data away or start a program. Names come from data, and data may come from anybody. So every text
# that begins like a formula is written with an apostrophe before it, which spreadsheets read as
# "this is text"; the reader above takes the apostrophe away again.


def neutralised(cell: Any) -> Any:
    """Return a cell as a spreadsheet may have it; what is no text stays as it is.

    Examples
    --------
    >>> [neutralised(cell) for cell in ("=1+1", "gpt-2", "-0.5", -0.5, "'@me")]
    ["'=1+1", 'gpt-2', '-0.5', -0.5, "''@me"]
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def as_written(cell: str) -> str:
    """Return a text before :func:`neutralised` put an apostrophe before it.

    Examples
    --------
    >>> [as_written(cell) for cell in ("'=1+1", "gpt-2", "-0.5", "'quoted'", "''@me")]
    ['=1+1', 'gpt-2', '-0.5', "'quoted'", "'@me"]
    """
    if cell.startswith("'") and neutralised(cell[1:]) == cell:
        return cell[1:]
    return cell


def csv_text(frame: pd.DataFrame, *, index: bool = False) -> str:
    r"""Return a table as the text of a CSV file that is safe to open in a spreadsheet.

    Parameters
    ----------
    frame : DataFrame
        The table.
    index : bool
        Whether its index is a column of the file.

    Returns
    -------
    str
        In every text of it, and in every name of a column, what begins like a formula is
        neutralised. Numbers are numbers.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"model": ["=1+1"], "-mmlu": [-0.5]}))
    "model,'-mmlu\n'=1+1,-0.5\n"
    """
    table = frame.reset_index() if index else frame
    columns = [_neutralised(table.iloc[:, number]) for number in range(table.shape[1])]
    safe = pd.concat(columns, axis=1) if columns else table
    safe.columns = pd.Index([neutralised(name) for name in table.columns], dtype=object)
    return safe.to_csv(index=False, lineterminator="\n")


def _neutralised(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return column
    cells = [neutralised(cell) for cell in column]
    return pd.Series(cells, index=column.index, dtype=object)
