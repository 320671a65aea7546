"""The header of a table: which columns there are, and which of them are benchmarks.

A column that is misspelt would be taken for a feature nobody asked for, and its scores would be
lost without a word. So names are compared with what lvkit knows, the user's own benchmarks
included, and near misses are refused with the name that was probably meant.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from lvkit.data.cells import bare_name, close_name, is_blank, parse_number
from lvkit.data.embedded import known_benchmarks
from lvkit.data.names import by_name, name_text
from lvkit.errors import LvkitError, Problem, nearest

FamilyLike = str | Mapping[str, str] | Callable[[str], str] | None
"""Where families come from; see :meth:`lvkit.Panel.from_frame`."""

BenchmarksLike = Mapping[str, float | None] | Mapping[str, float] | pd.DataFrame | None
"""What the user says about benchmarks; see :meth:`lvkit.Panel.from_frame`."""

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
    """Return what the user says about benchmarks, by name; blanks are left out.

    Raises
    ------
    LvkitError
        For a name listed twice, a chance level that is none, or something else than a table.
    """
    table = _asked_table(benchmarks)
    if problems := list(_benchmark_problems(table)):
        raise LvkitError.from_problems(problems)
    columns = [name for name in BENCHMARK_COLUMNS if name in table]
    return {
        str(name): {c: table.at[name, c] for c in columns if not is_blank(table.at[name, c])}
        for name in table.index
        if not _is_feature(table.at[name, "chance"])
    }


def asked_features(benchmarks: BenchmarksLike) -> tuple[str, ...]:
    """Return the columns of which the user says that they are features, not benchmarks.

    Examples
    --------
    >>> asked_features({"chess": 0.25, "dropout": None})
    ('dropout',)
    """
    chance = _asked_table(benchmarks).get("chance", pd.Series(dtype=object))
    return tuple(str(name) for name, level in chance.items() if _is_feature(level))


def _asked_table(benchmarks: BenchmarksLike) -> pd.DataFrame:
    """Return what the user says about benchmarks as a table, indexed by name."""
    if benchmarks is None:
        benchmarks = {}
    if isinstance(benchmarks, pd.DataFrame):
        table = benchmarks.set_index("benchmark") if "benchmark" in benchmarks else benchmarks
    elif isinstance(benchmarks, Mapping):
        levels = by_name(benchmarks, "benchmarks")
        table = pd.DataFrame({"chance": pd.Series(levels, dtype=object)})
    else:
        raise LvkitError(
            f"got a {type(benchmarks).__name__}",
            where="benchmarks",
            expected="a mapping from name to chance level, or a DataFrame",
        )
    return table.set_axis([name_text(name) for name in table.index])


def _is_feature(chance: object) -> bool:
    """Return whether a chance level says that there is none: None, or "none" in a file."""
    return chance is None or (isinstance(chance, str) and chance.strip().lower() == "none")


def _benchmark_problems(table: pd.DataFrame) -> Iterator[Problem]:
    """Yield what is wrong with the user's own table of benchmarks."""
    if "chance" not in table:
        yield Problem("no column 'chance'", "benchmarks", "the score of guessing, from 0 to 1")
        return
    for name, count in Counter(table.index).items():
        if count > 1 or not name:
            yield Problem(f"'{name}' is listed {count} times", "benchmarks", "each name once")
    for name, level in zip(table.index, table["chance"], strict=True):
        if _is_feature(level):
            if name in known_benchmarks().index:
                yield Problem(
                    "no chance level, as for a feature",
                    f"benchmarks, '{name}'",
                    "a chance level, since lvkit knows a benchmark of this name",
                    "Rename the column if it is a feature.",
                )
            continue
        number = parse_number(level)
        if number is None or not 0 <= number < 1:
            yield Problem(
                f"chance level {level!r}",
                f"benchmarks, '{name}'",
                "the score of guessing, at least 0 and below 1",
                "Use 0 for free answers and 1/choices for multiple choice.",
            )
    for name, count in zip(table.index, table.get("n_items", [math.nan] * len(table)), strict=True):
        number = parse_number(count)
        if number is None or number <= 0 or math.isinf(number):
            yield Problem(f"n_items {count!r}", f"benchmarks, '{name}'", "a positive number")


