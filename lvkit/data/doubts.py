"""Doubts: what a table holds that is probably meant otherwise.

Two slips are easy to make and hard to see afterwards. A benchmark that lvkit does not know becomes
one more feature, and its scores are lost; sizes written as raw counts are a billion times too
large, and everything computed from them is nonsense. The first may be meant, so the user is asked;
the second cannot be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from lvkit.data.cells import column_numbers, without_rounding

_SHOWN = 5
_UNITS = {"params_b": (1e5, "billions", "1e9"), "tokens_t": (1e4, "trillions", "1e12")}
"""Largest value by column, with its unit: a hundred trillion parameters, ten quadrillion tokens."""


def doubtful_features(frame: pd.DataFrame, settled: Collection[str]) -> Iterator[str]:
    """Yield the columns that look like benchmarks, but are read as features.

    Parameters
    ----------
    frame : DataFrame
        The table.
    settled : collection of str
        Columns about which there is no doubt.

    Yields
    ------
    str
        A column of numbers from 0 to 1, at least one of them between; a column of nothing but 0
        and 1 is a feature that says yes or no.

    Examples
    --------
    >>> table = pd.DataFrame({"chess": [0.2, None, 1], "open": [0, 1, 1], "year": [2023, 2024, 0]})
    >>> list(doubtful_features(table, settled=()))
    ['chess']
    """
    for name in frame.columns:
        if name in settled:
            continue
        values, text = column_numbers(frame[name])
        values = without_rounding(values[~np.isnan(values)])
        inside = not text and bool(((values >= 0) & (values <= 1)).all())
        if inside and not np.isin(values, (0.0, 1.0)).all():
            yield str(name)


def note_on_doubts(names: Collection[str], highest: int = 1) -> str:
    """Say which columns look like benchmarks, and how the user can say what they are.

    Parameters
    ----------
    names : collection of str
        The columns.
    highest : int
        The highest score: 1, or 100 for scores in percent.

    Examples
    --------
    >>> print(note_on_doubts(["chess"]))
    column 'chess': numbers from 0 to 1 but no chance level, so read as a feature, not as a
    benchmark. Give a benchmark its chance level (1/choices; 0 for free answers):
    benchmarks={'chess': 0.25}, in a shell --benchmarks with a CSV file of benchmark and chance; or
    say that it is a feature: benchmarks={'chess': None}
    """
    shown = list(names)[:_SHOWN]
    columns = ("columns " if len(names) > 1 else "column ") + ", ".join(f"'{n}'" for n in shown)
    if len(names) > _SHOWN:
        columns += f" and {len(names) - _SHOWN} more"
    return (
        f"{columns}: numbers from 0 to {highest} but no chance level, so read as a feature, not as "
        "a benchmark. Give a benchmark its chance level (1/choices; 0 for free answers): "
        f"benchmarks={dict.fromkeys(shown, 0.25)}, in a shell --benchmarks with a CSV file of "
        f"benchmark and chance; or say that it is a feature: benchmarks={dict.fromkeys(shown)}"
    )


def raw_count(column: str, number: float) -> str:
    """Return what to do about a size that is a raw count, or an empty text where it is none.

    Examples
    --------
    >>> raw_count("params_b", 7e9)
    'It looks like a raw count: params_b is in billions, so divide by 1e9.'
    >>> raw_count("params_b", 405.0)
    ''
    """
    most, unit, factor = _UNITS.get(column, (float("inf"), "", ""))
    if not most < number < float("inf"):
        return ""
    return f"It looks like a raw count: {column} is in {unit}, so divide by {factor}."
