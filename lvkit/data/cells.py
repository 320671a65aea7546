"""Cells of a table: numbers, flags and names, and where they stand in the file.

Tables come with blanks, with ``NA`` written out, with numbers kept as text. These functions say
what one cell or one column means, in the same way for every reader. :class:`Places` remembers where
a cell stands in its file, so that a message can point at it.

Names of models, families, lineages and benchmarks are compared letter by letter. Two names that
look the same on the screen must therefore be the same text. :func:`name_text` turns a cell into a
name: 1000 and 1000.0 become ``"1000"``, accents are composed (NFC), runs of spaces become one
space, and invisible characters are removed. Whatever that changes is reported. Names that differ
in more than this, but only in case or spaces, stay different and are reported too.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, Problem

Floats = npt.NDArray[np.float64]

_BLANK = frozenset({"", "na", "n/a", "nan", "<na>", "null"})
_ROUNDING = 1e-9  # relative to the largest score
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
UNIT = r"(k|m|b|t|mn|mio|bn|bil|tn|thousands?|millions?|billions?|trillions?)"
"""A unit of sizes, as a regular expression; its first letter tells which one it is."""
_WITH_UNIT = re.compile(
    rf"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*{UNIT}\.?\s*(?:params?|parameters|tokens)?", re.I
)

_HIDDEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Characters without a shape that Unicode counts as letters, marks or symbols."""

_JOINERS = "\u200c\u200d"
_JOINER_IN_SCRIPT = re.compile(f"(?<=[^\x00-\x7f\\s])[{_JOINERS}](?=[^\x00-\x7f\\s])")
"""A joiner between letters of a script that needs it, such as Persian or Hindi, or in an emoji."""


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


def parse_number(cell: Any, units: Mapping[str, float] | None = None) -> float | None:
    """Return a cell as a number, NaN where it is missing, None where it is not a number.

    Parameters
    ----------
    cell : object
        The cell.
    units : mapping, optional
        The factor of each unit that may follow the number, by the first letter of the unit.

    Examples
    --------
    >>> parse_number(" 0.5 "), parse_number("NA"), parse_number("half")
    (0.5, nan, None)
    >>> parse_number("560M", {"m": 1e-3, "b": 1.0}), parse_number("560M")
    (0.56, None)
    """
    if is_blank(cell):
        return math.nan
    if isinstance(cell, str) and units and (match := _WITH_UNIT.fullmatch(cell.strip())):
        return float(match[1]) * units[match[2][0].lower()]
    if isinstance(cell, (bool, np.bool_, complex)) or (isinstance(cell, str) and "_" in cell):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def column_numbers(
    column: pd.Series, units: Mapping[str, float] | None = None
) -> tuple[Floats, list[int]]:
    """Return a column as numbers, NaN where there is none, and the rows that hold something else.

    Each text that occurs in the column is parsed once.

    Examples
    --------
    >>> column_numbers(pd.Series([" 0.5 ", "NA", "half"]))
    (array([0.5, nan, nan]), [2])
    """
    kind = column.dtype
    if pd.api.types.is_float_dtype(kind) or pd.api.types.is_integer_dtype(kind):
        return column.to_numpy(dtype=float, na_value=np.nan, copy=True), []
    cells = list(column)
    texts = {cell: parse_number(cell, units) for cell in {c for c in cells if type(c) is str}}
    numbers = [texts[c] if type(c) is str else parse_number(c, units) for c in cells]
    other = [row for row, number in enumerate(numbers) if number is None]
    return np.array(numbers, dtype=float), other


def column_flags(column: pd.Series) -> tuple[pd.Series, list[int]]:
    """Return a column as true, false or missing, and the rows that hold something else.

    Examples
    --------
    >>> column_flags(pd.Series([" TRUE ", 0, "NA", "half"]))[1]
    [3]
    """
    cells = list(column)
    flags = [_TRUTH.get(str(cell).strip().lower()) for cell in cells]
    other = [row for row, flag in enumerate(flags) if flag is None and not is_blank(cells[row])]
    return pd.Series(flags, dtype="boolean" if None in flags else bool), other


def without_rounding(values: Floats, most: float = 1.0) -> Floats:
    """Return scores from 0 to `most`; what lies outside by a rounding error only becomes the end.

    Examples
    --------
    >>> without_rounding(np.array([-1e-17, 0.5, 1.0000000000000002, 1.2]))
    array([0. , 0.5, 1. , 1.2])
    """
    values = np.where((values < 0) & (values >= -_ROUNDING * most), 0.0, values)
    return np.where((values > most) & (values <= most * (1 + _ROUNDING)), most, values)


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


def first_few(texts: Sequence[object], most: int = 5, separator: str = ", ") -> str:
    """Return the first of some texts, and how many more there are.

    Examples
    --------
    >>> first_few(["ant", "bee", "cat"], most=2)
    'ant, bee and 1 more'
    """
    more = f"{separator.rstrip(', ')} and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(map(str, texts[:most])) + more


# -- names -------------------------------------------------------------------------------------


