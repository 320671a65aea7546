"""Spreadsheets: tables as CSV files that are safe to open in one, and read back as they were.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and a
formula can send data away or start a program. Names come from data, and data may come from anybody.
So every text that begins like a formula is written with an apostrophe before it, which spreadsheets
read as "this is text"; lvkit's reader takes the apostrophe away again.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

# What a spreadsheet may take for a formula, also behind blanks and apostrophes: the signs, their
# wide forms, and a tab or line end, behind which some programs look for one.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


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
