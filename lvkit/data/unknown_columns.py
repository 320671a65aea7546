"""Columns that lvkit does not know, and what they probably are.

A column that is not a known benchmark becomes a feature. That is right for a count of layers
and wrong for scores: those of a benchmark that lvkit does not know, in fractions or in percent, or
numbers that a stray sign has turned into text. Dates are features of a kind that is hardly ever
meant: a formula reads each date as a category of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pandas as pd

from lvkit.data.cells import (
    column_numbers,
    first_few,
    is_blank,
    parse_number,
    show_cell,
    without_rounding,
)

_FEWEST = 4  # cells that tell percentages from other numbers
_MOSTLY = 0.8  # share of numbers in a column that is meant to hold numbers
_LARGEST = 20.0  # a benchmark in percent has a score above this

_ERRORS = frozenset({"stderr", "stdev", "sem", "ci95"})
_LAST = frozenset({"se", "sd", "std", "ci", "err", "error", "var", "lower", "upper"})
# fmt: off
_QUANTITY = frozenset(
    {
        "age", "b", "billions", "batch", "co2", "context", "cost", "day", "days", "depth",
        "dim", "epochs", "flops", "gb", "gpu", "heads", "hours", "kg", "kwh", "layers",
        "length", "loss", "lr", "memory", "million", "money", "mb", "params", "perplexity",
        "ppl", "price", "rank", "ratio", "released", "seconds", "size", "steps", "t",
        "temperature", "time", "tokens", "usd", "vocab", "watts", "width", "year", "years",
    }
)
# fmt: on
"""Words in the name of a column that holds a quantity other than scores."""

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    r"(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])(?:[-/.]\d{1,2}(?:[t ].*)?)?"  # 2024-02, 2024-02-29T08
    r"|\d{1,2}([-/.])\d{1,2}\1(?:19|20)\d\d|\d{1,2}/\d{1,2}/\d\d"  # 29.02.2024, 2/29/24
    rf"|(?:\d{{1,2}}(?:st|nd|rd|th|\.)?[- ])?{_MONTH},?[- ]?'?(?:\d\d|(?:19|20)\d\d)"  # Feb 2024
    rf"|{_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d"  # February 29, 2024
    r"|(?:19|20)\d\d[- ]?q[1-4]|q[1-4][- /]?(?:19|20)\d\d",  # 2024Q1
    re.IGNORECASE,
)
_DIGITS = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:\.0)?")  # 20240229


def unknown_column_notes(frame: pd.DataFrame, settled: Collection[str]) -> Iterator[str]:
    """Yield notes on the columns that are read as features and are probably something else.

    Parameters
    ----------
    frame : DataFrame
        The table.
    settled : collection of str
        Columns that are used otherwise, or are features as the user wrote.

    Examples
    --------
    >>> table = pd.DataFrame({"chess": [12.5, 31.25, 44.1, 80.1], "layers": [12, 24, 32, 80]})
    >>> print(*unknown_column_notes(table, ()))
    column 'chess': numbers from 0 to 100 but no chance level, so read as a feature, not as a
    benchmark. Give a benchmark its chance level (1/choices; 0 for free answers):
    benchmarks={'chess': 0.25}, in a shell --benchmarks with a CSV file of benchmark and chance; or
    say that it is a feature: benchmarks={'chess': None}
    """
    columns = [str(name) for name in frame.columns if name not in settled]
    fractions = [name for name in columns if _is_fraction(frame[name])]
    percent = [n for n in columns if n not in fractions and _is_percent(n, frame[n])]
    errors = [name for name in (*fractions, *percent) if _is_standard_error(name)]
    for names, highest in ((fractions, 1), (percent, 100)):
        if names := [name for name in names if name not in errors]:
            yield _benchmark_note(names, highest)
    for name in errors:
        yield (
            f"column '{name}': by its name the standard error of a score, read as a feature. "
            f"Delete the column, or say that it is a feature: benchmarks={{{name!r}: None}}"
        )
    yield from (note for name in columns if (note := _text_note(name, frame[name])))


def _benchmark_note(names: list[str], highest: int) -> str:
    """Say which columns look like benchmarks, and how the user can say what they are."""
    shown = first_few([f"'{name}'" for name in names])
    return (
        f"column{'s' * (len(names) > 1)} {shown}: numbers from 0 to {highest} but no chance level, "
        "so read as a feature, not as a benchmark. Give a benchmark its chance level "
        "(1/choices; 0 for free answers): "
        f"benchmarks={dict.fromkeys(names[:5], 0.25)}, in a shell --benchmarks with a CSV file of "
        f"benchmark and chance; or say that it is a feature: benchmarks={dict.fromkeys(names[:5])}"
    )


def _is_fraction(column: pd.Series) -> bool:
    """Return whether a column holds numbers from 0 to 1 only, and not only 0 and 1 (yes or no)."""
    values, text = column_numbers(column)
    values = without_rounding(values[~np.isnan(values)])
    inside = not text and bool(((values >= 0) & (values <= 1)).all())
    return inside and not np.isin(values, (0.0, 1.0)).all()


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", str(name).lower()) if word]


def _is_standard_error(name: str) -> bool:
    words = _words(name)
    return bool(_ERRORS.intersection(words)) or (words[-1:] != [] and words[-1] in _LAST)


def _is_percent(name: str, column: pd.Series) -> bool:
    """Return whether a column looks like scores in percent: most of them with decimals."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    numbers = column.dropna().to_numpy(float)
    if len(numbers) < _FEWEST or _QUANTITY.intersection(_words(name)):
        return False
    split = (numbers % 1 != 0).mean()
    return bool(numbers.min() >= 0 and _LARGEST < numbers.max() <= 100 and split >= 0.5)


