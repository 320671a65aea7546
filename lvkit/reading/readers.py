"""Files in, panels out: CSV and Parquet, in lvkit's layout or as the leaderboard exports them.

A file is read in three steps that know nothing of each other: bytes to a table whose cells are
still as written, with the line each row stands on; a leaderboard export to lvkit's layout; the
table to a panel, through the one door of :mod:`lvkit.reading.validation`.
"""

from __future__ import annotations

import html
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvkit.errors import LvkitError, LvkitWarning, Problem, count
from lvkit.panel import Panel
from lvkit.reading.header import (
    NAME_COLUMNS,
    BenchmarksLike,
    FamilyLike,
    asked_features,
    without_unnamed,
)
from lvkit.reading.leaderboard import convert, is_export
from lvkit.reading.names import name_text
from lvkit.reading.sidecars import read_benchmarks
from lvkit.reading.tables import Table, is_parquet, open_table, parse_csv, with_types
from lvkit.reading.unknown_columns import date_notes
from lvkit.reading.validation import validated

Layout = Literal["auto", "lvkit", "leaderboard"]


@dataclass(frozen=True)
class CheckReport:
    """What :func:`check_file` found.

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

    def _repr_html_(self) -> str:
        """Return what was found for notebooks: the panel and the notes, or what is wrong."""
        name = html.escape(Path(self.path).name)
        if self.panel is None:
            faults = "".join(f"<li>{html.escape(str(problem))}</li>" for problem in self.problems)
            return f"<p>{name} holds no panel:</p><ol>{faults}</ol>"
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


def panel_from_csv(text: str) -> Panel:
    """Return the panel in the text of a CSV file in lvkit's layout."""
    table = parse_csv(text)
    checked = validated(with_types(table.frame, NAME_COLUMNS), places=table.places)
    return Panel._of(checked.scores, checked.models, checked.benchmarks)


def _read(
    path: str | os.PathLike[str],
    family: FamilyLike,
    benchmarks: BenchmarksLike | str | os.PathLike[str],
    layout: Layout,
    drop_invalid: bool,
    content: bytes | None = None,
) -> tuple[Panel, tuple[str, ...]]:
    """Return the panel in a file, and what was left out."""
    if layout not in ("auto", "lvkit", "leaderboard"):
        raise LvkitError(
            f"got {layout!r}", where="layout", expected="'auto', 'lvkit' or 'leaderboard'"
        )
    if not isinstance(path, str | os.PathLike):
        raise LvkitError(
            f"got a {type(path).__name__}",
            where="path",
            expected="the path of a CSV or Parquet file",
            remedy="For a DataFrame use Panel.from_frame.",
        )
    path = Path(path)
    benchmarks = _benchmark_table(benchmarks)
    table = open_table(path, content)
    notes: tuple[str, ...] = ()
    columns = [name_text(name) for name in table.frame.columns]
    if layout == "leaderboard" or (layout == "auto" and is_export(columns)):
        frame, unnamed = without_unnamed(table.frame.set_axis(columns, axis=1))
        frame, places, notes = convert(frame, table.places)
        table, notes = Table(frame, places), (*unnamed, *notes)
    names = {*NAME_COLUMNS, family} if isinstance(family, str) else NAME_COLUMNS
    frame = table.frame if is_parquet(path) else with_types(table.frame, names)
    checked = validated(
        frame,
        family=family,
        benchmarks=benchmarks,
        places=table.places,
        drop_invalid=drop_invalid,
    )
    panel = Panel._of(checked.scores, checked.models, checked.benchmarks)
    return panel, (*notes, *checked.notes)


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
    return read_benchmarks(benchmarks) if isinstance(benchmarks, str | os.PathLike) else benchmarks
