"""Units of scores, decided for whole columns with the whole table as evidence.

A score is a fraction from 0 to 1, and many tables are in percent. One cell cannot tell: 0.8 is 80 %
in one column and less than 1 % in another. What tells is the column (most percentages are above 1),
the chance level (nobody scores 0.5 % where guessing gives 25 %) and the other columns (a hard
benchmark in percent may stay below 1 throughout, beside others in percent). Where these leave two
readings, the whole column is refused, and never its larger cells alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import parse_number, show_number, without_rounding
from lvkit.errors import Problem

ScoreUnit = Literal["fraction", "percent", "mixed", "low", "neither"]
"""What a column holds: fractions, perhaps with a few wrong cells; percentages; numbers on both
sides of 1, which leaves it open; nothing above 1, beside columns in percent; mostly numbers above
100."""

_Floats = npt.NDArray[np.float64]
_MOST = 0.8  # a column with more of its non-zero scores above 1 than this is in percent
_SHOWN = 5
_FEWEST = 5  # scores that tell a column below chance from a few weak models


class _Counts(NamedTuple):
    """How many scores of a column lie where, and the scores in (0, 1]."""

    scores: int
    nonzero: int
    above: _Floats
    beyond: int
    inside: _Floats


def _counts(values: _Floats) -> _Counts:
    scores = without_rounding(without_rounding(values), 100.0)
    scores = scores[np.isfinite(scores)]
    above = scores[(scores > 1) & (scores <= 100)]
    inside = scores[(scores > 0) & (scores <= 1)]
    beyond = int(np.count_nonzero(scores > 100))
    return _Counts(scores.size, int(np.count_nonzero(scores)), above, beyond, inside)


def score_units(
    columns: Mapping[str, _Floats], chance: Mapping[str, float]
) -> dict[str, ScoreUnit]:
    """Return the unit of each column of scores.

    Parameters
    ----------
    columns : mapping
        The scores by column, NaN where there is none.
    chance : mapping
        The chance level of each column.

    Examples
    --------
    >>> hard = np.array([0.2, 0.9, 0.4])
    >>> score_units({"mmlu": np.array([26.0, 71.0, 55.5]), "aime": hard}, {"mmlu": 0.25, "aime": 0})
    {'mmlu': 'percent', 'aime': 'low'}
    >>> score_units({"mmlu": np.array([0.26, 0.71, 0.55]), "aime": hard}, {"mmlu": 0.25, "aime": 0})
    {'mmlu': 'fraction', 'aime': 'fraction'}
    """
    counts = {name: _counts(values) for name, values in columns.items()}
    likely = {name: _near_chance(counts[name], chance[name]) for name in columns}
    units = {name: _alone(counts[name], chance[name], likely[name]) for name in columns}
    n_percent = list(units.values()).count("percent")
    others = [n for n in units if units[n] == "fraction" and counts[n].nonzero]
    if not n_percent or n_percent < len(others):
        return units
    open_to_both = [n for n in units if not likely[n] and units[n] in ("fraction", "mixed")]
    for name in open_to_both:
        if counts[name].above.size:
            units[name] = "percent"
        elif counts[name].nonzero:
            units[name] = "low"
    return units


def _near_chance(count: _Counts, chance: float) -> bool:
    """Return whether the scores below 1 are fractions for sure: not far below guessing."""
    return bool(count.inside.size and chance > 0 and np.median(count.inside) >= chance / 2)


def _alone(count: _Counts, chance: float, likely: bool) -> ScoreUnit:
    """Return the unit of a column by itself."""
    if count.beyond * 2 > count.scores:
        return "neither"
    above, inside = count.above, count.inside
    if not above.size:
        return "fraction"
    if above.size > _MOST * count.nonzero:
        return "percent"
    if likely:
        return "fraction" if above.size == 1 or above.size * 2 <= inside.size else "mixed"
    if chance > 0:  # scores below 1 are failures, whatever the unit
        return "percent" if above.size > inside.size else "mixed"
    among = inside.size and inside.min() <= above.min() / 100 and above.max() / 100 <= inside.max()
    return "fraction" if above.size * 5 <= inside.size and among else "mixed"


def as_fractions(values: _Floats, unit: ScoreUnit) -> _Floats:
    """Return scores as fractions, rounding errors at 0 and 1 undone; impossible ones stay.

    Examples
    --------
    >>> as_fractions(np.array([100.00000000000001, 25.0, 140.0]), "percent")
    array([  1.  ,   0.25, 140.  ])
    """
    if unit == "percent":
        values = without_rounding(values, 100.0)
        return np.where(np.abs(values) <= 100, values / 100, values)
    return without_rounding(values)


def unit_problem(
    unit: ScoreUnit, values: _Floats, percent: Sequence[str], place: Callable[[int], str]
) -> Problem | None:
    """Return the problem of a column that is not in fractions, or not surely; it has no place.

    Parameters
    ----------
    unit : str
        The column's unit.
    values : ndarray
        Its scores as they are written.
    percent : sequence of str
        The columns that are in percent.
    place : callable
        Returns where a row stands.
    """
    if unit == "fraction":
        return None
    count = _counts(values)
    expected = "scores from 0 to 1"
    are = "is" if count.above.size == 1 else "are"
    several = f"{count.above.size} of {count.scores} scores {are} above 1"
    if unit == "percent":
        seen = f"{several}, the largest {show_number(count.above.max())}: the column is in percent"
        too = "the scores below 1 too" if count.inside.size else ""
        return Problem(seen, "", expected, f"Divide the column by 100{', ' if too else ''}{too}.")
    if unit == "neither":
        seen = f"{count.beyond} of {count.scores} scores are above 100: not fractions, not percent"
        return Problem(
            seen, "", expected, "Convert the column to fractions, or rename it if it holds no such."
        )
    if unit == "low":
        shown = ", ".join(f"'{name}'" for name in percent[:_SHOWN])
        return Problem(
            f"the scores are at most {show_number(count.inside.max())}, beside columns in percent "
            f"({shown})",
            "",
            expected,
            "If this column is in percent too, divide it by 100 as well; if not, leave it.",
        )
    rows = [place(int(row)) for row in np.flatnonzero(values > 1)[:_SHOWN]]
    more = ", …" if count.above.size > _SHOWN else ""
    return Problem(
        f"{several} and the others are not: the column may be in percent or in fractions",
        "",
        expected,
        "If it is in percent, divide the whole column by 100, the scores below 1 too. If it is in "
        f"fractions, correct the scores above 1: {', '.join(rows)}{more}.",
    )


def below_chance_notes(scores: pd.DataFrame, chance: Mapping[str, float]) -> Iterator[str]:
    """Yield a note for each benchmark most of whose scores are less than half the chance level.

    That is no raw score of a working model: the column is corrected for guessing, or in another
    unit. Zeros are left out; they are looked at as failed runs.

    Examples
    --------
    >>> scores = pd.DataFrame({"gpqa": [0.02, 0.05, 0.31, 0.08, 0.11]})
    >>> print(*below_chance_notes(scores, {"gpqa": 0.25}))
    4 of 5 scores in 'gpqa' are below half the chance level (0.25): corrected for guessing, or in
    another unit? Scores corrected for guessing have the chance level 0: benchmarks={'gpqa': 0}
    """
    for name in scores.columns:
        values = scores[name].to_numpy(float)
        values = values[np.isfinite(values) & (values != 0)]
        low = int(np.count_nonzero(values < chance[name] / 2))
        if values.size >= _FEWEST and 2 * low > values.size:
            yield (
                f"{low} of {values.size} scores in '{name}' are below half the chance level "
                f"({chance[name]:.3g}): corrected for guessing, or in another unit? Scores "
                f"corrected for guessing have the chance level 0: benchmarks={{'{name}': 0}}"
            )


def percent_signs(cells: pd.Series, text: Sequence[int]) -> Problem | None:
    """Return the problem of a column most of whose cells are numbers with a percent sign.

    Parameters
    ----------
    cells : Series
        The column.
    text : sequence of int
        Its rows that hold no number.

    Examples
    --------
    >>> print(percent_signs(pd.Series(["41%", "8 %", None]), [0, 1]))
    2 of 2 scores have a percent sign; expected scores from 0 to 1. Write fractions: 41% is 0.41.
    """
    signs = [cell for row in text if (cell := str(cells.iloc[row]).strip()).endswith("%")]
    number = sum(parse_number(cell[:-1]) is not None for cell in signs)
    scores = int(cells.notna().sum()) if number else 0
    if number * 2 <= scores or not number:
        return None
    first = signs[0][:-1].strip()
    value = parse_number(first)
    example = f"{signs[0]} is {show_number(value / 100)}" if value is not None else "41% is 0.41"
    seen = f"{number} of {scores} scores have a percent sign"
    return Problem(seen, "", "scores from 0 to 1", f"Write fractions: {example}.")
