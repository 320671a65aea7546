"""Failed runs: scores of exactly 0 or 1 that no working run of the model would give.

A harness that crashes, or cannot parse an answer, often records 0. To a model of scores such a 0 is
strong evidence, and a few of them change a fit more than all other scores together. Which zeros are
doubtful depends on the benchmark:

* Multiple choice: guessing already scores the chance level, so 0 on hundreds of questions is next
  to impossible.
* Free answers: weak models do score 0. A 0 is doubtful only where the models that are next weaker
  on the other benchmarks hardly ever score 0 here, and score 0.15 on average. (The embedded table
  holds such zeros beside an average of 0.12.)

A score of exactly 1 is doubtful where every other model scores much lower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

_SHOWN = 5
_ITEMS = 100  # questions of a benchmark that does not say how many it has
_IMPOSSIBLE = 1e-4  # probability of guessing every question wrong
_FEWEST = 5  # models to compare with, at least
_NEXT = 10  # models to compare with, at most: the next weaker ones
_ZEROS = 0.1  # share of them that score 0, at most
_NORMAL = 0.15  # their mean score, at least
_BELOW_ONE = 0.8  # highest score beside a doubtful 1

_Floats = npt.NDArray[np.float64]
_Rows = npt.NDArray[np.intp]


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
    values = scores.to_numpy(float)
    suspects = (values == 0) | (values == 1)
    if not suspects.any():
        return
    measured = ~np.isnan(values)
    chance, items = benchmarks["chance"].to_numpy(float), benchmarks["n_items"].to_numpy(float)
    empty = _empty_rows(values, measured, chance)
    if empty.size:
        yield f"all scores are 0 in {_rows(empty, line)}: a failed run? Delete the row"
    values = np.where(np.isin(np.arange(len(values)), empty)[:, None], np.nan, values)
    standing: _Floats | None = None
    for j, name in enumerate(scores.columns):
        zeros = np.flatnonzero(values[:, j] == 0)
        if zeros.size and chance[j] > 0:
            count = items[j] if items[j] > 0 else _ITEMS
            if (1 - chance[j]) ** count < _IMPOSSIBLE:
                yield _multiple_choice(str(name), zeros, chance[j], measured[:, j].sum(), line)
        elif zeros.size and values.shape[1] > 1:
            if standing is None:
                standing = pd.DataFrame(values).rank(pct=True).to_numpy()
            others = np.delete(standing, j, axis=1)
            zeros = _beside_weaker_models(values[:, j], others, zeros)
            if zeros.size:
                yield (
                    f"0 in '{name}' ({_rows(zeros, line)}), where models with lower scores on the "
                    "other benchmarks score well above 0: a failed run? Leave the cell blank"
                )
        yield from _perfect(str(name), values[:, j], line)


def _empty_rows(values: _Floats, measured: npt.NDArray[np.bool_], chance: _Floats) -> _Rows:
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


def _beside_weaker_models(column: _Floats, standing: _Floats, zeros: _Rows) -> _Rows:
    """Return the zeros that weaker models do not share; `standing` is on the other benchmarks."""
    known = ~np.isnan(standing)
    count = known.sum(axis=1)
    mean = np.where(known, standing, 0.0).sum(axis=1) / np.maximum(count, 1)
    rows = np.flatnonzero(~np.isnan(column) & (count > 0))
    rows = rows[np.lexsort((-column[rows], mean[rows]))]
    none = column[rows] == 0
    end = np.arange(len(rows))
    start = np.maximum(end - _NEXT, 0)
    zeros_until, score_until = (np.append(0.0, np.cumsum(x)) for x in (none, column[rows]))
    near = np.maximum(end - start, 1)
    share = (zeros_until[end] - zeros_until[start]) / near
    level = (score_until[end] - score_until[start]) / near
    doubtful = none & (near >= _FEWEST) & (share <= _ZEROS) & (level >= _NORMAL)
    return np.sort(rows[doubtful])


def _perfect(name: str, column: _Floats, line: Callable[[int], int]) -> Iterator[str]:
    """Yield a note on scores of exactly 1 that are far above all others."""
    perfect = np.flatnonzero(column == 1)
    others = column[(column < 1) & (column > 0)]
    if perfect.size and others.size >= max(_FEWEST, perfect.size) and others.max() < _BELOW_ONE:
        yield (
            f"1 in '{name}' ({_rows(perfect, line)}), where the next highest score is "
            f"{others.max():.3g}: a placeholder? Leave the cell blank"
        )


def _rows(rows: _Rows, line: Callable[[int], int]) -> str:
    shown = ", ".join(str(line(int(row))) for row in rows[:_SHOWN])
    more = f" and {rows.size - _SHOWN} more" if rows.size > _SHOWN else ""
    return f"{'row' if rows.size == 1 else 'rows'} {shown}{more}"
