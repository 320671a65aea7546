"""Files in, panels out: CSV and Parquet, in lvkit's layout or as the leaderboard exports them.

A file is read in three steps that know nothing of each other: bytes to a table whose cells are
still as written, with the line each row stands on; a leaderboard export to lvkit's layout; the
table to a panel, through the one door of :mod:`lvkit.validation`.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from lvkit.cells import Places, as_flags, is_blank, parse_number
from lvkit.errors import LvkitError, LvkitWarning, Problem, nearest
from lvkit.header import BenchmarksLike, FamilyLike
from lvkit.leaderboard import convert, is_export
from lvkit.panel import Panel
from lvkit.validation import validated

__all__ = ["CheckReport", "Layout", "check_file", "panel_from_csv", "read_panel"]

Layout = Literal["auto", "lvkit", "leaderboard"]

_ROWS_SHOWN = 10


class _Table(NamedTuple):
    """Cells as they stand in a file, and where."""

    frame: pd.DataFrame
    places: Places


@dataclass(frozen=True)
class CheckReport:
    """What :func:`check_file` found.

    Attributes
    ----------
    path : str
        The file.
    panel : Panel or None
        The panel it holds; None where something is wrong.
    problems : tuple of Problem
        What is wrong, each with its place and remedy; empty for a good file.
    notes : tuple of str
        What is worth knowing of a good file: rows left out, columns taken for features.
    """

    path: str
    panel: Panel | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the file holds a panel."""
        return self.panel is not None


def read_panel(
    path: str | os.PathLike[str],
    *,
    family: FamilyLike = None,
    benchmarks: BenchmarksLike = None,
    layout: Layout = "auto",
    drop_invalid: bool = False,
) -> Panel:
    """Return the panel in a CSV or Parquet file.

    Parameters
    ----------
    path : path-like
        A file whose name ends in ``.csv`` (UTF-8, commas), ``.parquet`` or ``.pq``.
    family : None, "from_name", str, mapping or callable
        Where the family comes from; see :meth:`lvkit.Panel.from_frame`.
    benchmarks : mapping or DataFrame, optional
        Benchmarks lvkit does not know, with their chance levels.
    layout : "auto", "lvkit" or "leaderboard"
        lvkit's layout, or that of the Open LLM Leaderboard's exports; "auto" looks at the columns.
    drop_invalid : bool
        Leave out rows with an unusable cell, with a warning that lists them, instead of refusing
        the file. What is wrong with a whole column is refused all the same.

    Returns
    -------
    Panel
        Rows and benchmarks in the order of the file.

    Raises
    ------
    LvkitError
        If the file cannot be read, or with everything that is wrong with the table in it.

    Warns
    -----
    LvkitWarning
        If rows were left out: further evaluations of a model in an export, or rows dropped as
        `drop_invalid` asked.
    """
    panel, notes = _read(path, family, benchmarks, layout, drop_invalid)
    for note in notes:
        warnings.warn(f"{os.fspath(path)}: {note}", LvkitWarning, stacklevel=2)
    return panel


def check_file(
    path: str | os.PathLike[str],
    *,
    family: FamilyLike = None,
    benchmarks: BenchmarksLike = None,
    layout: Layout = "auto",
    drop_invalid: bool = False,
) -> CheckReport:
    """Return what is in a file and what is wrong with it; takes what :func:`read_panel` takes."""
    try:
        panel, notes = _read(path, family, benchmarks, layout, drop_invalid)
    except LvkitError as error:
        return CheckReport(str(path), None, error.problems)
    return CheckReport(str(path), panel, (), (*notes, *_remarks(panel)))


def panel_from_csv(text: str) -> Panel:
    """Return the panel in the text of a CSV file in lvkit's layout."""
    table = _parse_csv(text)
    checked = validated(_with_types(table.frame), places=table.places)
    return Panel._of(checked.scores, checked.models, checked.benchmarks)


def _read(
    path: str | os.PathLike[str],
    family: FamilyLike,
    benchmarks: BenchmarksLike,
    layout: Layout,
    drop_invalid: bool,
) -> tuple[Panel, tuple[str, ...]]:
    """Return the panel in a file, and what was left out."""
    if layout not in ("auto", "lvkit", "leaderboard"):
        raise LvkitError(
            f"saw {layout!r}", where="layout", expected="'auto', 'lvkit' or 'leaderboard'"
        )
    if not isinstance(path, str | os.PathLike):
        raise LvkitError(
            f"saw a {type(path).__name__}",
            where="path",
            expected="the path of a CSV or Parquet file",
            remedy="For a DataFrame use Panel.from_frame.",
        )
    path = Path(path)
    table = _open(path)
    notes: tuple[str, ...] = ()
    columns = ["" if is_blank(name) else str(name).strip() for name in table.frame.columns]
    if layout == "leaderboard" or (layout == "auto" and is_export(columns)):
        frame, places, notes = convert(table.frame.set_axis(columns, axis=1), table.places)
        table = _Table(frame, places)
    frame = table.frame if _is_parquet(path) else _with_types(table.frame)
    checked = validated(
        frame,
        family=family,
        benchmarks=benchmarks,
        places=table.places,
        drop_invalid=drop_invalid,
    )
    panel = Panel._of(checked.scores, checked.models, checked.benchmarks)
    return panel, (*notes, *checked.notes)


