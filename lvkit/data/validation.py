"""Validation: a table becomes the content of a panel, or a list of all its problems.

Everything that could make a fit wrong or impossible to read is looked for here, once. Nothing is
repaired silently: a misspelt column, a score in percent or a model named twice is reported with
its row, its model and its column, together with all the other problems of the table, so that a file
is fixed in one go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import (
    Floats,
    Places,
    by_name,
    column_flags,
    column_numbers,
    first_few,
    is_blank,
    name_notes,
    name_text,
    no_name,
    number_names,
    show_cell,
    show_number,
    text_remedy,
)
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
from lvkit.data.model_names import family_from_name, size_in_name
from lvkit.data.scores import (
    ScoreUnit,
    as_fractions,
    below_chance_notes,
    failed_run_notes,
    percent_signs,
    score_units,
    unit_problem,
)
from lvkit.data.sizes import (
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

_SHOWN = 10
_SCORE = "a score from 0 to 1, or a blank if it was not measured"


class Checked(NamedTuple):
    """The content of a valid table.

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
        With every problem. Where the header is so wrong that rows have no name or no size, cells
        are not read.
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
    """Reads the cells of one table; problems pile up in `problems`, remarks in `notes`."""

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
        self.chance = chance
        self.unit_in_doubt = False
        self.name_notes: list[str] = []
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.bad_rows: dict[int, str] = {}
        self.bad_columns: set[str] = set()
        self.names = self._names("models", list(frame["model"]), "model")
        self._check_names()
        self.used = {"model", *MODEL_COLUMNS, *chance, family if isinstance(family, str) else ""}
        self.scores = self._scores()
        self.models = self._models(family)

    def note_on_bad_rows(self) -> str:
        """Say which rows hold an unusable cell."""
        rows = [f"{self._place(i)}: {self.bad_rows[i]}" for i in sorted(self.bad_rows)]
        shown = first_few(rows, _SHOWN, "; ")
        return f"left out {count(len(rows), 'unusable row')}: {shown}"

    def without_bad_rows(self, family: FamilyLike) -> _Reader:
        """Return a reader of the rows without an unusable cell."""
        keep = [i for i in range(len(self.frame)) if i not in self.bad_rows]
        places = Places([self.places.line(i) for i in keep], self.places.columns)
        frame = self.frame.iloc[keep].reset_index(drop=True)
        return _Reader(frame, places, family, self.chance, self.units)

    # -- problems --------------------------------------------------------------------------------

    def _report(self, column: str, bad: Mapping[int, str], expected: str, remedy: str) -> None:
        """Report what rows hold, in one column or, without one, as a whole; the first ones each."""
        where = self.places.column(column) if column else ""
        for row, seen in bad.items():
            self.bad_rows.setdefault(row, f"{seen} in {where}" if where else seen)
            self.bad_columns.add(column)
        for row, seen in list(bad.items())[:_SHOWN]:
            place = f"{self._place(row)}, {where}" if where else self._place(row)
            self.problems.append(Problem(seen, place, expected, remedy))
        if len(bad) > _SHOWN:
            like = "cells" if where else "rows"
            self.problems.append(Problem(f"{len(bad) - _SHOWN} more {like} like these", where))

    def _report_cells(
        self, column: str, rows: Sequence[int], expected: str, remedy: str = ""
    ) -> None:
        """Report cells that are not what their column holds."""
        cells = self.frame[column].iloc[list(rows)].tolist()
        seen = {row: f"got {show_cell(cell)}" for row, cell in zip(rows, cells, strict=True)}
        self._report(column, seen, expected, remedy or text_remedy(cells))

    def _doubt_unit(self, column: str, problem: Problem) -> None:
        """Report a column whose unit is wrong or open; leaving rows out does not decide it."""
        self.unit_in_doubt = True
        self.bad_columns.add(column)
        self.problems.append(replace(problem, where=self.places.column(column)))

    def _place(self, row: int) -> str:
        return self.places.row(row, self.names[row])

    # -- names -----------------------------------------------------------------------------------

    def _names(self, kind: str, cells: list[Any], column: str | None) -> list[str]:
        """Return cells as names; what a reader may want to know of them goes to `name_notes`."""
        names = [name_text(cell) for cell in cells]
        self.name_notes += name_notes(kind, cells, names)
        if column in self.frame and (note := number_names(self.frame[column])):
            self.name_notes.append(note)
        return names

    def _check_names(self) -> None:
        """Report models without a name and models named twice."""
        cells = list(self.frame["model"])
        blank = {row: no_name(cells[row]) for row, name in enumerate(self.names) if not name}
        self._report("model", blank, "the model's name", "Name the model or delete the row.")
        first: dict[str, int] = {}
        copies = {}
        for row, name in enumerate(self.names):
            if name and (before := first.setdefault(name, row)) != row:
                one, other = str(cells[before]).strip(), str(cells[row]).strip()
                written = "" if one == other else f" (written {one!a} there, {other!a} here)"
                copies[row] = f"named already in {self.places.row(before)}{written}"
        self._report("model", copies, "each model once", "Delete the copy or rename it.")

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
        out = self._names("families", cells, column if isinstance(family, str | None) else None)
        named = (row for row, name in enumerate(self.names) if name)
        blank = {row: no_name(cells[row], "family") for row in named if not out[row]}
        self._report(column, blank, "the model's family", "Give every model a family.")
        return out

    def _lineages(self, families: list[str]) -> list[str]:
        """Return the lineages. A family has one, as hold-out tests hold lineages out."""
        out = families
        if "lineage" in self.frame:
            lineages = self._names("lineages", list(self.frame["lineage"]), "lineage")
            out = [own or family for own, family in zip(lineages, families, strict=True)]
        first: dict[str, int] = {}
        astray = {}
        for row, name in enumerate(families):
            before = first.setdefault(name, row)
            if name and out[row] != out[before]:
                astray[row] = (
                    f"got lineage '{out[row]}' for family '{name}', which is of lineage "
                    f"'{out[before]}' in {self._place(before)}"
                )
        remedy = "Give its models the same lineage (a blank is the family itself), or split it."
        self._report("lineage", astray, "one lineage for all models of a family", remedy)
        return out

    # -- scores ----------------------------------------------------------------------------------

    def _scores(self) -> dict[str, Floats]:
        """Return the scores of each benchmark, NaN where not measured."""
        written = {}
        for name in self.chance:
            written[name], text = column_numbers(self.frame[name])
            if signs := percent_signs(self.frame[name], text):
                self._doubt_unit(name, signs)
            else:
                self._report_cells(name, text, _SCORE)
        units = score_units(written, self.chance)
        percent = [self.places.columns.get(n, n) for n in units if units[n] == "percent"]
        out = {}
        for name, unit in units.items():
            if problem := unit_problem(unit, written[name], percent, self._place):
                self._doubt_unit(name, problem)
            out[name] = as_fractions(written[name], unit)
            self._check_range(name, written[name], out[name], unit)
        return out

    def _check_range(self, column: str, written: Floats, scores: Floats, unit: ScoreUnit) -> None:
        """Report single scores that are impossible in the unit of their column."""
        most = {"fraction": 1.0, "neither": np.inf}.get(unit, 100.0)
        outside = (scores < 0) | (scores > most)
        percent = outside & (scores > 1) & (scores <= 100)
        fraction = "a score from 0 to 1, as the column holds fractions too"
        remedy = "If it is in percent, divide it by 100."
        self._report(column, _numbers(written, percent), fraction, remedy)
        remedy = "Correct the cell or leave it blank."
        self._report(column, _numbers(written, outside & ~percent), _SCORE, remedy)

    def check_empty(self) -> None:
        """Report rows and columns that hold no score at all."""
        missing = np.column_stack([np.isnan(values) for values in self.scores.values()])
        rows = [int(row) for row in np.flatnonzero(missing.all(axis=1)) if row not in self.bad_rows]
        seen = dict.fromkeys(rows, "the row has no score")
        self._report("", seen, "at least one", "Delete the row.")
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
            ratio = unusual_ratio(columns["params_b"], columns["tokens_t"])
            self.notes += [ratio] if ratio and not self.problems else []
        others = [name for name in self.frame.columns if name not in self.used]
        return pd.DataFrame(columns | {name: self._feature(name) for name in others})

    def _sizes(self, column: str, meaning: str) -> Floats:
        """Return sizes or tokens; only tokens may be missing."""
        unit = self.units.get(column, OWN_UNITS[column])
        expected = f"{meaning} in {unit.unit}: a positive, finite number"
        values, text, note = read_sizes(column, self.frame[column], unit)
        self._report_cells(column, text, expected)
        own, contradiction = values / unit.factor, ""
        stated = [size_in_name(name) for name in self.names] if column == "params_b" else []
        large = too_large(column, values)
        if misread := misread_column(column, values, stated):
            self._doubt_unit(column, misread)
        elif large.any():
            remedy = smaller_unit(column, np.nanmax(values))
            self._report(column, _numbers(own, large), expected, remedy)
        elif stated:
            contradiction = contradictions(values, stated, self._place)
        self.notes += [text for text in (note, contradiction) if text]
        wrong = _numbers(own, (values <= 0) | np.isinf(values))
        remedy = "Correct it, or leave it blank if unknown."
        if column == "params_b":
            cells = enumerate(self.frame[column])
            wrong |= {row: "got no size" for row, cell in cells if is_blank(cell)}
            file = self.places.lines is not None
            option = ", or read the file with drop_invalid=True" if file else ""
            remedy = f"Fill in the size or delete the row{option}."
        self._report(column, wrong, expected, remedy)
        return values

    def _feature(self, column: str) -> pd.Series:
        """Return one of the user's own columns: numbers, flags or text."""
        cells = self.frame[column]
        if pd.api.types.is_bool_dtype(cells) or column == "instruct":
            flags, text = column_flags(cells)
            remedy = "Write true or false, or leave it blank."
            self._report_cells(column, text, "true or false", remedy)
            return flags
        if pd.api.types.is_numeric_dtype(cells):
            values, text = column_numbers(cells)
            self._report_cells(column, text, "a number, or a blank")
            infinite = _numbers(values, np.isinf(values))
            self._report(column, infinite, "a finite number", "Correct it or leave it blank.")
            return pd.Series(values)
        words = [None if is_blank(cell) else str(cell).strip() for cell in cells]
        return pd.Series(words, dtype=None if any(words) else object)


def _numbers(values: Floats, where: npt.NDArray[np.bool_]) -> dict[int, str]:
    """Return what messages say about some numbers, by row."""
    return {int(row): f"got {show_number(values[row])}" for row in np.flatnonzero(where)}
