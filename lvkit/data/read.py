"""Reading of panels: CSV and Parquet, in lvkit's layout or as the leaderboard exports them.

A file is read in three steps that know nothing of each other: bytes to a table whose cells are
still as written, with the line of each row; a leaderboard export to lvkit's layout; the table to a
panel, as :mod:`lvkit.data.validation` checks it.
"""

from __future__ import annotations

import functools
import html
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvkit.data.cells import name_text
from lvkit.data.embedded import embedded_table
from lvkit.data.header import (
    NAME_COLUMNS,
    BenchmarksLike,
    FamilyLike,
    asked_features,
    without_unnamed,
)
from lvkit.data.leaderboard_export import convert, is_export
from lvkit.data.panel import Panel
from lvkit.data.side_files import family_rule, read_benchmarks
from lvkit.data.table_files import is_parquet, open_table, parse_csv, with_types
from lvkit.data.unknown_columns import date_notes
from lvkit.data.validation import validated
from lvkit.errors import LvkitError, LvkitWarning, Problem, count
from lvkit.tools.checks import check_choice

Layout = Literal["auto", "lvkit", "leaderboard"]


@dataclass(frozen=True)
class CheckReport:
    """The result of :func:`check_file`.

    Attributes
    ----------
    path : str
        The file.
    panel : Panel or None
        The panel it holds; None where something is wrong.
    problems : tuple of Problem
        What is wrong, each with its place and remedy; empty for a good file.
    notes : tuple of str
        What is worth knowing of a good file: rows left out, columns taken for features, columns
        that look like benchmarks.
    """

    path: str
    panel: Panel | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the file holds a panel."""
        return self.panel is not None

    def __str__(self) -> str:
        """Return what is in the file, or what is wrong with it, a line each."""
        if self.panel is not None:
            return "\n  ".join([f"{self.path}: {self.panel}", *(f"Note: {n}." for n in self.notes)])
        lines = (f"{n}. {problem}" for n, problem in enumerate(self.problems, start=1))
        return "\n  ".join([f"{self.path}: {count(len(self.problems), 'problem')}", *lines])

    def _repr_html_(self) -> str:
        """Return the report for notebooks: the panel and the notes, or what is wrong."""
        name = html.escape(Path(self.path).name)
        if self.panel is None:
            wrong = "".join(f"<li>{html.escape(str(problem))}</li>" for problem in self.problems)
            return f"<p>{name} holds no panel:</p><ol>{wrong}</ol>"
        notes = "".join(f"<li>{html.escape(note)}.</li>" for note in self.notes)
        return f"<p>{name}</p>{self.panel._repr_html_()}" + (f"<ul>{notes}</ul>" if notes else "")


def read_panel(
    path: str | os.PathLike[str],
    *,
    family: FamilyLike = None,
    benchmarks: BenchmarksLike | str | os.PathLike[str] = None,
    layout: Layout = "auto",
    drop_invalid: bool = False,
) -> Panel:
    """Return the panel in a CSV or Parquet file.

    Parameters
    ----------
    path : path-like
        A file whose name ends in ``.csv`` (UTF-8, commas), ``.parquet`` or ``.pq``.
    family : None, "from_name", str, mapping or callable
        Where the family comes from; see :meth:`lvkit.Panel.from_frame`.
    benchmarks : mapping, DataFrame or path-like, optional
        Benchmarks lvkit does not know, with their chance levels, or a CSV file with the columns
        ``benchmark`` and ``chance``; None for a column that looks like a benchmark and is a
        feature. See :meth:`lvkit.Panel.from_frame`.
    layout : "auto", "lvkit" or "leaderboard"
        lvkit's layout, or that of the Open LLM Leaderboard's exports; "auto" looks at the columns.
    drop_invalid : bool
        Leave out rows with an unusable cell, with a warning that lists them, instead of refusing
        the file. What is wrong with a whole column is refused all the same.

    Returns
    -------
    Panel
        Rows and benchmarks in the order of the file.

    Raises
    ------
    LvkitError
        If the file cannot be read, or with everything that is wrong with the table in it.

    Warns
    -----
    LvkitWarning
        If rows were left out: further evaluations of a model in an export, or rows dropped as
        `drop_invalid` asked. If a column that lvkit does not know looks like a benchmark: it is
        read as a feature. If scores look like failed runs. If names were unified, or differ only
        in case or spaces.
    """
    panel, notes = _read(path, family, benchmarks, layout, drop_invalid)
    for note in notes:
        warnings.warn(f"{Path(path).name}: {note}.", LvkitWarning, stacklevel=2)
    return panel


def check_file(
    path: str | os.PathLike[str],
    *,
    family: FamilyLike = None,
    benchmarks: BenchmarksLike | str | os.PathLike[str] = None,
    layout: Layout = "auto",
    drop_invalid: bool = False,
    content: bytes | None = None,
) -> CheckReport:
    r"""Return what is in a file and what is wrong with it; takes what :func:`read_panel` takes.

    Parameters
    ----------
    path, family, benchmarks, layout, drop_invalid
        As :func:`read_panel` takes them.
    content : bytes, optional
        What the file holds, where that is at hand (an upload); `path` is then only its name.

    Returns
    -------
    CheckReport
        Shows itself in notebooks.

    Examples
    --------
    >>> report = check_file("mine.csv", content=b"model,family,params_b,mmlu\nant-1b,ant,1,0.5")
    >>> report.panel
    <Panel: 1 model in 1 family, 1 benchmark, 1 score>
    """
    try:
        panel, notes = _read(path, family, benchmarks, layout, drop_invalid, content)
    except LvkitError as error:
        return CheckReport(str(path), None, error.problems)
    dates = date_notes(panel.models, asked_features(_benchmark_table(benchmarks)))
    return CheckReport(str(path), panel, (), (*notes, *dates, *_remarks(panel)))


def check_panel(panel: Panel, name: str = "panel") -> CheckReport:
    """Return the report on a panel that was read already.

    Examples
    --------
    >>> import lvkit as lv
    >>> check_panel(lv.load_leaderboard()).notes
    ('13 models without tokens_t: left out of fits that use log_tokens', ...)
    """
    return CheckReport(name, panel, (), tuple(_remarks(panel)))


@functools.cache
def load_leaderboard() -> Panel:
    """Return the embedded panel: 197 open language models, 12 benchmarks.

    Returns
    -------
    Panel
        The same immutable object on every call. 184 of the models have their size, their training
        tokens and at least one score: 67 families and 1,566 scores.

    Raises
    ------
    LvkitError
        If a table in the installed package is not the one that was released.

    Notes
    -----
    Source: the public Open LLM Leaderboard, v1 and v2, to August 2024; see ``PROVENANCE.md``.

    Examples
    --------
    >>> panel = load_leaderboard()
    >>> panel.n_models, panel.n_benchmarks
    (197, 12)
    """
    table = parse_csv(embedded_table("scores.csv"))
    return Panel._of(*validated(with_types(table.frame, NAME_COLUMNS))[:3])


def open_panel(
    data: str | os.PathLike[str] | None = None,
    *,
    family: str | Mapping[str, str] | None = None,
    benchmarks: str | os.PathLike[str] | Mapping[str, float | None] | None = None,
    drop_invalid: bool = False,
    complete: bool = False,
) -> Panel:
    """Return the panel of a user's file or, without one, the embedded leaderboard.

    Parameters
    ----------
    data : path-like, optional
        A table for :func:`lvkit.read_panel`; None or empty for the embedded one.
    family : str or mapping, optional
        ``"from_name"``, a column, a CSV file with the columns model and family, or a mapping; None
        or empty for the column ``family``.
    benchmarks : path-like or mapping, optional
        Benchmarks lvkit does not know: a CSV file with the columns benchmark and chance, or a
        mapping from one to the other; None or empty for none.
    drop_invalid : bool
        Leave out rows with an unusable cell, with a warning that lists them.
    complete : bool
        Keep only the models with every benchmark measured.

    Returns
    -------
    Panel

    Raises
    ------
    LvkitError
        If something is wrong with a file, or `family` or `benchmarks` come without one.

    Examples
    --------
    >>> open_panel().n_models, open_panel(complete=True).n_models
    (197, 83)
    """
    if data is not None and os.fspath(data):
        rule = family_rule(family)
        panel = read_panel(data, family=rule, benchmarks=benchmarks, drop_invalid=drop_invalid)
    elif family or benchmarks:
        raise LvkitError(
            "families or benchmarks are given, and no file that they speak of",
            remedy="Give the file, or leave them out.",
        )
    else:
        panel = load_leaderboard()
    return panel.complete() if complete else panel


def _read(
    path: str | os.PathLike[str],
    family: FamilyLike,
    benchmarks: BenchmarksLike | str | os.PathLike[str],
    layout: Layout,
    drop_invalid: bool,
    content: bytes | None = None,
) -> tuple[Panel, tuple[str, ...]]:
    """Return the panel in a file, and what was left out."""
    check_choice(layout, ("auto", "lvkit", "leaderboard"), "layout")
    if not isinstance(path, str | os.PathLike):
        raise LvkitError(
            f"got a {type(path).__name__}",
            where="path",
            expected="the path of a CSV or Parquet file",
            remedy="For a DataFrame use Panel.from_frame.",
        )
    benchmarks = _benchmark_table(benchmarks)
    table = open_table(Path(path), content)
    columns = [name_text(name) for name in table.frame.columns]
    if layout == "leaderboard" or (layout == "auto" and is_export(columns)):
        frame, unnamed = without_unnamed(table.frame.set_axis(columns, axis=1))
        table = convert(frame, table.places)
        table = table._replace(notes=(*unnamed, *table.notes))
    frame = table.frame
    if not is_parquet(Path(path)):
        frame = with_types(frame, {*NAME_COLUMNS, family if isinstance(family, str) else ""})
    *tables, notes = validated(
        frame, family=family, benchmarks=benchmarks, places=table.places, drop_invalid=drop_invalid
    )
    return Panel._of(*tables), (*table.notes, *notes)


def _remarks(panel: Panel) -> Iterator[str]:
    """Yield what the reader of a good file may want to know."""
    models = panel.models
    if "tokens_t" not in models:
        yield "no column tokens_t: fit with features='log_params'"
    elif lacking := int(models["tokens_t"].isna().sum()):
        yield f"{count(lacking, 'model')} without tokens_t: left out of fits that use log_tokens"
    layout = ("family", "lineage", "params_b", "tokens_t")
    others = [str(name) for name in models if name not in layout]
    if others:
        yield f"columns that are features, not scores: {', '.join(others)}"


def _benchmark_table(benchmarks: BenchmarksLike | str | os.PathLike[str]) -> BenchmarksLike:
    """Return what is known of further benchmarks, read from its file where it is one."""
    if not isinstance(benchmarks, str | os.PathLike):
        return benchmarks
    return read_benchmarks(benchmarks) if os.fspath(benchmarks) else None