def _text_note(name: str, column: pd.Series) -> str:
    """Return a note on a column of text that is meant to hold numbers, or an empty text."""
    cells = [cell for cell in column if not is_blank(cell)]
    if len(cells) < _FEWEST or not all(isinstance(cell, str) for cell in cells):
        return ""
    text = [cell for cell in cells if parse_number(cell) is None]
    marked = [cell for cell in text if _without_marks(cell) is not None]
    if not text or len(cells) - len(text) + len(marked) < _MOSTLY * len(cells):
        return ""
    remedy = (
        "write decimals with a point and no % sign" if marked else "correct it, or leave it blank"
    )
    return (
        f"column '{name}': {len(text)} of {len(cells)} cells, such as {show_cell(text[0])}, cannot "
        f"be read as a number, so the column is text, each value a category; {remedy}"
    )


def _without_marks(cell: str) -> float | None:
    """Return a number that was written with a decimal comma or a percent sign."""
    return parse_number(cell.strip().rstrip("%").rstrip().replace(",", ".", 1))


def date_notes(models: pd.DataFrame, settled: Collection[str]) -> Iterator[str]:
    """Yield a note for each feature that holds dates.

    Examples
    --------
    >>> print(*date_notes(pd.DataFrame({"released": ["2023-05-01", "2024-01-15"]}), ()))
    column 'released': dates, such as '2023-05-01', and a formula reads each date as a category of
    its own. For a formula, write a number instead, such as the year (2023.3)
    """
    for name in models.columns:
        cells = [] if name in settled else [c for c in models[name].unique() if not is_blank(c)]
        if cells and all(_is_date(cell) for cell in cells):
            text = isinstance(cells[0], str)
            each = "each date as a category of its own" if text else "them as plain numbers"
            yield (
                f"column '{name}': dates, such as '{cells[0] if text else int(cells[0])}', and a "
                f"formula reads {each}. For a formula, write a number instead, such as the year "
                "(2023.3)"
            )


def _is_date(cell: Any) -> bool:
    text = str(cell).strip()
    return (_DATE if isinstance(cell, str) else _DIGITS).fullmatch(text) is not None
