"""The door of the panel: a table goes in; a clean panel or a list of its problems comes out.

Everything that could make a fit wrong or impossible to read is looked for here, once. Nothing is
repaired in silence: a misspelt column, a score in percent or a model named twice is reported with
its row, its model and its column, together with all the other problems of the table, so that a file
is mended in one go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import (
    Places,
    as_flags,
    column_numbers,
    is_blank,
    parse_flag,
    show_cell,
    show_number,
    text_remedy,
)
from lvkit.data.failed_runs import failed_run_notes
from lvkit.data.families import family_from_name, strays
from lvkit.data.header import (
    MODEL_COLUMNS,
    BenchmarksLike,
    FamilyLike,
    asked_benchmarks,
    asked_features,
    benchmark_table,
    header_problems,
    without_unnamed,
)
from lvkit.data.model_names import size_in_name
from lvkit.data.names import by_name, name_notes, name_text, no_name, number_names
from lvkit.data.score_units import (
    ScoreUnit,
    as_fractions,
    below_chance_notes,
    percent_signs,
    score_units,
    unit_problem,
)
from lvkit.data.size_units import (
    OWN_UNITS,
    ColumnUnit,
    contradictions,
    header_units,
    misread_column,
    read_sizes,
    smaller_unit,
    too_large,
    unusual_ratio,
)
from lvkit.data.unknown_columns import unknown_column_notes
from lvkit.errors import LvkitError, Problem, count

_Floats = npt.NDArray[np.float64]
_SHOWN = 10


class Checked(NamedTuple):
    """A table that was found good.

    Attributes
    ----------
    scores, models, benchmarks : DataFrame
        As :class:`lvkit.Panel` keeps them.
    notes : tuple of str
        What was left out of the table, and what is probably meant otherwise.
    """

    scores: pd.DataFrame
    models: pd.DataFrame
    benchmarks: pd.DataFrame
    notes: tuple[str, ...]


def validated(
    frame: pd.DataFrame,
    *,
    family: FamilyLike = None,
    benchmarks: BenchmarksLike = None,
    places: Places | None = None,
    drop_invalid: bool = False,
) -> Checked:
    """Return the scores, models and benchmarks of a table, or raise all that is wrong with it.

    Parameters
    ----------
    frame : DataFrame
        One row per model, in lvkit's layout.
    family : str, mapping, callable or None
        Where families come from; see :meth:`lvkit.Panel.from_frame`.
    benchmarks : mapping or DataFrame, optional
        Chance levels of benchmarks lvkit does not know; None for a column that is a feature.
    places : Places, optional
        Where rows and columns stand in the file.
    drop_invalid : bool
        Leave out rows that hold an unusable cell instead of refusing the table.

    Returns
    -------
    Checked
        Scores (models x benchmarks), models, benchmarks and notes.

    Raises
    ------
    LvkitError
        With every problem found. Where the header is so wrong that rows cannot be told apart or
        sized, cells are not read.
    """
    if not isinstance(frame, pd.DataFrame):
        raise LvkitError(f"got a {type(frame).__name__}", expected="a pandas DataFrame")
    asked, features = asked_benchmarks(benchmarks), asked_features(benchmarks)
    table = benchmark_table(asked)
    frame, notes = _plain_header(frame)
    settled = {*asked, *features, *table.index, family if isinstance(family, str) else ""}
    units, unit_notes = header_units(list(frame.columns), settled)
    own = {name: unit.own for name, unit in units.items()}
    frame = frame.rename(columns={name: canonical for canonical, name in own.items()})
    reader_places, notes = (places or Places()).renamed(own), (*notes, *unit_notes)
    problems = list(header_problems(frame, family, list(table.index), [*asked, *features]))
    if problems and not _can_be_read(frame, family):
        raise LvkitError.from_problems(problems)
    columns = pd.Index([c for c in frame.columns if c in table.index], name="benchmark")
    chance = dict(zip(columns, table.loc[columns, "chance"].astype(float), strict=True))
    reader = _Reader(frame, reader_places, family, chance, units)
    if problems:
        raise LvkitError.from_problems([*problems, *reader.problems])
    reader.check_empty()
    if drop_invalid and not reader.unit_in_doubt and 0 < len(reader.bad_rows) < len(frame):
        notes = (*notes, reader.note_on_bad_rows())
        reader = reader.without_bad_rows(family)
        reader.check_empty()
    if reader.problems:
        raise LvkitError.from_problems(reader.problems)
    index = pd.Index(reader.names, name="model")
    scores = pd.DataFrame(np.column_stack(list(reader.scores.values())), index, columns)
    notes = (
        *notes,
        *reader.name_notes,
        *reader.notes,
        *below_chance_notes(scores, dict(zip(columns, table.loc[columns, "chance"], strict=True))),
        *failed_run_notes(scores, table.loc[columns], reader.places.line),
        *unknown_column_notes(reader.frame, {*reader.used, *features}),
    )
    return Checked(
        scores, reader.models.set_axis(index), table.loc[columns].set_axis(columns), notes
    )


def _plain_header(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Turn an index named ``model`` into a column, and the column names into names; with notes."""
    if frame.index.name == "model" and "model" not in frame.columns:
        frame = frame.reset_index()
    frame, notes = without_unnamed(frame)
    written = list(frame.columns)
    names = [name_text(name) for name in written]
    notes = (*notes, *name_notes("columns", written, names))
    return frame.reset_index(drop=True).set_axis(names, axis=1), notes


