"""Scores: in which unit a column is, and which scores look like failed runs.

A score is a fraction from 0 to 1, and many tables are in percent. One cell cannot tell: 0.8 is 80 %
in one column and less than 1 % in another. What tells is the column (most percentages are above 1),
the chance level (nobody scores 0.5 % where guessing gives 25 %) and the other columns (a hard
benchmark in percent may stay below 1 throughout, beside others in percent). Where these leave two
readings, the whole column is refused, and never its larger cells alone.

A harness that crashes, or cannot parse an answer, often records 0. To a model of scores such a 0 is
strong evidence, and a few of them change a fit more than all other scores together. Which zeros are
reported depends on the benchmark:

* Multiple choice: guessing already scores the chance level, so 0 on hundreds of questions is next
  to impossible.
* Free answers: weak models do score 0. A 0 is reported only where the models that are next weaker
  on the other benchmarks hardly ever score 0 here, and score 0.15 on average. (The embedded table
  holds such zeros beside an average of 0.12.)

A score of exactly 1 is reported where every other model scores much lower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import Floats, first_few, parse_number, show_number, without_rounding
from lvkit.errors import Problem

ScoreUnit = Literal["fraction", "percent", "mixed", "low", "neither"]
"""What a column holds: fractions, perhaps with a few wrong cells; percentages; numbers on both
sides of 1, which leaves it open; nothing above 1, beside columns in percent; mostly numbers above
100."""

_MOST = 0.8  # a column with more of its non-zero scores above 1 than this is in percent
_ITEMS = 100  # questions of a benchmark that does not say how many it has
_IMPOSSIBLE = 1e-4  # probability of guessing every question wrong
_FEWEST = 5  # scores that tell a column below chance, or models to compare with, at least
_NEXT = 10  # models to compare with, at most: the next weaker ones
_ZEROS = 0.1  # share of them that score 0, at most
_NORMAL = 0.15  # their mean score, at least
_BELOW_ONE = 0.8  # highest score beside a doubtful 1

_Rows = npt.NDArray[np.intp]


class _Counts(NamedTuple):
    """How many scores of a column lie where, and the scores in (0, 1]."""

    scores: int
    nonzero: int
    above: Floats
    beyond: int
    inside: Floats


def _counts(values: Floats) -> _Counts:
    scores = without_rounding(without_rounding(values), 100.0)
    scores = scores[np.isfinite(scores)]
    above = scores[(scores > 1) & (scores <= 100)]
    inside = scores[(scores > 0) & (scores <= 1)]
    beyond = int(np.count_nonzero(scores > 100))
    return _Counts(scores.size, int(np.count_nonzero(scores)), above, beyond, inside)


def score_units(columns: Mapping[str, Floats], chance: Mapping[str, float]) -> dict[str, ScoreUnit]:
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


def as_fractions(values: Floats, unit: ScoreUnit) -> Floats:
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
    unit: ScoreUnit, values: Floats, percent: Sequence[str], place: Callable[[int], str]
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
    above = f"{count.above.size} of {count.scores} scores {_are(count.above.size)} above 1"
    if unit == "percent":
        seen = f"{above}, the largest {show_number(count.above.max())}: the column is in percent"
        remedy = f"Divide the column by 100{', the scores below 1 too' * bool(count.inside.size)}."
    elif unit == "neither":
        seen = f"{count.beyond} of {count.scores} scores are above 100: not fractions, not percent"
        remedy = "Convert the column to fractions, or rename it if it holds no scores."
    elif unit == "low":
        highest = show_number(count.inside.max())
        others = first_few([f"'{name}'" for name in percent])
        seen = f"the scores are at most {highest}, beside columns in percent ({others})"
        remedy = "If this column is in percent too, divide it by 100 as well; if not, leave it."
    else:
        rows = first_few([place(int(row)) for row in np.flatnonzero(values > 1)])
        seen = f"{above} and the others are not: the column may be in percent or in fractions"
        remedy = (
            "If it is in percent, divide the whole column by 100, the scores below 1 too. If it is "
            f"in fractions, correct the scores above 1: {rows}."
        )
    return Problem(seen, "", "scores from 0 to 1", remedy)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


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
    numbers = [n for cell in signs if (n := parse_number(cell[:-1])) is not None]
    scores = int(cells.notna().sum()) if numbers else 0
    if len(numbers) * 2 <= scores or not numbers:
        return None
    first = parse_number(signs[0][:-1])
    example = f"{signs[0]} is {show_number(first / 100)}" if first is not None else "41% is 0.41"
    seen = f"{len(numbers)} of {scores} scores have a percent sign"
    return Problem(seen, "", "scores from 0 to 1", f"Write fractions: {example}.")


# -- failed runs -------------------------------------------------------------------------------


def failed_run_notes(
    scores: pd.DataFrame, benchmarks: pd.DataFrame, line: Callable[[int], int]
) -> Iterator[str]:
    """Yield a note for each benchmark with scores that look like failed runs.

    Parameters
    ----------
    scores : DataFrame
        Models x benchmarks, from 0 to 1, NaN where not measured.
    benchmarks : DataFrame
        The benchmarks, in the same order, with ``chance`` and ``n_items``.
    line : callable
        Returns the line of a row.

    Yields
    ------
    str

    Examples
    --------
    >>> scores = pd.DataFrame({"mmlu": [0.3, 0.0, 0.6], "gsm8k": [0.0, 0.2, 0.5]})
    >>> benchmarks = pd.DataFrame({"chance": [0.25, 0.0], "n_items": [14042, 1319]})
    >>> list(failed_run_notes(scores, benchmarks, lambda row: row + 2))
    ["0 in 'mmlu' (row 3), where guessing gives 0.25: a failed run? Leave the cell blank"]
    """
    values = scores.to_numpy(float, copy=True)
    suspects = (values == 0) | (values == 1)
    if not suspects.any():
        return
    measured = ~np.isnan(values)
    chance, items = benchmarks["chance"].to_numpy(float), benchmarks["n_items"].to_numpy(float)
    empty = _empty_rows(values, measured, chance)
    if empty.size:
        yield f"all scores are 0 in {_rows(empty, line)}: a failed run? Delete the row"
    values[empty] = np.nan
    standing = pd.DataFrame(values).rank(pct=True).to_numpy()
    for j, name in enumerate(scores.columns):
        zeros = np.flatnonzero(values[:, j] == 0)
        if zeros.size and chance[j] > 0:
            count = items[j] if items[j] > 0 else _ITEMS
            if (1 - chance[j]) ** count < _IMPOSSIBLE:
                yield _multiple_choice(str(name), zeros, chance[j], measured[:, j].sum(), line)
        elif zeros.size and values.shape[1] > 1:
            zeros = _beside_weaker_models(values[:, j], np.delete(standing, j, axis=1))
            if zeros.size:
                yield (
                    f"0 in '{name}' ({_rows(zeros, line)}), where models with lower scores on the "
                    "other benchmarks score well above 0: a failed run? Leave the cell blank"
                )
        yield from _perfect(str(name), values[:, j], line)


def _empty_rows(values: Floats, measured: npt.NDArray[np.bool_], chance: Floats) -> _Rows:
    """Return the rows of nothing but zeros, where that is more than a weak model's free answers."""
    zero = (values == 0).sum(axis=1)
    choice = ((values == 0) & (chance > 0)).any(axis=1)
    return np.flatnonzero((zero == measured.sum(axis=1)) & (zero > 1) & (choice | (zero > 2)))


