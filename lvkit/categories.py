"""Categories: columns of text among the features, one number for each of their values.

A column of a few labels, such as ``dense`` and ``moe``, is a useful feature. A column of dates,
of numbers that were read as text or of remarks is not: each of its values would become a feature
of its own, most of them for a single model. Such columns are refused with the way out.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lvkit.data.cells import is_blank
from lvkit.errors import LvkitError, nearest
from lvkit.formula import as_name

_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = (
    r"(19|20)\d\d[-/. ](0?[1-9]|1[0-2])([-/. ]\d{1,2})?([t ].*)?",  # 2023-05-01 12:00
    r"\d{1,2}[-/. ]\d{1,2}[-/. ]((19|20)?\d\d)",  # 1.5.2023, 5/1/23
    r"\d{1,2}[-/ ](19|20)\d\d",  # 05/2023
    rf"(\d{{1,2}}\.?[- ])?{_MONTH}[- ,']*(\d{{1,2}},? )?((19|20)?\d\d)",  # 1 May 2023, May 1, 2023
    rf"(19|20)\d\d[- ]{_MONTH}([- ]\d{{1,2}})?",  # 2023 May
    r"(19|20)\d\d[- ]?q[1-4]|q[1-4][- ]?(19|20)\d\d",  # 2023-Q1
    r"(19|20)\d\d\s*[年년].*",
)
_DATE = re.compile("|".join(_DATES), re.IGNORECASE)
_NUMBER = re.compile(r"[-+~<>≈]?\s*\d[\d.,'_ \u00a0\u202f]*(e[-+]?\d+)?\s*%?", re.IGNORECASE)
_LONGEST = 80  # characters of a label


def is_text(column: pd.Series) -> bool:
    """Return whether a column holds anything but numbers and flags."""
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def as_categories(column: pd.Series) -> list[Any]:
    """Return the cells of a column as texts, NaN where they are blank."""
    return [float("nan") if is_blank(cell) else _spelt(cell) for cell in column]


def _spelt(cell: Any) -> str:
    """Return a cell as text; a day without a time is shown as a day."""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return str(cell.date())
    return str(cell)


def check_categories(name: str, cells: Iterable[Any], *, chosen: bool) -> tuple[Any, ...]:
    """Return the values of a feature made of categories, sorted; refuse it where it makes no sense.

    Parameters
    ----------
    name : str
        The feature.
    cells : iterable
        A value for each model.
    chosen : bool
        Whether the formula asks for categories, by ``C(...)``. Otherwise the column only happens to
        hold text, and dates, numbers and long texts are refused as well.

    Returns
    -------
    tuple

    Raises
    ------
    LvkitError
        If most models have a value of their own, if there is one value, and for columns that are
        not meant as categories.

    Examples
    --------
    >>> check_categories("kind", ["moe", "dense", "moe"], chosen=False)
    ('dense', 'moe')
    """
    counts = pd.Series(list(cells), dtype=object).value_counts()
    values = tuple(sorted(counts.index))
    if len(values) == 1:
        raise _senseless(name, f"holds '{values[0]}' for all models", "", "Leave it out.")
    if not chosen:
        _check_meant(name, [str(value) for value in values])
    if (counts == 1).sum() > counts.sum() / 2:
        raise _senseless(
            name,
            f"has {len(values)} different values for {counts.sum()} models",
            "a number, or a few labels that several models share",
            "Leave it out, or group its values in a column of labels.",
        )
    return values


def _check_meant(name: str, values: list[str]) -> None:
    """Refuse text that is not meant as labels."""
    kinds = {
        "dates": ([v for v in values if _DATE.fullmatch(v.strip())], "such as the year"),
        "numbers written as text": (
            [v for v in values if _NUMBER.fullmatch(v.strip())],
            "written without signs, units and separators",
        ),
    }
    for kind, (hits, such) in kinds.items():
        if 2 * len(hits) >= len(values):
            raise _senseless(
                name,
                f"holds {kind} (such as '{hits[0]}'), so that each of its {len(values)} values "
                "would become a feature of its own",
                f"a column of numbers, {such}",
                f"Add such a column and use it instead, or write C({as_name(name)}) if the "
                "values are meant as labels.",
            )
    longest = max(values, key=len)
    if len(longest) > _LONGEST:
        raise _senseless(
            name,
            f"holds long texts (such as '{longest[:30]}…')",
            f"numbers, or labels of at most {_LONGEST} characters",
            "Add a column with short labels, or leave it out.",
        )


def _senseless(name: str, got: str, expected: str, remedy: str) -> LvkitError:
    return LvkitError(f"column '{name}' {got}", where="features", expected=expected, remedy=remedy)


def check_learned(name: str, cells: pd.Series, learned: Iterable[Any]) -> None:
    """Refuse values that no fitted model has.

    Parameters
    ----------
    name : str
        The feature.
    cells : Series
        A value for each model, indexed by model.
    learned : iterable
        The values of the fitted models.

    Raises
    ------
    LvkitError
        For the first value that is not among them.
    """
    known = tuple(learned)
    for model, cell in cells.items():
        if cell not in known:
            shown = [str(value) for value in known]
            raise LvkitError(
                f"got '{cell}', which no fitted model has",
                where=f"model '{model}', column '{name}'",
                expected="one of " + ", ".join(shown[:12]) + (", …" if len(shown) > 12 else ""),
                remedy=nearest(str(cell), shown).strip(),
            )
