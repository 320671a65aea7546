"""The header of a table: which columns there are, and which of them are benchmarks.

A misspelt column would silently become a feature, and its scores would be lost. Names are therefore
compared with what lvkit knows, including the user's own benchmarks, and near misses are refused
with the name that was probably meant.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from lvkit.data.cells import by_name, column_numbers, is_blank, name_text, parse_number
from lvkit.data.embedded import known_benchmarks
from lvkit.errors import LvkitError, Problem, nearest

FamilyLike = str | Mapping[str, str] | Callable[[str], str] | None
"""Where families come from; see :meth:`lvkit.Panel.from_frame`."""

BenchmarksLike = Mapping[str, float | None] | Mapping[str, float] | pd.DataFrame | None
"""The user's benchmarks; see :meth:`lvkit.Panel.from_frame`."""

BENCHMARK_COLUMNS = ("label", "chance", "n_items", "leaderboard", "what")
NAME_COLUMNS = ("model", "family", "lineage")
MODEL_COLUMNS = ("family", "lineage", "params_b", "tokens_t")
_REQUIRED = {"model": "the model's name", "params_b": "its parameters, in billions"}
_COMPUTED = ("log_params", "log_tokens")
_ROW_NUMBERS = (
    "the first column has no name and holds row numbers, so it was left out (pandas leaves it out "
    "with to_csv(index=False))"
)
_OTHER = frozenset(
    {"winograd", "xwinograd", "arce", "bbeh", "cmmlu", "kmmlu", "tmmlu", "gsm1k", "gsmplus"}
)
"""Benchmarks of their own, without separators, whose names are nearly those of others."""
_ADVICE = (
    'Add the column; or use family="from_name" (the model\'s name without its size), '
    "family={model: family} or the name of another column."
)


def asked_benchmarks(benchmarks: BenchmarksLike) -> dict[str, dict[str, object]]:
    """Return the user's benchmarks, by name; blanks are left out.

    Raises
    ------
    LvkitError
        For a name listed twice, a chance level that is none, or something else than a table.
    """
    table = _asked_table(benchmarks)
    if problems := list(_benchmark_problems(table)):
        raise LvkitError.from_problems(problems)
    rows = table[[name for name in BENCHMARK_COLUMNS if name in table]].to_dict("index")
    return {
        str(name): {str(key): cell for key, cell in row.items() if not is_blank(cell)}
        for name, row in rows.items()
        if not is_feature(row["chance"])
    }


def asked_features(benchmarks: BenchmarksLike) -> tuple[str, ...]:
    """Return the columns that the user declared as features, not benchmarks.

    Examples
    --------
    >>> asked_features({"chess": 0.25, "dropout": None})
    ('dropout',)
    """
    chance = _asked_table(benchmarks).get("chance", pd.Series(dtype=object))
    return tuple(str(name) for name, level in chance.items() if is_feature(level))


def _asked_table(benchmarks: BenchmarksLike) -> pd.DataFrame:
    """Return the user's benchmarks as a table, indexed by name."""
    if isinstance(benchmarks, pd.DataFrame):
        table = benchmarks.set_index("benchmark") if "benchmark" in benchmarks else benchmarks
        return table.set_axis([name_text(name) for name in table.index])
    if benchmarks is not None and not isinstance(benchmarks, Mapping):
        expected = "a mapping from name to chance level, or a DataFrame"
        raise LvkitError(
            f"got a {type(benchmarks).__name__}", where="benchmarks", expected=expected
        )
    levels = by_name(benchmarks or {}, "benchmarks")
    return pd.DataFrame({"chance": pd.Series(levels, dtype=object)})


def is_feature(chance: object) -> bool:
    """Return whether a chance level marks a feature: None, or "none" in a file."""
    return chance is None or (isinstance(chance, str) and chance.strip().lower() == "none")


