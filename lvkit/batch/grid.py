"""Grids: from a specification to a list of named runs, checked before any of them starts.

Fixed values are the same in all runs, a grid has lists whose every combination is a run, and runs
may be listed one by one. All problems are reported at once: nobody wants a batch to stop an hour
later over a misspelt parameter. Names of runs come from data, and data may hold anything: slashes,
dots, or a thousand letters. A folder's name is made of small letters, digits and hyphens only, so
that it is a name on every machine and never a path.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lvkit.batch.notebook import Parameter, Source, as_json, templates_with
from lvkit.batch.one_run import Run
from lvkit.batch.spec import Spec
from lvkit.errors import Problem, nearest, raise_problems, show_value

_LONGEST_VALUE = 200  # characters of a value in a title
_LONGEST_NAME = 60
_HASH = 10


def planned_runs(spec: Spec) -> list[Run]:
    """Return the runs of a specification.

    Parameters
    ----------
    spec : Spec
        The notebook and the values of its parameters.

    Returns
    -------
    list of Run
        At least one: every combination of the grid, for each of the runs listed one by one.

    Raises
    ------
    LvkitError
        With all problems: unknown parameters, values of a wrong type or that JSON does not
        know, values that are missing, lists without values, parameters that are given twice, runs
        that are the same.

    Examples
    --------
    >>> from lvkit.batch.notebook import open_template
    >>> spec = Spec(open_template("report"), {"seed": 1}, {"n_skills": [2, 3]})
    >>> [run.name for run in planned_runs(spec)]
    ['n-skills-2', 'n-skills-3']
    """
    source, grid, rows = spec.source, spec.grid, spec.runs or ({},)
    raise_problems([*_shape_problems(spec), *_value_problems(spec)])
    varied = [as_json({**row, **dict(zip(grid, values, strict=True))})
              for row in rows for values in itertools.product(*grid.values())]  # fmt: skip
    chosen = [as_json(spec.fixed) | values for values in varied]
    defaults = {p.name: as_json(p.default) for p in source.parameters if p.has_plain_default}
    whole = [defaults | values for values in chosen]
    first: dict[str, Any] = {}
    raise_problems(
        Problem(f"the run with {_listed(values) or 'these parameters'} comes twice")
        for all_values, values in zip(whole, varied, strict=True)
        if first.setdefault(json.dumps(all_values, sort_keys=True), values) is not values
    )
    return [
        Run(name, _title(source, all_values, values), all_values, frozenset(given), values)
        for name, all_values, given, values in zip(
            run_names(varied, source.name), whole, chosen, varied, strict=True
        )
    ]


def _title(source: Source, values: Mapping[str, Any], varied: Mapping[str, Any]) -> str:
    """Return the title of a run's page."""
    title = source.title
    if source.own:
        data = values.get("data")
        title += f": {Path(data).name if data else 'Open LLM Leaderboard'}"
    others = _listed({name: value for name, value in varied.items() if name != "data"})
    return f"{title} ({others})" if others else title


def _listed(values: Mapping[str, Any]) -> str:
    """Return values as text, each cut where it is long."""
    texts = {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
             for name, value in values.items()}  # fmt: skip
    return ", ".join(
        f"{name} = {text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + '…'}"
        for name, text in texts.items()
    )


def _shape_problems(spec: Spec) -> Iterator[Problem]:
    """Yield what is wrong with which parameters have values, and how often."""
    source, fixed, grid, rows = spec.source, spec.fixed, spec.grid, spec.runs
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
    in_all_rows = set.intersection(*map(set, rows)) if rows else set()
    for parameter in source.parameters:
        name = parameter.name
        if parameter.is_required and name not in {*fixed, *grid, *in_all_rows}:
            yield Problem(
                "no value, and the notebook has no default",
                f"parameter '{name}'",
                parameter.expected,
            )


def _instead(source: Source, name: str) -> str:
    """Return a sentence on the parameters there are where there is none of this name."""
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


def _value_problems(spec: Spec) -> Iterator[Problem]:
    """Yield what is wrong with the values themselves."""
    known = {parameter.name: parameter for parameter in spec.source.parameters}
    in_grid = ((name, value) for name, values in spec.grid.items() for value in values)
    in_rows = (pair for row in spec.runs for pair in row.items())
    for name, value in itertools.chain(spec.fixed.items(), in_grid, in_rows):
        if name in known:
            yield from _value_problem(known[name], value)


def _value_problem(parameter: Parameter, value: Any) -> Iterator[Problem]:
    seen, where = f"got {show_value(value)}", f"parameter '{parameter.name}'"
    try:
        plain = as_json(value)
    except (TypeError, ValueError):
        remedy = "Finite numbers, Unicode text, and lists and mappings of such can be written."
        yield Problem(seen, where, f"{parameter.expected} that can be written as JSON", remedy)
        return
    if not parameter.accepts(plain):
        yield Problem(seen, where, parameter.expected)


def slug(text: str) -> str:
    """Return a text as letters, digits and hyphens; empty if it has none of the first two.

    Examples
    --------
    >>> slug("Größe <b>../../x</b>")
    'grosse-b-x-b'
    """
    folded = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")


def run_names(runs: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Return a name for each run, all different and none too long.

    Parameters
    ----------
    runs : sequence of mapping
        The values that distinguish each run from the others, by parameter.
    name : str
        The name of a run without such values.

    Examples
    --------
    >>> run_names([{"about": "gemma-2", "budget": 1e23}, {"about": "qwen2.5", "budget": 1e23}], "")
    ['about-gemma-2-budget-1e23', 'about-qwen2-5-budget-1e23']
    >>> run_names([{"about": "A b"}, {"about": "a.b"}], "")
    ['about-a-b-eb5d7ce344', 'about-a-b-2da8cf2db2']
    """
    plain = [
        "-".join(part for key, value in run.items() for part in (slug(key), _word(value)) if part)
        or slug(name)
        or "run"
        for run in runs
    ]
    often = Counter(plain)
    return [
        text if often[text] == 1 and len(text) <= _LONGEST_NAME else _marked(text, run)
        for text, run in zip(plain, runs, strict=True)
    ]


def _word(value: Any) -> str:
    """Return a value as part of a name; a path by its last part."""
    if isinstance(value, str):
        return slug(os.path.basename(value) if os.path.isabs(value) else value)
    if isinstance(value, float):
        return slug(f"{value:.6g}".replace("e+", "e"))
    return slug(json.dumps(value))


def _marked(text: str, run: Mapping[str, Any]) -> str:
    """Return a name that is cut, and distinguished from similar ones by a hash."""
    mark = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:_HASH]
    return f"{text[: _LONGEST_NAME - _HASH - 1].strip('-')}-{mark}"
