"""The door of the panel: a table goes in, and a clean panel or a list of all its problems comes out.

Everything that could make a fit wrong or impossible to read is looked for here, once. Nothing is
repaired in silence: a misspelt column, a score in percent or a model named twice is reported with its
row, its model and its column, together with all the other problems of the table, so that a file is
mended in one go.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.cells import (
    Places,
    as_flags,
    close_name,
    is_blank,
    parse_flag,
    parse_number,
    show_cell,
    show_number,
    text_remedy,
)
from lvkit.data import known_benchmarks
from lvkit.errors import LvkitError, Problem, nearest
from lvkit.families import family_from_name

__all__ = [
    "BenchmarksLike",
    "FamilyLike",
    "validated",
]

FamilyLike = str | Mapping[str, str] | Callable[[str], str] | None
BenchmarksLike = Mapping[str, float] | pd.DataFrame | None

BENCHMARK_COLUMNS = ["label", "chance", "n_items", "leaderboard", "what"]
MODEL_COLUMNS = ["family", "lineage", "params_b", "tokens_t"]
_COMPUTED = ("log_params", "log_tokens")
_SHOWN = 10


def validated(
    frame: pd.DataFrame,
    *,
    family: FamilyLike = None,
    benchmarks: BenchmarksLike = None,
    places: Places | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the scores, models and benchmarks of a table, or raise all that is wrong with it.

    Parameters
    ----------
    frame : DataFrame
        One row per model, in lvkit's layout.
    family : str, mapping, callable or None
        Where families come from; see :meth:`lvkit.Panel.from_frame`.
    benchmarks : mapping or DataFrame, optional
        Chance levels of benchmarks lvkit does not know.
    places : Places, optional
        Where rows and columns stand in the file.

    Returns
    -------
    tuple of DataFrame
        Scores (models x benchmarks), models and benchmarks, as :class:`lvkit.Panel` keeps them.

    Raises
    ------
    LvkitError
        With every problem found.
    """
    if not isinstance(frame, pd.DataFrame):
        raise LvkitError(f"saw a {type(frame).__name__}", expected="a pandas DataFrame")
    check = _Check(_with_model_column(frame), places or Places(), _asked_benchmarks(benchmarks))
    check.header(family)
    check.stop_if_problems()
    scores = check.scores()
    models = check.models(family)
    check.empty_lines(scores)
    check.stop_if_problems()
    index = pd.Index(check.names, name="model")
    columns = pd.Index(list(scores), name="benchmark")
    table = benchmark_table(check.asked).loc[list(scores)]
    table.index = columns
    values = np.column_stack(list(scores.values()))
    models.index = index
    return pd.DataFrame(values, index=index, columns=columns), models, table


def benchmark_table(asked: pd.DataFrame) -> pd.DataFrame:
    """Return lvkit's benchmarks with the user's laid over them."""
    known = known_benchmarks()
    merged = asked.combine_first(known) if len(asked) else known
    merged = merged[BENCHMARK_COLUMNS]
    merged["label"] = merged["label"].where(merged["label"].notna(), merged.index)
    for name in ("leaderboard", "what"):
        merged[name] = merged[name].where(merged[name].notna(), "")
    return merged.astype({"chance": float, "n_items": float})