def _benchmark_problems(table: pd.DataFrame) -> Iterator[Problem]:
    """Yield what is wrong with the user's own table of benchmarks."""
    if "chance" not in table:
        yield Problem("no column 'chance'", "benchmarks", "the score of guessing, from 0 to 1")
        return
    for name, count in Counter(table.index).items():
        if count > 1 or not name:
            yield Problem(f"'{name}' is listed {count} times", "benchmarks", "each name once")
    items = table.get("n_items", [math.nan] * len(table))
    for name, level, count in zip(table.index, table["chance"], items, strict=True):
        where, number = f"benchmarks, '{name}'", parse_number(level)
        if is_feature(level):
            if name in known_benchmarks().index:
                expected = "a chance level, since lvkit knows a benchmark of this name"
                remedy = "Rename the column if it is a feature."
                yield Problem("no chance level, as for a feature", where, expected, remedy)
        elif number is None or not 0 <= number < 1:
            expected = "the score of guessing, at least 0 and below 1"
            remedy = "Use 0 for free answers and 1/choices for multiple choice."
            yield Problem(f"chance level {level!r}", where, expected, remedy)
        number = parse_number(count)
        if number is None or number <= 0 or math.isinf(number):
            yield Problem(f"n_items {count!r}", where, "a positive number")


def benchmark_table(asked: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    """Return lvkit's benchmarks with the user's laid over them, indexed by name."""
    known = known_benchmarks()
    rows: dict[str, Mapping[str, object]] = {
        str(name): {str(key): cell for key, cell in row.items()} for name, row in known.iterrows()
    }
    for name, row in asked.items():
        empty = {"label": name, "n_items": math.nan, "leaderboard": "", "what": ""}
        rows[name] = {**rows.get(name, empty), **row}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(BENCHMARK_COLUMNS))
    numbers = table[["chance", "n_items"]].map(parse_number).astype(float)
    return table.astype(str).assign(**numbers).rename_axis("benchmark")


def header_problems(
    frame: pd.DataFrame, family: FamilyLike, benchmarks: list[str], asked: list[str]
) -> Iterator[Problem]:
    """Yield what is wrong with the columns of a table.

    Parameters
    ----------
    frame : DataFrame
        The table, its column names stripped.
    family : str, mapping, callable or None
        Where families are to come from.
    benchmarks, asked : list of str
        All known benchmarks; and the columns that the user declared as benchmarks or as features.
    """
    columns = list(frame.columns)
    yield from _repeated(columns)
    others = [c for c in columns if c not in benchmarks]
    for name, meaning in _REQUIRED.items():
        if name not in columns:
            remedy = f"Add it, or rename yours to '{name}'.{nearest(name, others)}"
            yield Problem(f"no column '{name}' ({meaning})", "header", remedy=remedy)
    yield from _family_problems(family, columns)
    for name in asked:
        if name not in columns and name not in known_benchmarks().index:
            hint = nearest(name, columns).strip()
            yield Problem(f"no column '{name}'", "benchmarks", "a column of the table", hint)
    for name in set(_COMPUTED) & set(columns):
        remedy = "Rename or delete it; lvkit makes it from params_b and tokens_t."
        seen = f"column '{name}' has a name that lvkit gives itself"
        yield Problem(seen, "header", remedy=remedy)
    misspelt = list(_misspelt(frame, benchmarks, asked))
    yield from misspelt
    if not misspelt and not set(columns) & set(benchmarks):
        expected = "one column per benchmark, such as " + ", ".join(benchmarks[:4])
        remedy = "For benchmarks lvkit does not know give chance levels: benchmarks={'name': 0.25}."
        yield Problem("no benchmark among the columns", "header", expected, remedy)
    if len(frame) == 0:
        yield Problem("a header and no rows", expected="one row per model")


