"""Sizes and training tokens: their units, decided for whole columns.

``params_b`` counts billions and ``tokens_t`` trillions. Other units arrive in three ways: the
header states one (``params_m``), cells state one (``560M``), or nothing does and only the numbers
show it. The first two are converted and reported. The third is refused for the whole column, with
the factor, because a single cell is never in a unit of its own: sizes are compared with those in
the models' names, and tokens with what has ever been trained on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import UNIT, Floats, column_numbers, first_few, show_cell, show_number
from lvkit.data.model_names import NamedSize
from lvkit.errors import Problem


class _Quantity(NamedTuple):
    """What one of lvkit's columns counts.

    Attributes
    ----------
    unit : str
        Its unit, in the plural.
    exponent : int
        The unit is ten to this power.
    largest : float
        Nobody has trained a model of five trillion parameters, or on a hundred trillion tokens.
    raw : float
        Larger numbers are raw counts for sure.
    """

    unit: str
    exponent: int
    largest: float
    raw: float

    @property
    def base(self) -> float:
        """How many parameters or tokens the unit is."""
        return 10.0**self.exponent


_QUANTITIES = {
    "params_b": _Quantity("billions", 9, 5e3, 1e5),
    "tokens_t": _Quantity("trillions", 12, 100.0, 1e4),
}
_WORDS = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}
_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_COUNT = r"(?:(?:n|num|number of|total|model|train|training|pretraining)[ _-]?)*"
_HEADERS = {
    column: re.compile(rf"#?\s*{_COUNT}(?:{names})(?:[ _-]*[(\[]|[ _-]+)(?:in )?{UNIT}[)\]]?", re.I)
    for column, names in (
        ("params_b", "params?|parameters?|size"),
        ("tokens_t", "tokens?|data size"),
    )
}
_ALIKE = 1.5  # sizes in names are rounded: 1b stands for 0.6 to 1.5
_TOKENS_PER_PARAMETER = (0.1, 1e5)


class ColumnUnit(NamedTuple):
    """The unit of a column of sizes or tokens, as its header states it.

    Attributes
    ----------
    own : str
        The file's name of the column.
    factor : float
        What its numbers are multiplied by.
    unit : str
        Its unit, in the plural.
    """

    own: str
    factor: float
    unit: str


OWN_UNITS = {column: ColumnUnit(column, 1.0, own.unit) for column, own in _QUANTITIES.items()}
"""The units of lvkit's own columns."""


def header_units(
    columns: Sequence[str], settled: Collection[str]
) -> tuple[dict[str, ColumnUnit], tuple[str, ...]]:
    """Return the columns whose headers state a unit, by the column of lvkit that they hold.

    Parameters
    ----------
    columns : sequence of str
        The header.
    settled : collection of str
        Columns that the user declared as something else.

    Returns
    -------
    dict
        Without columns that are there under lvkit's own name, or twice.
    tuple of str
        A note on each column with such a header: how it is read.

    Examples
    --------
    >>> units, notes = header_units(["model", "Params (M)", "mmlu"], ())
    >>> units["params_b"].factor, notes
    (0.001, ("column 'Params (M)' is in millions: read as params_b, in billions",))
    """
    out: dict[str, ColumnUnit] = {}
    notes = []
    for canonical, pattern in _HEADERS.items():
        matches = [m for c in columns if c not in settled and (m := pattern.fullmatch(c))]
        others = [m for m in matches if m[0] != canonical]
        if len(others) == 1 and len(matches) == 1:
            (match,) = others
            own, count = _QUANTITIES[canonical], _LETTERS[match[1][0].lower()]
            out[canonical] = ColumnUnit(match[0], count / own.base, _WORDS[count])
            notes.append(
                f"column '{match[0]}' is in {_WORDS[count]}: read as {canonical}, in {own.unit}"
            )
        elif others:
            shown = ", ".join(f"'{m[0]}'" for m in others)
            notes.append(f"read as features, not as {canonical}: {shown}")
    return out, tuple(notes)


