"""The header of a table: which columns there are, and which of them are benchmarks.

A column that is misspelt would be taken for a feature nobody asked for, and its scores would be
lost without a word. So names are compared with what lvkit knows, the user's own benchmarks
included, and near misses are refused with the name that was probably meant.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pandas as pd

from lvkit.data import known_benchmarks
from lvkit.errors import LvkitError, Problem, nearest
from lvkit.reading.cells import close_name, is_blank, parse_number
from lvkit.reading.names import by_name, name_text

__all__ = [
    "BENCHMARK_COLUMNS",
    "MODEL_COLUMNS",
    "NAME_COLUMNS",
    "BenchmarksLike",
    "FamilyLike",
    "asked_benchmarks",
    "asked_features",
    "benchmark_table",
    "header_problems",
]

FamilyLike = str | Mapping[str, str] | Callable[[str], str] | None
"""Where families come from; see :meth:`lvkit.Panel.from_frame`."""

BenchmarksLike = Mapping[str, float | None] | Mapping[str, float] | pd.DataFrame | None
"""What the user says about benchmarks; see :meth:`lvkit.Panel.from_frame`."""

BENCHMARK_COLUMNS = ("label", "chance", "n_items", "leaderboard", "what")
NAME_COLUMNS = ("model", "family", "lineage")
MODEL_COLUMNS = ("family", "lineage", "params_b", "tokens_t")
_REQUIRED = {"model": "the model's name", "params_b": "its parameters, in billions"}
_COMPUTED = ("log_params", "log_tokens")
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
            f"saw a {type(benchmarks).__name__}",
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


def _repeated(columns: list[str]) -> Iterator[Problem]:
    for name, count in Counter(columns).items():
        if not name:
            yield Problem("a column without a name", "header", remedy="Name it or delete it.")
        elif count > 1:
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
            f"saw a {type(family).__name__}",
            "family",
            'None, "from_name", the name of a column, a mapping {model: family} or a function',
        )


def _misspelt(frame: pd.DataFrame, benchmarks: list[str], asked: list[str]) -> Iterator[Problem]:
    """Yield the columns that all but spell an optional column or a benchmark that is absent."""
    columns = list(frame.columns)
    known = [*_REQUIRED, *MODEL_COLUMNS, "instruct", *benchmarks, *asked]
    absent = [name for name in known if name not in columns]
    reported = {*_REQUIRED, "family"}
    for name in columns:
        if not name or name in known or columns.count(name) > 1:
            continue
        meant = close_name(name, absent)
        if not meant or meant in reported:
            continue
        if meant in benchmarks and not _looks_like_scores(frame[name]):
            continue
        yield Problem(
            f"column '{name}' is not one that lvkit knows",
            "header",
            f"'{meant}'",
            f"Did you mean '{meant}'? If so rename it; if not, give it a name less like that.",
        )


def _looks_like_scores(column: pd.Series) -> bool:
    """Return whether at least half of the cells are numbers from 0 to 100."""
    numbers = [parse_number(cell) for cell in column]
    given = [number for number in numbers if number is None or not math.isnan(number)]
    good = [number for number in given if number is not None and 0 <= number <= 100]
    return bool(given) and 2 * len(good) >= len(given)
