"""Grids: from what the user wishes to a list of runs, checked before any of them starts.

Fixed values are the same in all runs, a grid gives lists whose every combination is a run, and runs
may be told one by one. Everything that is wrong is told at once: a batch that stops an hour later
over a misspelt parameter would be a bad servant.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvkit.batch.names import run_names
from lvkit.batch.parameters import Parameter, as_json
from lvkit.batch.source import Source, templates_with
from lvkit.errors import LvkitError, Problem, nearest, show_value

# Characters of a value in a title.
_LONGEST = 200


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be made.

    Attributes
    ----------
    name : str
        What its folder is called.
    title : str
        What its page is called.
    parameters : mapping
        A value for each of the notebook's parameters; a default that the notebook computes, or
        that JSON does not know, is left to it.
    given : frozenset of str
        The parameters whose value somebody chose.
    told : mapping
        The values that tell it from other runs.
    """

    name: str
    title: str
    parameters: Mapping[str, Any]
    given: frozenset[str]
    told: Mapping[str, Any]


def planned_runs(
    source: Source,
    fixed: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    runs: Iterable[Mapping[str, Any]] = (),
) -> list[PlannedRun]:
    """Return the runs that are wished for.

    Parameters
    ----------
    source : Source
        The notebook.
    fixed : mapping, optional
        Values that all runs share, by parameter.
    grid : mapping, optional
        Lists of values by parameter; every combination is a run.
    runs : iterable of mapping
        Runs one by one; the grid is run for each of them.

    Returns
    -------
    list of PlannedRun
        At least one.

    Raises
    ------
    LvkitError
        With all that is wrong: unknown parameters, values of a wrong type or that JSON does not
        know, values that are missing, lists without values, parameters that are given twice, runs
        that are the same.

    Examples
    --------
    >>> from lvkit.batch.source import open_template
    >>> report = open_template("report")
    >>> [run.name for run in planned_runs(report, {"seed": 1}, {"n_skills": [2, 3]})]
    ['n-skills-2', 'n-skills-3']
    """
    fixed, grid, rows = fixed or {}, grid or {}, [*runs] or [{}]
    problems = [
        *_shape_problems(source, fixed, grid, rows),
        *_value_problems(source, fixed, grid, rows),
    ]
    if problems:
        raise LvkitError.from_problems(_each_once(problems))
    told = [as_json({**row, **dict(zip(grid, values, strict=True))})
            for row in rows for values in itertools.product(*grid.values())]  # fmt: skip
    settings = [as_json(fixed) | run for run in told]
    defaults = {p.name: as_json(p.default) for p in source.parameters if p.has_plain_default}
    whole = [defaults | values for values in settings]
    _refuse_same(told, whole)
    names = run_names(told, source.name)
    return [
        PlannedRun(name, _title(source, all_values, run), all_values, frozenset(values), run)
        for name, all_values, values, run in zip(names, whole, settings, told, strict=True)
    ]


def _title(source: Source, values: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """Return what a run's page is called."""
    title = source.title
    if source.own:
        data = values.get("data")
        title += f": {Path(data).name if data else 'Open LLM Leaderboard'}"
    parts = [f"{name} = {_shown(value)}" for name, value in told.items() if name != "data"]
    return f"{title} ({', '.join(parts)})" if parts else title


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _shape_problems(
    source: Source,
    fixed: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    rows: Sequence[Mapping[str, Any]],
) -> Iterator[Problem]:
    """Yield what is wrong with which parameters are given, and how often."""
    known = {parameter.name for parameter in source.parameters}
    in_rows = [name for row in rows for name in row]
    for name in dict.fromkeys([*fixed, *grid, *in_rows]):
        if name not in known:
            yield Problem("no such parameter", f"parameter '{name}'", remedy=_instead(source, name))
    for name in grid:
        if name in fixed or name in in_rows:
            yield Problem("given twice, in the grid and outside it", f"parameter '{name}'")
        if not len(grid[name]):
            yield Problem("got an empty list", f"grid, parameter '{name}'", "at least one value")
    for parameter in source.parameters:
        name = parameter.name
        if parameter.is_required and not ({name} & {*fixed, *grid} or all(name in r for r in rows)):
            yield Problem(
                "no value, and the notebook has no default",
                f"parameter '{name}'",
                parameter.expected,
            )


def _instead(source: Source, name: str) -> str:
    """Say which parameters there are where there is none of this name."""
    known = sorted(parameter.name for parameter in source.parameters)
    there = ", ".join(known) or "none"
    if not source.is_tagged:
        return f"The notebook has no cell tagged 'parameters'; tag the one that assigns {name}."
    if not source.own:
        return f"The notebook's parameters: {there}.{nearest(name, known)}"
    others = "".join(f"; the template '{other}' has '{name}': template='{other}'"
                     for other in templates_with(name))  # fmt: skip
    meant = "" if others else nearest(name, known)
    return f"The template '{source.name}' has: {there}{others}.{meant}"


def _value_problems(
    source: Source,
    fixed: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    rows: Sequence[Mapping[str, Any]],
) -> Iterator[Problem]:
    """Yield what is wrong with the values themselves."""
    known = {parameter.name: parameter for parameter in source.parameters}
    in_grid = ((name, value) for name, values in grid.items() for value in values)
    in_rows = (pair for row in rows for pair in row.items())
    for name, value in itertools.chain(fixed.items(), in_grid, in_rows):
        if name in known:
            yield from _value_problem(known[name], value)


def _value_problem(parameter: Parameter, value: Any) -> Iterator[Problem]:
    where = f"parameter '{parameter.name}'"
    try:
        plain = as_json(value)
    except (TypeError, ValueError):
        remedy = "Finite numbers, Unicode text, and lists and mappings of such can be written."
        expected = f"{parameter.expected} that can be written as JSON"
        yield Problem(f"got {show_value(value)}", where, expected, remedy)
        return
    if not parameter.accepts(plain):
        yield Problem(f"got {show_value(value)}", where, parameter.expected)


def _refuse_same(told: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse runs that would do the same twice."""
    texts = [json.dumps(run, sort_keys=True) for run in runs]
    seen: set[str] = set()
    problems = []
    for text, run in zip(texts, told, strict=True):
        if text in seen:
            what = ", ".join(f"{name} = {_shown(value)}" for name, value in run.items())
            problems.append(Problem(f"the run with {what or 'these parameters'} comes twice"))
        seen.add(text)
    if problems:
        raise LvkitError.from_problems(_each_once(problems))


def _each_once(problems: Iterable[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