def read_sizes(column: str, cells: pd.Series, unit: ColumnUnit) -> tuple[Floats, list[int], str]:
    """Return a column of sizes or tokens as numbers in the unit of lvkit's column.

    Parameters
    ----------
    column : "params_b" or "tokens_t"
    cells : Series
        The column as it stands in the file.
    unit : ColumnUnit
        The unit that its header states.

    Returns
    -------
    values : ndarray
        NaN where there is no number.
    text : list of int
        The rows that hold something else.
    note : str
        How cells with a unit of their own are read; empty where there is none.

    Examples
    --------
    >>> read_sizes("params_b", pd.Series(["560M", "7 billion"]), OWN_UNITS["params_b"])[0]
    array([0.56, 7.  ])
    """
    values, text = column_numbers(cells)
    values *= unit.factor
    own = _QUANTITIES[column]
    units = {letter: count / own.base for letter, count in _LETTERS.items()}
    sized, others = column_numbers(cells.iloc[text].astype(object), units)
    values[text] = sized
    rest = {text[at] for at in others}
    first = next((row for row in text if row not in rest), None)
    note = first is not None and (
        f"column '{unit.own}': sizes with a unit are read in {own.unit} "
        f"({show_cell(cells.iloc[first])} as {show_number(values[first])})"
    )
    return values, sorted(rest), note or ""


def misread_column(column: str, values: Floats, stated: Sequence[NamedSize]) -> Problem | None:
    """Return the problem of a whole column that is in another unit than it should be.

    Parameters
    ----------
    column : "params_b" or "tokens_t"
    values : ndarray
        Its numbers, NaN where there is none.
    stated : sequence of NamedSize
        The sizes in the models' names; not looked at for tokens.

    Returns
    -------
    Problem or None
        Without a place. None too where the factor is no unit: see :func:`contradictions`.
    """
    known = values[np.isfinite(values) & (values > 0)]
    factor = _factor_to_names(values, stated) if column == "params_b" else None
    if factor is None:
        factor = _factor_by_magnitude(column, known)
    if factor is None:
        return None
    own = _QUANTITIES[column]
    looks = _WORDS.get(own.base / factor, "raw counts")
    advice = f"divide it by {factor:,.0f}" if factor > 1 else f"multiply it by {1 / factor:,.0f}"
    return Problem(
        f"got numbers from {_readable(known.min())} to {_readable(known.max())}: {column} is "
        f"in {own.unit}, and these look like {looks}",
        expected=f"{own.unit}, at most about {own.largest:,.0f}",
        remedy=f"If so, {advice}, the whole column.",
    )


def _readable(value: float) -> str:
    return show_number(value) if value < 1e3 else f"{value:,.0f}"


def too_large(column: str, values: Floats) -> npt.NDArray[np.bool_]:
    """Return which finite numbers are too large for the column's unit."""
    return (values > _QUANTITIES[column].largest) & (values < math.inf)


def raw_count(column: str, number: float) -> str:
    """Return what to do about a size that is a raw count, or an empty text where it is none.

    Examples
    --------
    >>> raw_count("params_b", 7e9)
    'It looks like a raw count: params_b is in billions, so divide by 1e9.'
    >>> raw_count("params_b", 405.0)
    ''
    """
    own = _QUANTITIES.get(column)
    if own is None or not own.raw < number < math.inf:
        return ""
    return f"It looks like a raw count: {column} is in {own.unit}, so divide by 1e{own.exponent}."


def smaller_unit(column: str, value: float) -> str:
    """Return what to do about a few numbers that are too large for their unit.

    Examples
    --------
    >>> smaller_unit("tokens_t", 1500.0)
    'If it is in billions, divide it by 1,000: tokens_t is in trillions.'
    """
    own = _QUANTITIES[column]
    smaller = _WORDS[own.base / 1e3]
    return raw_count(column, value) or (
        f"If it is in {smaller}, divide it by 1,000: {column} is in {own.unit}."
    )