def _can_be_read(frame: pd.DataFrame, family: FamilyLike) -> bool:
    """Return whether the cells of a table can be read although its header is not right."""
    columns = set(frame.columns)
    needed = {"model", "params_b"}
    if family is None or isinstance(family, str):
        needed |= {family or "family"} - {"from_name"}
        known = True
    else:
        known = isinstance(family, Mapping) or callable(family)
    return known and needed <= columns and len(columns) == frame.shape[1]


class _Reader:
    """Reads the cells of one table; problems pile up in `problems`."""

    def __init__(
        self,
        frame: pd.DataFrame,
        places: Places,
        family: FamilyLike,
        chance: Mapping[str, float],
        units: Mapping[str, ColumnUnit],
    ) -> None:
        self.frame = frame
        self.places = places
        self.units = units
        self.unit_in_doubt = False
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.bad_rows: dict[int, str] = {}
        self.bad_columns: set[str] = set()
        self.name_notes: list[str] = []
        self.names = self._names("models", list(frame["model"]), "model")
        self._check_names()
        own = family if isinstance(family, str) else ""
        self.chance = chance
        self.used = {"model", *MODEL_COLUMNS, *chance, own}
        self.scores = self._scores(chance)
        self.models = self._models(family)

    def note_on_bad_rows(self) -> str:
        """Say which rows hold an unusable cell."""
        rows = [
            f"{self.places.row(i, self.names[i])}: {self.bad_rows[i]}"
            for i in sorted(self.bad_rows)
        ]
        more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        return f"left out {count(len(rows), 'unusable row')}: " + "; ".join(rows[:_SHOWN]) + more

    def without_bad_rows(self, family: FamilyLike) -> _Reader:
        """Return a reader of the rows without an unusable cell."""
        keep = [i for i in range(len(self.frame)) if i not in self.bad_rows]
        places = Places([self.places.line(i) for i in keep], self.places.columns)
        frame = self.frame.iloc[keep].reset_index(drop=True)
        return _Reader(frame, places, family, self.chance, self.units)

    def _report(
        self, column: str, bad: Sequence[tuple[int, str]], expected: str, remedy: str
    ) -> None:
        """Report bad cells of one column, the first ones by name and the rest by number."""
        where = self.places.column(column)
        for row, seen in bad:
            self.bad_rows.setdefault(row, f"{seen} in {where}")
            self.bad_columns.add(column)
        for row, seen in bad[:_SHOWN]:
            place = f"{self.places.row(row, self.names[row])}, {where}"
            self.problems.append(Problem(seen, place, expected, remedy))
        if len(bad) > _SHOWN:
            self.problems.append(Problem(f"{len(bad) - _SHOWN} more cells like these", where))

    def _names(self, kind: str, cells: list[Any], column: str = "") -> list[str]:
        """Return cells as names; what a reader may want to know of them goes to `name_notes`."""
        names = [name_text(cell) for cell in cells]
        self.name_notes += name_notes(kind, cells, names)
        if column in self.frame and (note := number_names(self.frame[column])):
            self.name_notes.append(note)
        return names

    def _place(self, row: int) -> str:
        return self.places.row(row, self.names[row])

    def _check_names(self) -> None:
        """Report models without a name and models named twice."""
        cells = list(self.frame["model"])
        blank = [(i, no_name(cells[i], "name")) for i, name in enumerate(self.names) if not name]
        self._report("model", blank, "the model's name", "Name the model or delete the row.")
        first: dict[str, int] = {}
        copies = [
            (i, self._copy(cells, first[name], i))
            for i, name in enumerate(self.names)
            if name and first.setdefault(name, i) != i
        ]
        self._report("model", copies, "each model once", "Delete the copy or rename it.")

    def _copy(self, cells: list[Any], first: int, copy: int) -> str:
        """Return where a model was named before, and how, if it was written in another way."""
        one, other = str(cells[first]).strip(), str(cells[copy]).strip()
        written = "" if one == other else f" (written {one!a} there, {other!a} here)"
        return f"named already in {self.places.row(first)}{written}"

    # -- numbers ---------------------------------------------------------------------------------

    def _numbers(self, column: str, expected: str) -> _Floats:
        """Return a column as numbers, NaN where missing; report cells that are not numbers."""
        values, text = column_numbers(self.frame[column])
        self._report_text(column, text, expected)
        return values

    def _report_text(self, column: str, text: Sequence[int], expected: str) -> None:
        cells = [self.frame[column].iloc[row] for row in text]
        seen = [(row, f"got {show_cell(cell)}") for row, cell in zip(text, cells, strict=True)]
        self._report(column, seen, expected, text_remedy(cells))

    def _scores(self, chance: Mapping[str, float]) -> dict[str, _Floats]:
        """Return the scores of each benchmark, NaN where not measured."""
        expected = "a score from 0 to 1, or a blank if it was not measured"
        written = {}
        for name in chance:
            written[name], text = column_numbers(self.frame[name])
            if signs := percent_signs(self.frame[name], text):
                self._doubt_unit(name, signs)
            else:
                self._report_text(name, text, expected)
        units = score_units(written, chance)
        percent = [self.places.columns.get(n, n) for n in units if units[n] == "percent"]
        out = {}
        for name, unit in units.items():
            if problem := unit_problem(unit, written[name], percent, self._place):
                self._doubt_unit(name, problem)
            out[name] = as_fractions(written[name], unit)
            self._check_range(name, written[name], out[name], unit)
        return out

    def _check_range(self, column: str, written: _Floats, scores: _Floats, unit: ScoreUnit) -> None:
        """Report single scores that are impossible in the unit of their column."""
        outside = (scores < 0) | (scores > (1 if unit == "fraction" else 100))
        if unit == "neither":
            outside = scores < 0
        cells = [(int(i), f"got {show_number(written[i])}") for i in np.flatnonzero(outside)]
        above = [(i, seen) for i, seen in cells if 1 < scores[i] <= 100]
        wrong = [(i, seen) for i, seen in cells if not 1 < scores[i] <= 100]
        fraction = "a score from 0 to 1, as the column holds fractions too"
        self._report(column, above, fraction, "If it is in percent, divide it by 100.")
        expected = "a score from 0 to 1, or a blank if it was not measured"
        self._report(column, wrong, expected, "Correct the cell or leave it blank.")

    def _doubt_unit(self, column: str, problem: Problem) -> None:
        """Report a column whose unit is wrong or open; leaving rows out does not decide it."""
        self.unit_in_doubt = True
        self.bad_columns.add(column)
        self.problems.append(replace(problem, where=self.places.column(column)))

    def check_empty(self) -> None:
        """Report rows and columns that hold no score at all."""
        missing = np.column_stack([np.isnan(values) for values in self.scores.values()])
        empty = (int(i) for i in np.flatnonzero(missing.all(axis=1)))
        rows = [i for i in empty if i not in self.bad_rows]
        self.bad_rows.update(dict.fromkeys(rows, "no score"))
        for i in rows[:_SHOWN]:
            where = self.places.row(i, self.names[i])
            self.problems.append(
                Problem("the row has no score", where, "at least one", "Delete the row.")
            )
        if len(rows) > _SHOWN:
            self.problems.append(Problem(f"{len(rows) - _SHOWN} more rows without a score"))
        for name, values in self.scores.items():
            if np.isnan(values).all() and name not in self.bad_columns:
                where = self.places.column(name)
                self.problems.append(
                    Problem("the column has no score", where, "at least one", "Delete the column.")
                )

    # -- models ----------------------------------------------------------------------------------

    def _models(self, family: FamilyLike) -> pd.DataFrame:
        """Return what the table says about the models."""
        families = self._families(family)
        columns: dict[str, Any] = {"family": families, "lineage": self._lineages(families)}
        columns["params_b"] = self._sizes("params_b", "its parameters")
        if "tokens_t" in self.frame:
            columns["tokens_t"] = self._sizes("tokens_t", "its training tokens")
            if not self.problems and (
                note := unusual_ratio(columns["params_b"], columns["tokens_t"])
            ):
                self.notes.append(note)
        for name in self.frame.columns:
            if name not in self.used:
                columns[name] = self._feature(name)
        return pd.DataFrame(columns)

    def _families(self, family: FamilyLike) -> list[str]:
        column = "family"
        if family == "from_name":
            cells: list[Any] = [family_from_name(name) for name in self.names]
        elif family is None or isinstance(family, str):
            column = family or column
            cells = list(self.frame[column])
        elif isinstance(family, Mapping):
            families = by_name(family, "family")
            cells = [families.get(name) for name in self.names]
        else:
            cells = [family(name) for name in self.names]
        out = self._names("families", cells, column if isinstance(family, str | None) else "")
        named = enumerate(zip(out, self.names, strict=True))
        blank = [(i, no_name(cells[i], "family")) for i, (f, name) in named if name and not f]
        self._report(column, blank, "the model's family", "Give every model a family.")
        return out

    def _lineages(self, families: list[str]) -> list[str]:
        out = families
        if "lineage" in self.frame:
            lineages = self._names("lineages", list(self.frame["lineage"]), "lineage")
            pairs = zip(lineages, families, strict=True)
            out = [lineage or family for lineage, family in pairs]
        astray = strays(families, out, self.names, self.places.row)
        remedy = "Give its models the same lineage (a blank is the family itself), or split it."
        self._report("lineage", astray, "one lineage for all models of a family", remedy)
        return out

    def _sizes(self, column: str, meaning: str) -> _Floats:
        """Return sizes or tokens; only tokens may be missing."""
        unit = self.units.get(column, OWN_UNITS[column])
        expected = f"{meaning} in {unit.unit}: a positive, finite number"
        values, text, note = read_sizes(column, self.frame[column], unit)
        self._report_text(column, text, expected)
        if note:
            self.notes.append(note)
        stated = [size_in_name(name) for name in self.names] if column == "params_b" else []
        seen = [
            (i, f"got {show_number(values[i] / unit.factor)}") for i in too_large(column, values)
        ]
        if misread := misread_column(column, values, stated):
            self._doubt_unit(column, misread)
        elif seen:
            self._report(column, seen, expected, smaller_unit(column, np.nanmax(values)))
        elif stated and (note := contradictions(values, stated, self._place)):
            self.notes.append(note)
        rows = np.flatnonzero((values <= 0) | np.isinf(values))
        wrong = [(int(i), f"got {show_number(values[i] / unit.factor)}") for i in rows]
        if column == "tokens_t":
            self._report(column, wrong, expected, "Correct it, or leave it blank if unknown.")
        else:
            blank = [(i, "got no size") for i, c in enumerate(self.frame[column]) if is_blank(c)]
            remedy = "Fill in the size or delete the row"
            if self.places.lines is not None:
                remedy += ", or read the file with drop_invalid=True"
            self._report(column, wrong + blank, expected, remedy + ".")
        return values

    def _feature(self, column: str) -> pd.Series:
        """Return one of the user's own columns: numbers, flags or text."""
        cells = self.frame[column]
        flags = pd.api.types.is_bool_dtype(cells) or column == "instruct"
        if flags:
            return self._flags(column)
        if pd.api.types.is_numeric_dtype(cells):
            values = self._numbers(column, "a number, or a blank")
            wrong = [(i, f"got {show_number(v)}") for i, v in enumerate(values) if np.isinf(v)]
            self._report(column, wrong, "a finite number", "Correct it or leave it blank.")
            return pd.Series(values)
        text = [None if is_blank(cell) else str(cell).strip() for cell in cells]
        return pd.Series(text, dtype=None if any(text) else object)

    def _flags(self, column: str) -> pd.Series:
        cells = list(self.frame[column])
        flags = [None if is_blank(cell) else parse_flag(cell) for cell in cells]
        text = [
            (i, f"got {show_cell(cell)}")
            for i, (cell, flag) in enumerate(zip(cells, flags, strict=True))
            if flag is None and not is_blank(cell)
        ]
        self._report(column, text, "true or false", "Write true or false, or leave it blank.")
        return as_flags(flags)