def plain_name(text: str) -> str:
    r"""Return a name in its one spelling.

    Accents are composed (NFC), runs of spaces of any kind become one space, spaces at the ends and
    invisible characters (zero-width, control and format characters) are removed.

    Examples
    --------
    >>> plain_name(" cafe\u0301\u00a0 one\u200b")
    'café one'
    """
    if "  " not in text and text.isprintable() and (text.isascii() or _is_plain(text)):
        return text.strip()
    text = " ".join(text.split())
    kept = {match.start() for match in _JOINER_IN_SCRIPT.finditer(text)}
    visible = (
        letter
        for at, letter in enumerate(text)
        if at in kept or unicodedata.category(letter) not in ("Cc", "Cf")
    )
    text = unicodedata.normalize("NFC", _HIDDEN.sub("", "".join(visible)))
    return " ".join(text.split())


def _is_plain(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text) and not _HIDDEN.search(text)


def name_text(cell: Any) -> str:
    """Return a cell as a name, an empty text where it is missing.

    Blanks are missing, and so are the texts that stand for missing values in all columns, such as
    ``NA``, ``nan`` and ``null``.

    Examples
    --------
    >>> name_text(1000.0), name_text("1.10"), name_text(" NA ")
    ('1000', '1.10', '')
    """
    if isinstance(cell, str):
        text = plain_name(cell)
        return "" if len(text) < 5 and is_blank(text) else text
    if is_blank(cell):
        return ""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    if isinstance(cell, bytes):
        return plain_name(cell.decode("utf-8", "replace"))
    return plain_name(str(cell))


def no_name(cell: Any, what: str = "name") -> str:
    """Return what a cell holds that is no name.

    Examples
    --------
    >>> no_name("NA", "family"), no_name(None)
    ("got 'NA', which stands for a missing family", 'got no name')
    """
    if isinstance(cell, str) and plain_name(cell):
        return f"got {cell!r}, which stands for a missing {what}"
    return f"got no {what}"


def by_name(mapping: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return a mapping with names as keys.

    Raises
    ------
    LvkitError
        If two keys are one name and say different things.

    Examples
    --------
    >>> by_name({1000: "ant", "b ": "bee"}, "family")
    {'1000': 'ant', 'b': 'bee'}
    """
    out: dict[str, Any] = {}
    written: dict[str, Any] = {}
    problems = []
    for key, value in mapping.items():
        name = name_text(key)
        if name in out and str(out[name]) != str(value):
            problems.append(
                Problem(
                    f"got {written[name]!r} and {key!r}, which are one name ('{name}'), with "
                    f"different values ({out[name]!r} and {value!r})",
                    where,
                    "each name once",
                    "Delete one of the two.",
                )
            )
        out.setdefault(name, value)
        written.setdefault(name, key)
    if problems:
        raise LvkitError.from_problems(problems)
    return out


def name_notes(kind: str, cells: Sequence[Any], names: Sequence[str]) -> Iterator[str]:
    """Yield what a reader of a table may want to know about its names.

    Parameters
    ----------
    kind : str
        What is named, in the plural: ``"families"``.
    cells : sequence
        The names as they were written.
    names : sequence of str
        The same as :func:`name_text` returns them.

    Yields
    ------
    str
        One note on names whose spelling was changed, one on a name that may be Python's word for a
        missing value, and one on names that differ only in case or spaces.

    Examples
    --------
    >>> list(name_notes("families", ["Ant", "ant"], ["Ant", "ant"]))
    ["families that differ only in case or spaces: 'Ant' and 'ant'; they are different families"]
    """
    changed = {
        cell: name
        for cell, name in zip(cells, names, strict=True)
        if isinstance(cell, str) and name and cell != name and cell.strip(" \t") != name
    }
    if changed:
        shown = [f"{cell!a} as '{name}'" for cell, name in changed.items()]
        yield (
            f"{kind} read without invisible characters, repeated spaces or split accents: "
            f"{first_few(shown, 3)}"
        )
    if "None" in names:
        yield f"{kind} named 'None': leave the cell blank if the name is missing"
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(_folded(name), []).append(name)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if alike:
        rule = f"{kind} that differ only in case or spaces"
        yield f"{rule}: {first_few(alike, 3)}; they are different {kind}"


def _folded(name: str) -> str:
    """Return a name without case, spaces and joiners, full-width letters as plain ones."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
        for joiner in _JOINERS:
            name = name.replace(joiner, "")
    return name.replace(" ", "").casefold()


def number_names(column: pd.Series) -> str:
    """Return a note on names that came as numbers with decimals, or an empty text.

    As a number 1.10 is 1.1, and two names may have become one before lvkit could see them.

    Examples
    --------
    >>> number_names(pd.Series([1.5, 2.0], name="family"))
    "column 'family': the names are numbers, such as 1.5, ...; give them as text"
    """
    if not pd.api.types.is_float_dtype(column):
        return ""
    split = [cell for cell in column.dropna().unique() if not float(cell).is_integer()]
    if not split:
        return ""
    return (
        f"column '{column.name}': the names are numbers, such as {split[0]:g}, so 1.1 and 1.10 are "
        "one name; give them as text"
    )