def _factor_by_magnitude(column: str, known: Floats) -> float | None:
    """Return by how much numbers are too large for their unit, None if they are not."""
    most = _QUANTITIES[column].largest
    large = known > most
    rest = known[~large]
    if not large.any() or (large.sum() * 2 <= len(known) and np.median(rest) <= most / 10):
        return None
    middle = np.median(known)
    factors = (1e3, 1e9) if column == "params_b" else (1e3, 1e6, 1e12)
    return next((factor for factor in factors if middle <= most * factor), factors[-1])


def _factor_to_names(values: Floats, stated: Sequence[NamedSize]) -> float | None:
    """Return the unit by which most sizes are off from those in the names; 1 is no such unit."""
    off = _common_factor(values, stated)
    units = (1e3, 1e6, 1e9, 1e-3)
    return next((u for u in units if off and 1 / _ALIKE < off / u < _ALIKE), None)


def _common_factor(values: Floats, stated: Sequence[NamedSize]) -> float:
    """Return the factor by which most sizes are off from the names; 0 where there is none."""
    total = np.array([size.total for size in stated])
    low, high = (np.array([getattr(size, end) for size in stated]) for end in ("low", "high"))
    known = np.isfinite(total) & np.isfinite(values) & (values > 0)
    ratio = values[known] / total[known]
    wrong = (values[known] < low[known]) | (values[known] > high[known])
    if len(ratio) < 2 or wrong.sum() * 2 <= len(ratio):
        return 0.0
    middle = float(np.median(ratio))
    alike = np.abs(np.log(ratio / middle)) < math.log(_ALIKE)
    return middle if alike.sum() * 3 >= 2 * len(ratio) else 0.0


def contradictions(values: Floats, stated: Sequence[NamedSize], place: Callable[[int], str]) -> str:
    """Return a note on the sizes that contradict the models' names, or an empty text.

    Parameters
    ----------
    values : ndarray
        Sizes in billions.
    stated : sequence of NamedSize
        The sizes in the models' names.
    place : callable
        Returns where a row stands, with the model's name.

    Examples
    --------
    >>> from lvkit.data.model_names import size_in_name
    >>> stated = [size_in_name(name) for name in ("ant-7b", "bee-3b")]
    >>> print(contradictions(np.array([70.0, 3.2]), stated, ["row 2", "row 3"].__getitem__))
    1 size in params_b contradicts the model's name: row 2: got 70, the name states 7; check it
    """
    low, high = (np.array([getattr(size, end) for size in stated]) for end in ("low", "high"))
    wrong = np.flatnonzero((values < low) | (values > high))
    if not wrong.size:
        return ""

    def shown(row: int) -> str:
        size = stated[row].active if math.isnan(stated[row].total) else stated[row].total
        return f"{place(row)}: got {show_number(values[row])}, the name states {show_number(size)}"

    if factor := _common_factor(values, stated):
        return (
            f"most sizes in params_b are about {factor:.2g} times those in the models' names, such "
            f"as {shown(int(wrong[0]))}; check the unit of the column"
        )
    rows = first_few([shown(int(row)) for row in wrong], separator="; ")
    if wrong.size == 1:
        return f"1 size in params_b contradicts the model's name: {rows}; check it"
    return f"{wrong.size} sizes in params_b contradict the models' names: {rows}; check them"


def unusual_ratio(sizes: Floats, tokens: Floats) -> str:
    """Return a note where most models have a number of tokens per parameter nobody has trained.

    Examples
    --------
    >>> unusual_ratio(np.array([1.0, 7.0]), np.array([0.3, 2.0]))
    ''
    >>> print(unusual_ratio(np.array([0.1, 0.4]), np.array([50.0, 90.0])))
    half of the models have more than 362,500 tokens per parameter: check that params_b is in
    billions and tokens_t in trillions
    """
    known = np.isfinite(tokens) & np.isfinite(sizes) & (sizes > 0) & (tokens > 0)
    if not known.any():
        return ""
    middle = float(np.median(1e3 * tokens[known] / sizes[known]))
    low, high = _TOKENS_PER_PARAMETER
    if low <= middle <= high:
        return ""
    than = f"more than {middle:,.0f}" if middle > high else f"less than {show_number(middle)}"
    return (
        f"half of the models have {than} tokens per parameter: check that params_b is in billions "
        "and tokens_t in trillions"
    )