def without_unnamed(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a table without the columns that programs add to it, and a note on row numbers.

    An unnamed column without a value is left out, and so is a first column of row numbers: pandas
    writes its index as such, and reads it as "Unnamed: 0".
    """
    keep: list[bool] = []
    notes: tuple[str, ...] = ()
    for at, name in enumerate(frame.columns):
        unnamed = not name_text(name) or re.fullmatch(r"Unnamed: \d+", str(name)) is not None
        empty = unnamed and all(is_blank(cell) for cell in frame.iloc[:, at])
        row_numbers = unnamed and not empty and not any(keep) and _counts_rows(frame.iloc[:, at])
        if row_numbers:
            notes = (_ROW_NUMBERS,)
        keep.append(not empty and not row_numbers)
    return frame.loc[:, keep], notes


def _counts_rows(column: pd.Series) -> bool:
    """Return whether a column holds whole numbers, each but once."""
    numbers, text = column_numbers(column)
    numbers = numbers[~np.isnan(numbers)]
    whole = not text and bool((numbers >= 0).all() and (numbers % 1 == 0).all())
    return whole and len(set(numbers)) == len(numbers)


def _repeated(columns: list[str]) -> Iterator[Problem]:
    for at, name in enumerate(columns):
        if not name:
            place = f"after '{columns[at - 1]}'" if at else "at the start"
            remedy = "Name it or delete it."
            if not at and "model" not in columns:
                remedy = "If it holds the models' names, call it 'model'."
            yield Problem(f"a column without a name ({place})", "header", remedy=remedy)
    for name, count in Counter(columns).items():
        if name and count > 1:
            seen, remedy = f"column '{name}' appears {count} times", "Delete or rename the copies."
            yield Problem(seen, "header", "each column once", remedy)


def _family_problems(family: FamilyLike, columns: list[str]) -> Iterator[Problem]:
    if family is None:
        if "family" not in columns:
            expected = "the recipe that models of different sizes share"
            remedy = _ADVICE + nearest("family", columns)
            yield Problem("no column 'family'", "header", expected, remedy)
    elif isinstance(family, str):
        if family not in ("from_name", *columns):
            remedy = nearest(family, [*columns, "from_name"]).strip()
            expected = 'a column of the table, or "from_name"'
            yield Problem(f"no column '{family}'", "family", expected, remedy)
    elif not isinstance(family, Mapping) and not callable(family):
        expected = (
            'None, "from_name", the name of a column, a mapping {model: family} or a function'
        )
        yield Problem(f"got a {type(family).__name__}", "family", expected)


def _misspelt(frame: pd.DataFrame, benchmarks: list[str], asked: list[str]) -> Iterator[Problem]:
    """Yield the columns that all but spell an optional column or a benchmark that is absent."""
    columns = list(frame.columns)
    known = [*_REQUIRED, *MODEL_COLUMNS, "instruct", *benchmarks, *asked]
    absent = [name for name in known if name not in columns]
    suggested = {*_REQUIRED, "family"}
    for name in columns:
        if not name or name in known or columns.count(name) > 1 or bare_name(name) in _OTHER:
            continue
        meant = close_name(name, absent)
        unlike = meant in benchmarks and not _looks_like_scores(frame[name])
        if not meant or meant in suggested or unlike:
            continue
        suggested.add(meant)
        yield Problem(
            f"column '{name}' is not one that lvkit knows",
            "header",
            f"'{meant}'",
            f"Did you mean '{meant}'? If so, rename it. {_otherwise(name, meant, benchmarks)}",
        )


def close_name(name: str, choices: Sequence[str]) -> str:
    """Return the choice that `name` all but spells, letter case and separators aside."""
    plain = {bare_name(choice): choice for choice in choices}
    close = difflib.get_close_matches(bare_name(name), plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else ""


def bare_name(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _otherwise(name: str, meant: str, benchmarks: list[str]) -> str:
    """Return what to do about a column that is not the one it is nearly spelt like."""
    feature = f"benchmarks={{{name!r}: None}}"
    if meant not in benchmarks:
        return f"If it is a feature of its own, write {feature}."
    chance = known_benchmarks()["chance"].get(meant, 0.25)
    return (
        "If it is another benchmark, give its chance level (1/choices; 0 for free answers): "
        f"benchmarks={{{name!r}: {chance:g}}}; if it is a feature, {feature}. In a shell, "
        "--benchmarks takes a CSV file with the columns benchmark and chance."
    )


def _looks_like_scores(column: pd.Series) -> bool:
    """Return whether at least half of the cells are numbers from 0 to 100."""
    numbers, text = column_numbers(column)
    measured = len(text) + np.count_nonzero(~np.isnan(numbers))
    return bool(measured and 2 * np.count_nonzero((numbers >= 0) & (numbers <= 100)) >= measured)