def _with_model_column(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn an index named ``model`` into a column, and the column names into stripped text."""
    if frame.index.name == "model" and "model" not in frame.columns:
        frame = frame.reset_index()
    out = frame.reset_index(drop=True)
    out.columns = pd.Index([str(name).strip() for name in out.columns], dtype=object)
    return out


def _asked_benchmarks(benchmarks: BenchmarksLike) -> pd.DataFrame:
    """Return the user's benchmarks as a table indexed by name; refuse impossible chance levels."""
    if benchmarks is None:
        return pd.DataFrame(columns=BENCHMARK_COLUMNS, index=pd.Index([], dtype=object))
    if isinstance(benchmarks, pd.DataFrame):
        table = benchmarks.set_index("benchmark") if "benchmark" in benchmarks else benchmarks
    elif isinstance(benchmarks, Mapping):
        chance = {str(name): level for name, level in benchmarks.items()}
        table = pd.DataFrame({"chance": pd.Series(chance, dtype=object)})
    else:
        raise LvkitError(
            f"saw a {type(benchmarks).__name__}",
            where="benchmarks",
            expected="a mapping from name to chance level, or a DataFrame",
        )
    problems = list(_benchmark_problems(table))
    if problems:
        raise LvkitError.from_problems(problems)
    table = table.reindex(columns=BENCHMARK_COLUMNS)
    table.index = pd.Index([str(name).strip() for name in table.index])
    return table.assign(
        chance=[parse_number(cell) for cell in table["chance"]],
        n_items=[parse_number(cell) for cell in table["n_items"]],
    )


def _benchmark_problems(table: pd.DataFrame) -> Iterator[Problem]:
    """Yield what is wrong with the user's own table of benchmarks."""
    if "chance" not in table:
        yield Problem("no column 'chance'", "benchmarks", "the score of guessing, from 0 to 1")
        return
    for name, count in Counter(str(n).strip() for n in table.index).items():
        if count > 1:
            yield Problem(f"'{name}' is listed {count} times", "benchmarks", "each name once")
    for name, level in zip(table.index, table["chance"], strict=True):
        number = parse_number(level)
        if number is None or not 0 <= number < 1:
            yield Problem(
                f"chance level {level!r}",
                f"benchmarks, '{name}'",
                "the score of guessing, at least 0 and below 1",
                "Use 0 for free answers and 1/choices for multiple choice.",
            )


class _Check:
    """One pass over one table; problems pile up in `problems`."""

    def __init__(self, frame: pd.DataFrame, places: Places, asked: pd.DataFrame) -> None:
        self.frame = frame
        self.places = places
        self.asked = asked
        self.problems: list[Problem] = []
        self.names: list[str] = []
        self.known = benchmark_table(asked)

    def stop_if_problems(self) -> None:
        if self.problems:
            raise LvkitError.from_problems(self.problems)

    def add(self, seen: str, where: str = "", expected: str = "", remedy: str = "") -> None:
        self.problems.append(Problem(seen, where, expected, remedy))

    # -- columns ---------------------------------------------------------------------------------

    def header(self, family: FamilyLike) -> None:
        """Check that the columns are there, once each, and spelt as lvkit spells them."""
        columns = list(self.frame.columns)
        for name, count in Counter(columns).items():
            if not name:
                self.add(f"{count} column(s) without a name", "header", remedy="Name or delete.")
            elif count > 1:
                self.add(
                    f"column '{name}' appears {count} times",
                    "header",
                    "each column once",
                    "Delete or rename the copies.",
                )
        self._required("model", columns, "the model's name")
        self._required("params_b", columns, "the number of parameters, in billions")
        self._family_column(family, columns)
        self._misspelt(columns)
        self._no_benchmarks(columns)
        if len(self.frame) == 0:
            self.add("a header and no rows", expected="one row per model")

    def _required(self, name: str, columns: list[str], meaning: str) -> None:
        if name not in columns:
            others = [c for c in columns if c not in self.known.index]
            self.add(
                f"no column '{name}' ({meaning})",
                "header",
                remedy=f"Add the column, or rename yours to '{name}'."
                + nearest(name, others).replace("Did you mean", "Is it"),
            )

    def _family_column(self, family: FamilyLike, columns: list[str]) -> None:
        if family is None:
            if "family" not in columns:
                self.add(
                    "no column 'family'"
                    + nearest("family", columns).replace("Did you", " Did you"),
                    "header",
                    "the recipe that models of different size share",
                    'Add the column; or use family="from_name" (the model\'s name without its size), '
                    "or a mapping {model: family}, or the name of another column.",
                )
        elif isinstance(family, str):
            if family != "from_name" and family not in columns:
                self.add(
                    f"no column '{family}'",
                    "family",
                    'a column of the table or "from_name"',
                    nearest(family, [*columns, "from_name"]).strip(),
                )
        elif not isinstance(family, Mapping) and not callable(family):
            self.add(
                f"saw a {type(family).__name__}",
                "family",
                'None, "from_name", the name of a column, a mapping {model: family} or a function',
            )

    def _misspelt(self, columns: list[str]) -> None:
        for name in self.asked.index:
            if name not in columns and name not in known_benchmarks().index:
                self.add(
                    f"no column '{name}'",
                    "benchmarks",
                    "a column of the table",
                    nearest(name, columns).strip(),
                )
        for name in _COMPUTED:
            if name in columns:
                self.add(
                    f"column '{name}'",
                    "header",
                    "a name that lvkit does not compute itself",
                    f"Rename the column; lvkit makes '{name}' from sizes and tokens.",
                )
        for name in columns:
            meant = self._meant(name, columns)
            if meant:
                self.add(
                    f"column '{name}' is not one that lvkit knows. Did you mean '{meant}'?",
                    "header",
                    remedy=f"Rename it to '{meant}'; or, if it is something else, "
                    "give it a name less like it.",
                )

    def _meant(self, name: str, columns: list[str]) -> str:
        """Return the known column that `name` misspells, or nothing."""
        known = ["model", *MODEL_COLUMNS, "instruct", *self.known.index]
        if name in known or not name or columns.count(name) > 1:
            return ""
        absent = [c for c in known if c not in columns]
        close = close_name(name, absent)
        if close in self.known.index:
            return close if self._looks_like_scores(name) else ""
        return "" if close in ("model", "family", "params_b") else close

    def _looks_like_scores(self, name: str) -> bool:
        """Return whether most cells of a column are numbers from 0 to 100."""
        numbers = [parse_number(cell) for cell in self.frame[name]]
        given = [n for n in numbers if n is None or not math.isnan(n)]
        good = [n for n in given if n is not None and 0 <= n <= 100]
        return bool(given) and 2 * len(good) >= len(given)

    def _no_benchmarks(self, columns: list[str]) -> None:
        if not any(name in self.known.index for name in columns) and not self.problems:
            self.add(
                "no benchmark among the columns",
                "header",
                "one column per benchmark, such as " + ", ".join(self.known.index[:4]),
                "For benchmarks lvkit does not know give their chance levels: "
                "benchmarks={'name': 0.25}.",
            )

    # -- cells -----------------------------------------------------------------------------------

    def where(self, position: int, column: str) -> str:
        """Return the place of a cell."""
        name = self.names[position] if self.names else ""
        return f"{self.places.row(position, name)}, {self.places.column(column)}"

    def cells(
        self, column: str, bad: Sequence[tuple[int, str]], expected: str, remedy: str
    ) -> None:
        """Report bad cells of one column, the first ones by name and the rest by number."""
        for position, seen in bad[:_SHOWN]:
            self.add(seen, self.where(position, column), expected, remedy)
        if len(bad) > _SHOWN:
            self.add(f"and {len(bad) - _SHOWN} more cells like these", self.places.column(column))

    def numbers(self, column: str, expected: str) -> npt.NDArray[np.float64]:
        """Return a column as numbers, NaN where missing; report cells that are not."""
        cells = list(self.frame[column])
        parsed = [parse_number(cell) for cell in cells]
        text = [(i, f"saw {show_cell(cells[i])}") for i, n in enumerate(parsed) if n is None]
        self.cells(column, text, expected, text_remedy([cells[i] for i, _ in text]))
        return np.array([math.nan if n is None else n for n in parsed], dtype=float)

    def scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """Check all scores and return them by benchmark, in the order of the columns."""
        self.read_names()
        names = [name for name in self.frame.columns if name in self.known.index]
        return {name: self._score_column(name) for name in names}

    def _score_column(self, column: str) -> npt.NDArray[np.float64]:
        expected = "a score from 0 to 1, or a blank if it was not measured"
        values = self.numbers(column, expected)
        given = values[np.isfinite(values)]
        over = (given > 1) & (given <= 100)
        if over.sum() > 0.8 * max(np.count_nonzero(given), 1) and not (given < 0).any():
            top = show_number(given[over].max())
            self.add(
                f"{over.sum()} of {given.size} scores are above 1 (the largest is {top}), "
                "so the column looks like percent",
                self.places.column(column),
                "scores from 0 to 1",
                "Divide the column by 100.",
            )
            values = np.where(np.abs(values) <= 100, values / 100, values)
        mixed = [(i, f"saw {show_number(v)}") for i, v in enumerate(values) if 1 < v <= 100]
        wrong = [(i, f"saw {show_number(v)}") for i, v in enumerate(values) if v < 0 or v > 100]
        self.cells(
            column,
            mixed,
            "a score from 0 to 1 (other cells of the column are fractions)",
            "If it is in percent, divide it by 100.",
        )
        self.cells(column, wrong, expected, "Correct the cell or leave it blank.")
        return values

    def read_names(self) -> None:
        """Read the models' names; report blank ones and copies."""
        cells = list(self.frame["model"])
        self.names = ["" if is_blank(cell) else str(cell).strip() for cell in cells]
        blank = [(i, "saw no name") for i, name in enumerate(self.names) if not name]
        self.cells("model", blank, "the model's name", "Name the model or delete the row.")
        first: dict[str, int] = {}
        copies = []
        for i, name in enumerate(self.names):
            if name and first.setdefault(name, i) != i:
                copies.append((i, f"named already in {self.places.row(first[name])}"))
        self.cells("model", copies, "each model once", "Delete the copy or give it another name.")

    def empty_lines(self, scores: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Report rows and columns that hold no score at all."""
        if self.problems:
            return
        missing = np.column_stack([np.isnan(values) for values in scores.values()])
        rows = [(i, "no score in the row") for i in np.flatnonzero(missing.all(axis=1))]
        for i, seen in rows[:_SHOWN]:
            self.add(seen, self.places.row(i, self.names[i]), "at least one", "Delete the row.")
        if len(rows) > _SHOWN:
            self.add(f"and {len(rows) - _SHOWN} more rows without a score")
        for name, values in scores.items():
            if np.isnan(values).all():
                self.add(
                    "no score in the column",
                    self.places.column(name),
                    "at least one",
                    "Delete the column.",
                )

    # -- models ----------------------------------------------------------------------------------

    def models(self, family: FamilyLike) -> pd.DataFrame:
        """Check what is said about the models and return it as a table."""
        columns: dict[str, Any] = {"family": self._families(family)}
        columns["lineage"] = self._lineages(columns["family"])
        columns["params_b"] = self._sizes("params_b", "the parameters in billions")
        if "tokens_t" in self.frame:
            columns["tokens_t"] = self._sizes("tokens_t", "the training tokens in trillions")
        used = {"model", *MODEL_COLUMNS, family if isinstance(family, str) else ""}
        for name in self.frame.columns:
            if name not in used and name not in self.known.index:
                columns[name] = self._feature(name)
        return pd.DataFrame(columns)

    def _families(self, family: FamilyLike) -> pd.Series:
        if family == "from_name":
            family = family_from_name
        if family is None or isinstance(family, str):
            column = family or "family"
            found = list(self.frame[column])
        else:
            column = "family"
            lookup = family.get if isinstance(family, Mapping) else family
            found = [lookup(name) if name else "?" for name in self.names]
        out = ["" if is_blank(cell) else str(cell).strip() for cell in found]
        blank = [(i, "saw no family") for i, name in enumerate(out) if not name]
        self.cells(column, blank, "the model's family", "Give each model a family.")
        return pd.Series(out)

    def _lineages(self, families: pd.Series) -> pd.Series:
        if "lineage" not in self.frame:
            return families.copy()
        cells = zip(self.frame["lineage"], families, strict=True)
        out = [family if is_blank(cell) else str(cell).strip() for cell, family in cells]
        return pd.Series(out)

    def _sizes(self, column: str, meaning: str) -> npt.NDArray[np.float64]:
        expected = f"{meaning}: a positive, finite number"
        values = self.numbers(column, expected)
        wrong = [
            (i, f"saw {show_number(v)}") for i, v in enumerate(values) if v <= 0 or math.isinf(v)
        ]
        optional = column == "tokens_t"
        remedy = "Correct it" + (", or leave it blank if unknown." if optional else ".")
        self.cells(column, wrong, expected, remedy)
        if not optional:
            cells = list(self.frame[column])
            missing = [(i, "saw no size") for i, cell in enumerate(cells) if is_blank(cell)]
            self.cells(column, missing, expected, "Fill it in or delete the row.")
        return values

    def _feature(self, column: str) -> pd.Series:
        """Return one of the user's own columns; `instruct` and flags become booleans."""
        cells = list(self.frame[column])
        numbers = self.frame[column]
        if column == "instruct":
            return self._flags(column, cells)
        if pd.api.types.is_bool_dtype(numbers):
            return as_flags([None if is_blank(c) else bool(c) for c in cells])
        if pd.api.types.is_numeric_dtype(numbers) and not np.iscomplexobj(numbers):
            values = self.numbers(column, "a number, or a blank")
            infinite = [(i, f"saw {show_number(v)}") for i, v in enumerate(values) if math.isinf(v)]
            self.cells(column, infinite, "a finite number", "Correct it or leave it blank.")
            return pd.Series(values)
        text = [None if is_blank(cell) else str(cell).strip() for cell in cells]
        return pd.Series(text, dtype=None if any(text) else object)

    def _flags(self, column: str, cells: list[Any]) -> pd.Series:
        flags = [None if is_blank(cell) else parse_flag(cell) for cell in cells]
        text = [
            (i, f"saw {show_cell(cell)}")
            for i, cell in enumerate(cells)
            if flags[i] is None and not is_blank(cell)
        ]
        self.cells(column, text, "true or false", "Write true, false or leave it blank.")
        return as_flags(flags)