def _remarks(panel: Panel) -> Iterator[str]:
    """Yield what the reader of a good file may want to know."""
    models = panel.models
    if "tokens_t" not in models:
        yield "no column tokens_t: fit with features='log_params'"
    elif lacking := int(models["tokens_t"].isna().sum()):
        yield f"{lacking} model(s) without tokens_t: left out of fits that use log_tokens"
    layout = ("family", "lineage", "params_b", "tokens_t")
    others = [str(name) for name in models if name not in layout]
    if others:
        yield f"columns that are features, not scores: {', '.join(others)}"
    for name in others:
        if pd.api.types.is_float_dtype(models[name]) and models[name].dropna().between(0, 1).all():
            yield (
                f"column '{name}' holds numbers from 0 to 1: if it is a benchmark, "
                f"give its chance level, benchmarks={{'{name}': 0.0}}"
            )


# -- files to tables -----------------------------------------------------------------------------


def _open(path: Path) -> _Table:
    """Return the table in a file, whatever its kind."""
    kind = path.suffix.lower()
    if kind != ".csv" and not _is_parquet(path):
        raise LvkitError(
            f"a file of the kind '{kind or path.name}'",
            where=f"'{path}'",
            expected="a name that ends in .csv, .parquet or .pq",
            remedy="Save the table as CSV (UTF-8, commas) or Parquet.",
        )
    content = _content(path)
    try:
        return _parse_csv(_decoded(content)) if kind == ".csv" else _parse_parquet(content)
    except LvkitError as error:
        raise LvkitError.from_problems(
            [
                Problem(
                    p.seen, f"'{path}'" + (f", {p.where}" if p.where else ""), p.expected, p.remedy
                )
                for p in error.problems
            ]
        ) from error


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _content(path: Path) -> bytes:
    """Return the bytes of a file, or say why there are none."""
    try:
        content = path.read_bytes()
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
    if not content.strip():
        raise LvkitError("the file is empty", where=f"'{path}'", expected="a header and rows")
    return content


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


def _parse_csv(text: str) -> _Table:
    """Return the cells of a CSV file as text, and the line each row begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    begins = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise LvkitError(f"not a CSV file: {error}", where=f"line {reader.line_num}") from error
    if not rows:
        raise LvkitError("the file is empty", expected="a header and rows")
    header, body = rows[0], rows[1:]
    _check_shape(header, body, lines[1:])
    cells = np.empty((len(body), len(header)), dtype=object)
    for i, row in enumerate(body):
        cells[i] = row[: len(header)]
    return _Table(pd.DataFrame(cells, columns=header, dtype=object), Places(lines[1:]))


def _check_shape(header: list[str], body: list[list[str]], lines: list[int]) -> None:
    """Refuse other separators than commas, and rows longer or shorter than the header."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise LvkitError(
                f"the columns are separated by {name}",
                where="header",
                expected="commas",
                remedy="Save the file again with commas between the columns.",
            )
    width = len(header)
    wrong = [
        (line, len(row))
        for line, row in zip(lines, body, strict=True)
        if len(row) < width or any(cell.strip() for cell in row[width:])
    ]
    problems = [
        Problem(
            f"{count} cells",
            f"row {line}",
            f"{width}, as in the header",
            "Put quotes around a cell that holds a comma; or is the file cut off?",
        )
        for line, count in wrong[:_ROWS_SHOWN]
    ]
    if len(wrong) > _ROWS_SHOWN:
        problems.append(Problem(f"{len(wrong) - _ROWS_SHOWN} more rows of the wrong length"))
    if problems:
        raise LvkitError.from_problems(problems)


def _parse_parquet(content: bytes) -> _Table:
    """Return the table in a Parquet file; its rows count from 1."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise LvkitError(
            "reading Parquet needs pyarrow, which is not installed",
            remedy="Install lvkit[parquet], or save the table as CSV.",
        ) from error
    try:
        frame = parquet.ParquetFile(io.BytesIO(content)).read().to_pandas()
    except Exception as error:  # pyarrow has many errors for one thing: a damaged file
        first = str(error).split("\n")[0]
        raise LvkitError(
            f"not a whole Parquet file: {first}",
            expected="a file written to its end",
            remedy="Copy or write the file again.",
        ) from error
    if frame.index.name == "model" and "model" not in frame.columns:
        frame = frame.reset_index()
    return _Table(frame, Places(range(1, len(frame) + 1)))


def _with_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of text that hold nothing but numbers, or true and false, into such."""
    columns = [_typed(frame.iloc[:, i]) for i in range(frame.shape[1])]
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
