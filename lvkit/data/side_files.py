"""Sidecars: the two small files that may stand beside a table of scores.

One says which family each model belongs to, for tables that do not; the other gives the chance
level of benchmarks that lvkit does not know. Both are CSV files with a header, short enough to be
written by hand, and so likely to hold a slip of the hand.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lvkit.data.cells import text_remedy
from lvkit.data.csv_and_parquet import parse_csv
from lvkit.data.names import name_text
from lvkit.errors import LvkitError, Problem, nearest

if TYPE_CHECKING:
    import pandas as pd


def family_rule(text: str | None) -> str | dict[str, str] | None:
    """Return a rule for families as the library takes it, from what was typed in a shell.

    Parameters
    ----------
    text : str or None
        ``from_name``, the name of a column, or the path of a CSV file for :func:`read_families`.

    Returns
    -------
    str, dict or None
        The content of the file if it is one, otherwise `text`.

    Examples
    --------
    >>> family_rule("from_name")
    'from_name'
    """
    if text is not None and (text.lower().endswith(".csv") or os.path.isfile(text)):
        return read_families(text)
    return text


def read_families(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Read which family each model belongs to.

    Parameters
    ----------
    path : path-like
        A CSV file with the columns ``model`` and ``family``; others are ignored.

    Returns
    -------
    dict
        Family by model, to be given as ``family=`` to :func:`lvkit.read_panel`.

    Raises
    ------
    LvkitError
        If the file cannot be read, lacks a column, leaves a cell blank or names a model twice.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "families.csv"
    ...     _ = path.write_text("model,family\ngpt2-large,gpt2\ngpt2-xl,gpt2\n")
    ...     read_families(path)
    {'gpt2-large': 'gpt2', 'gpt2-xl': 'gpt2'}
    """
    rows = _read(path, ("model", "family"))
    problems: list[Problem] = []
    families: dict[str, str] = {}
    for line, row in rows:
        model, family = name_text(row["model"]), name_text(row["family"])
        where = f"'{path}', line {line}"
        if not model or not family:
            problems.append(Problem("a blank cell", where, "a model and its family"))
        elif families.get(model, family) != family:
            seen = f"'{model}' is given the families '{families[model]}' and '{family}'"
            problems.append(Problem(seen, where, "one family", "Keep one of the two lines."))
        else:
            families[model] = family
    if problems:
        raise LvkitError.from_problems(problems)
    return families


def read_benchmarks(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the chance levels of benchmarks.

    Parameters
    ----------
    path : path-like
        A CSV file with the columns ``benchmark`` and ``chance`` (the score of guessing, from 0 to
        1; ``none`` for a column that is a feature and no benchmark) and, if you like, ``label``,
        ``n_items``, ``leaderboard`` and ``what``.

    Returns
    -------
    DataFrame
        As the file has it, to be given as ``benchmarks=`` to :func:`lvkit.read_panel`, which checks
        the values.

    Raises
    ------
    LvkitError
        If the file cannot be read, lacks a column, or a chance level or number of items is no
        number.
    """
    import pandas as pd

    rows = _read(path, ("benchmark", "chance"))
    table = pd.DataFrame([row for _, row in rows])
    for column in table.columns.intersection(["chance", "n_items"]):
        numbers = pd.to_numeric(table[column], errors="coerce")
        feature = table[column].str.lower().eq("none") & (column == "chance")
        wrong = numbers.isna() & table[column].ne("") & ~feature
        if wrong.any():
            line = rows[int(wrong.to_numpy().argmax())][0]
            cell = table[column][wrong].iloc[0]
            raise LvkitError(
                f"got '{cell}'",
                where=f"'{path}', line {line}, column '{column}'",
                expected="a number",
                remedy=text_remedy([cell]),
            )
        if feature.any():
            numbers = numbers.astype(object)
            numbers[feature] = None
        table[column] = numbers
    return table


def _read(path: str | os.PathLike[str], needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a small CSV file, each with the line it begins on."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        encoding = isinstance(error, UnicodeDecodeError)
        seen = "this is not text in UTF-8" if encoding else getattr(error, "strerror", error)
        raise LvkitError(
            f"cannot read the file ({seen})",
            where=f"'{path}'",
            expected=f"a CSV file with the columns {_listed(needed)}",
        ) from error
    try:
        table = parse_csv(text)
    except LvkitError as error:
        raise LvkitError.from_problems([_located(p, path) for p in error.problems]) from error
    columns = [name_text(name) for name in table.frame.columns]
    for name in needed:
        if columns.count(name) != 1:
            raise LvkitError(
                f"column '{name}' appears {columns.count(name)} times"
                if name in columns
                else f"no column '{name}'",
                where=f"'{path}', line 1",
                expected=f"a header with {_listed(needed)}",
                remedy=nearest(name, columns).strip(),
            )
    if not len(table.frame):
        raise LvkitError("a header and no rows", where=f"'{path}'", expected="one row at least")
    cells = table.frame.to_numpy().tolist()
    rows = [{c: cell.strip() for c, cell in zip(columns, row, strict=True) if c} for row in cells]
    return [(table.places.line(at), row) for at, row in enumerate(rows)]


def _located(problem: Problem, path: str | os.PathLike[str]) -> Problem:
    """Return a problem of a table with the file and the line it is in."""
    where = problem.where.replace("row ", "line ").replace("header", "line 1")
    return replace(problem, where=f"'{path}'" + (f", {where}" if where else ""))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