def benchmark_table(asked: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    """Return lvkit's benchmarks with the user's laid over them, indexed by name."""
    known = known_benchmarks()
    rows: dict[str, Mapping[str, object]] = {
        str(name): {str(key): cell for key, cell in row.items()} for name, row in known.iterrows()
    }
    for name, says in asked.items():
        empty = {"label": name, "n_items": math.nan, "leaderboard": "", "what": ""}
        rows[name] = {**rows.get(name, empty), **says}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(BENCHMARK_COLUMNS))
    for name in ("label", "leaderboard", "what"):
        table[name] = table[name].astype(str)
    for name in ("chance", "n_items"):
        table[name] = table[name].map(parse_number).astype(float)
    return table.rename_axis("benchmark")


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
        All benchmarks that are known; and the columns that the user spoke of, as benchmarks or as
        features.
    """
    columns = list(frame.columns)
    yield from _repeated(columns)
    for name, meaning in _REQUIRED.items():
        if name not in columns:
            others = [c for c in columns if c not in benchmarks]
            yield Problem(
                f"no column '{name}' ({meaning})",
                "header",
                remedy=f"Add it, or rename yours to '{name}'.{nearest(name, others)}",
            )
    yield from _family_problems(family, columns)
    for name in asked:
        if name not in columns and name not in known_benchmarks().index:
            hint = nearest(name, columns).strip()
            yield Problem(f"no column '{name}'", "benchmarks", "a column of the table", hint)
    for name in set(_COMPUTED) & set(columns):
        yield Problem(
            f"column '{name}' has a name that lvkit gives itself",
            "header",
            remedy="Rename or delete it; lvkit makes it from params_b and tokens_t.",
        )
    misspelt = list(_misspelt(frame, benchmarks, asked))
    yield from misspelt
    if not misspelt and not set(columns) & set(benchmarks):
        yield Problem(
            "no benchmark among the columns",
            "header",
            "one column per benchmark, such as " + ", ".join(benchmarks[:4]),
            "For benchmarks lvkit does not know give chance levels: benchmarks={'name': 0.25}.",
        )
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
        cells = [cell for cell in frame.iloc[:, at] if not is_blank(cell)] if unnamed else []
        row_numbers = bool(cells) and not any(keep) and _are_row_numbers(cells)
        if row_numbers:
            notes = (_ROW_NUMBERS,)
        keep.append(not unnamed or (bool(cells) and not row_numbers))
    return frame.loc[:, keep], notes


def _are_row_numbers(cells: list[Any]) -> bool:
    """Return whether cells are whole numbers, each but once."""
    numbers = [parse_number(cell) for cell in cells]
    whole = all(n is not None and n >= 0 and n.is_integer() for n in numbers)
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
            yield Problem(
                f"column '{name}' appears {count} times",
                "header",
                "each column once",
                "Delete or rename the copies.",
            )


def _family_problems(family: FamilyLike, columns: list[str]) -> Iterator[Problem]:
    if family is None:
        if "family" not in columns:
            yield Problem(
                "no column 'family'",
                "header",
                "the recipe that models of different sizes share",
                _ADVICE + nearest("family", columns),
            )
    elif isinstance(family, str):
        if family not in ("from_name", *columns):
            yield Problem(
                f"no column '{family}'",
                "family",
                'a column of the table, or "from_name"',
                nearest(family, [*columns, "from_name"]).strip(),
            )
    elif not isinstance(family, Mapping) and not callable(family):
        yield Problem(
            f"got a {type(family).__name__}",
            "family",
            'None, "from_name", the name of a column, a mapping {model: family} or a function',
        )


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
        if not meant or meant in suggested:
            continue
        if meant in benchmarks and not _looks_like_scores(frame[name]):
            continue
        suggested.add(meant)
        yield Problem(
            f"column '{name}' is not one that lvkit knows",
            "header",
            f"'{meant}'",
            f"Did you mean '{meant}'? If so, rename it. {_otherwise(name, meant, benchmarks)}",
        )


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
    numbers = [parse_number(cell) for cell in column]
    given = [number for number in numbers if number is None or not math.isnan(number)]
    good = [number for number in given if number is not None and 0 <= number <= 100]
    return bool(given) and 2 * len(good) >= len(given)