def _multiple_choice(
    name: str, zeros: _Rows, chance: float, measured: int, line: Callable[[int], int]
) -> str:
    text = f"0 in '{name}' ({_rows(zeros, line)}), where guessing gives {chance:g}"
    if 3 * zeros.size > measured:
        return (
            f"{text}: failed runs, or scores corrected for guessing? Leave the cells of failed "
            f"runs blank; corrected scores have the chance level 0: benchmarks={{{name!r}: 0}}"
        )
    if zeros.size > 1:
        return f"{text}: failed runs? Leave the cells blank"
    return f"{text}: a failed run? Leave the cell blank"


def _beside_weaker_models(column: Floats, standing: Floats) -> _Rows:
    """Return the zeros that weaker models do not share; `standing` is on the other benchmarks."""
    known = ~np.isnan(standing)
    count = known.sum(axis=1)
    mean = np.where(known, standing, 0.0).sum(axis=1) / np.maximum(count, 1)
    rows = np.flatnonzero(~np.isnan(column) & (count > 0))
    rows = rows[np.lexsort((-column[rows], mean[rows]))]
    ordered = pd.DataFrame({"zero": column[rows] == 0, "score": column[rows]}, dtype=float)
    weaker = ordered.shift().rolling(_NEXT, min_periods=_FEWEST).mean()
    unusual = (weaker["zero"] <= _ZEROS) & (weaker["score"] >= _NORMAL)
    return np.sort(rows[((ordered["zero"] == 1) & unusual).to_numpy()])


def _perfect(name: str, column: Floats, line: Callable[[int], int]) -> Iterator[str]:
    """Yield a note on scores of exactly 1 that are far above all others."""
    perfect = np.flatnonzero(column == 1)
    others = column[(column < 1) & (column > 0)]
    if perfect.size and others.size >= max(_FEWEST, perfect.size) and others.max() < _BELOW_ONE:
        yield (
            f"1 in '{name}' ({_rows(perfect, line)}), where the next highest score is "
            f"{others.max():.3g}: a placeholder? Leave the cell blank"
        )


def _rows(rows: _Rows, line: Callable[[int], int]) -> str:
    return f"row{'s' * (rows.size > 1)} {first_few([line(int(row)) for row in rows])}"
