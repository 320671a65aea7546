"""Cells of a table: what a cell says, where it stands, and how to speak about it.

Tables come with blanks, with ``NA`` written out, with numbers kept as text. These small functions
say what one cell means, in one way for every reader, and :class:`Places` remembers where it stood
in the file, so that a message can point at it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_BLANK = frozenset({"", "na", "n/a", "nan", "<na>", "null"})
_ROUNDING = 1e-9  # relative to the largest score
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


@dataclass(frozen=True)
class Places:
    """Where the rows and columns of a table stand in the file it came from.

    Attributes
    ----------
    lines : sequence of int, optional
        The line of each row; by default the first row stands on line 2, below the header.
    columns : mapping, optional
        The file's own name of a column, where it differs.
    """

    lines: Sequence[int] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def renamed(self, columns: Mapping[str, str]) -> Places:
        """Return the places with further columns under the file's own names."""
        return Places(self.lines, {**self.columns, **columns})

    def line(self, position: int) -> int:
        """Return the line of a row."""
        return position + 2 if self.lines is None else self.lines[position]

    def row(self, position: int, model: str = "") -> str:
        """Return the place of a row, with the model's name if it is known."""
        line = self.line(position)
        return f"row {line} (model '{model}')" if model else f"row {line}"

    def column(self, name: str) -> str:
        """Return the place of a column, under the file's own name for it."""
        return f"column '{self.columns.get(name, name)}'"


def is_blank(cell: Any) -> bool:
    """Return whether a cell is missing: nothing, NaN, or a text such as ``NA``."""
    if isinstance(cell, str):
        return cell.strip().lower() in _BLANK
    if isinstance(cell, np.generic):
        cell = cell.item()
    return cell is None or cell is pd.NA or cell is pd.NaT or (cell != cell) is True


def parse_number(cell: Any) -> float | None:
    """Return a cell as a number, NaN where it is missing, None where it is not a number.

    Examples
    --------
    >>> parse_number(" 0.5 "), parse_number("NA"), parse_number("half")
    (0.5, nan, None)
    """
    if is_blank(cell):
        return math.nan
    if isinstance(cell, (bool, np.bool_, complex)) or (isinstance(cell, str) and "_" in cell):
        return None
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return number


def column_numbers(column: pd.Series) -> tuple[npt.NDArray[np.float64], list[int]]:
    """Return a column as numbers, NaN where there is none, and the rows that hold something else.

    Examples
    --------
    >>> column_numbers(pd.Series([" 0.5 ", "NA", "half"]))
    (array([0.5, nan, nan]), [2])
    """
    kind = column.dtype
    if pd.api.types.is_float_dtype(kind) or pd.api.types.is_integer_dtype(kind):
        return column.to_numpy(dtype=float, na_value=np.nan, copy=True), []
    numbers = [parse_number(cell) for cell in column]
    text = [row for row, number in enumerate(numbers) if number is None]
    return np.array([math.nan if n is None else n for n in numbers], dtype=float), text


def without_rounding(values: npt.NDArray[np.float64], most: float = 1.0) -> npt.NDArray[np.float64]:
    """Return scores from 0 to `most`; what lies outside by a rounding error only becomes the end.

    Examples
    --------
    >>> without_rounding(np.array([-1e-17, 0.5, 1.0000000000000002, 1.2]))
    array([0. , 0.5, 1. , 1.2])
    """
    values = np.where((values < 0) & (values >= -_ROUNDING * most), 0.0, values)
    return np.where((values > most) & (values <= most * (1 + _ROUNDING)), most, values)


def parse_flag(cell: Any) -> bool | None:
    """Return a cell that says true or false as a bool, None where it says neither."""
    return _TRUTH.get(str(cell).strip().lower())


def as_flags(flags: Sequence[bool | None]) -> pd.Series:
    """Return flags as booleans, or as the nullable kind where some are missing."""
    return pd.Series(flags, dtype="boolean" if None in flags else bool)


def close_name(name: str, choices: Sequence[str]) -> str:
    """Return the choice that `name` all but spells, letter case and separators aside."""
    plain = {bare_name(choice): choice for choice in choices}
    found = difflib.get_close_matches(bare_name(name), plain, n=1, cutoff=0.8)
    return plain[found[0]] if found else ""


def bare_name(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def show_cell(cell: Any) -> str:
    """Return a cell as a message shows it, cut where it is long."""
    text = repr(cell)
    return text if len(text) <= 40 else text[:37] + "..."


def show_number(value: float) -> str:
    """Return a number as a message shows it: never as a valid score that it is not.

    Examples
    --------
    >>> show_number(1 / 3), show_number(1.00000002)
    ('0.333333', '1.00000002')
    """
    text = f"{value:.6g}"
    cut = float(text) in (0.0, 1.0, 100.0) and float(text) != value
    return repr(float(value)) if cut else text


def text_remedy(cells: Sequence[Any]) -> str:
    """Return what to do about cells that should be numbers."""
    if any(isinstance(cell, str) and "," in cell for cell in cells):
        return "Write decimals with a point."
    if any(isinstance(cell, str) and "%" in cell for cell in cells):
        return "Write fractions, not percent."
    return "Correct the cell or leave it blank."


def content_digest(tables: Iterable[pd.DataFrame]) -> str:
    """Return the sha256 of a canonical text of some tables, the same on every machine."""
    parts = []
    for table in tables:
        columns = {str(name): _json_cells(table[name]) for name in table}
        parts.append([[str(name) for name in table.index], columns])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _json_cells(column: pd.Series) -> list[bool | float | str | None]:
    """Return the cells of a column as JSON knows them; whatever is missing becomes None."""
    if column.dtype == float:
        numbers = (column.to_numpy() + 0.0).tolist()  # there is one zero only
        return [number if number == number else None for number in numbers]
    flags = pd.api.types.is_bool_dtype(column)
    return [None if is_blank(cell) else bool(cell) if flags else str(cell) for cell in column]
