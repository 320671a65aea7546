"""Wishes: what the user asks a batch for, from a plan file, a command line, or Python.

All three say the same things: a notebook, values that runs share, lists of values, runs one by one.
What is said on the spot comes on top of what the plan file says. Here they become one, with every
path in full.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvkit.batch.parameters import Parameter
from lvkit.batch.planfile import PlanFile
from lvkit.batch.source import CACHE, Source, open_notebook, open_template
from lvkit.errors import LvkitError, Problem, show_value


@dataclass(frozen=True)
class Wishes:
    """What a batch is asked for.

    Attributes
    ----------
    source : Source
        The notebook.
    fixed : mapping
        Values that all runs share.
    grid : mapping
        Lists of values.
    runs : tuple of mapping
        Runs one by one.
    """

    source: Source
    fixed: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    runs: tuple[Mapping[str, Any], ...]

    @classmethod
    def gathered(
        cls,
        source: Source,
        plan: PlanFile,
        fixed: Mapping[str, Any],
        grid: Mapping[str, Sequence[Any]],
        runs: Iterable[Mapping[str, Any]],
    ) -> Wishes:
        """Return the wishes of a plan file and of the user, the latter on top.

        Raises
        ------
        LvkitError
            If both give a list for one parameter, one a list and the other a value, or both give
            runs one by one; if the plan file would have something written outside its folder, or
            something read that is not a regular file.
        """
        outside = [*_problems_with_paths(source, plan)]
        if outside:
            raise LvkitError.from_problems(outside)
        twice = [Problem("got two lists, one in the plan", f"grid, parameter '{name}'")
                 for name in grid if name in plan.grid]  # fmt: skip
        twice += [Problem("got a value here, and a list in the plan's grid", f"parameter '{name}'")
                  for name in fixed if name in plan.grid]  # fmt: skip
        twice += [Problem("got a list here, and a value in the plan", f"grid, parameter '{name}'")
                  for name in grid if name in plan.parameters]  # fmt: skip
        runs = tuple(runs)
        if runs and plan.runs:
            twice.append(Problem("got runs here and in the plan", "runs", "one of them"))
        if twice:
            raise LvkitError.from_problems(twice)
        here = Path.cwd()
        return cls(
            source,
            source.in_full(plan.parameters, plan.folder) | source.in_full(fixed, here),
            source.in_full(plan.grid, plan.folder) | source.in_full(_lists(grid), here),
            tuple(source.in_full(run, plan.folder) for run in plan.runs)
            + tuple(source.in_full(run, here) for run in runs),
        )


def _problems_with_paths(source: Source, plan: PlanFile) -> Iterator[Problem]:
    """Yield what is wrong with the paths in a plan file, which may come from anybody.

    The cache is written to, so it lies in the folder of the plan file; all others are only read.
    """
    for name in source.files:
        rows = (plan.parameters, *plan.runs)
        values = [*plan.grid.get(name, ()), *(row[name] for row in rows if name in row)]
        for text in (value for value in values if isinstance(value, str) and value):
            if name == CACHE and _leads_outside(text, plan.folder):
                yield Problem(
                    f"got {show_value(text)}, which leads out of the plan file's folder",
                    f"plan, parameter '{name}'",
                    f"a folder in '{plan.folder}', as a relative path without '..'",
                    f"Leave it out of the plan, or give it yourself: parameters={{'{name}': DIR}} "
                    f"in Python, --set {name}=DIR in a shell.",
                )
            elif name != CACHE and _is_special(text, plan.folder):
                yield Problem(f"got {show_value(text)}", f"plan, parameter '{name}'", "a file")


def _leads_outside(text: str, folder: Path) -> bool:
    """Tell whether a path leads out of a folder, by itself or by a link."""
    if "\0" in text:  # no path at all
        return False
    try:
        inside = os.path.realpath(folder)
        common = os.path.commonpath([inside, os.path.realpath(folder / text)])
    except (OSError, ValueError):  # another drive, a loop of links
        return True
    return os.path.isabs(text) or ".." in Path(text).parts or common != inside


def _is_special(text: str, folder: Path) -> bool:
    """Tell whether a path is that of a device or a pipe, whose content may never end."""
    path = os.path.join(folder, text)
    return (
        "\0" not in text
        and os.path.exists(path)
        and not (os.path.isfile(path) or os.path.isdir(path))
    )


def chosen_source(
    template: str | None, notebook: str | os.PathLike[str] | None, plan: PlanFile
) -> Source:
    """Return the notebook that is to be run.

    Parameters
    ----------
    template, notebook : str, optional
        What the user names.
    plan : PlanFile
        What the plan file names.

    Raises
    ------
    LvkitError
        If they do not agree, there is no such notebook, or only the plan file names one that is
        not lvkit's own.
    """
    if template is not None and notebook is not None:
        raise LvkitError("got both a template and a notebook", expected="one of them")
    if plan.notebook:
        return _trusted(template, notebook, plan.notebook)
    if plan.template and notebook is not None:
        raise LvkitError(
            f"the plan is for the template '{plan.template}'",
            where=f"notebook '{os.fspath(notebook)}'",
            remedy="Leave out the notebook, or the plan's template.",
        )
    if notebook is not None:
        return open_notebook(notebook)
    if template is not None and plan.template not in ("", template):
        raise LvkitError(f"got '{template}', and the plan says '{plan.template}'", where="template")
    return open_template(template or plan.template or "report")


def _trusted(template: str | None, notebook: str | os.PathLike[str] | None, planned: str) -> Source:
    """Return the notebook that a plan names, if the user names it too."""
    if template is not None:
        raise LvkitError(f"got '{template}', and the plan names a notebook", where="template")
    if notebook is None:
        raise LvkitError(
            f"the plan names the notebook '{planned}', which is not lvkit's own",
            where="plan",
            remedy="Running a notebook runs its author's code on this machine. If you trust it, "
            f"name it yourself: notebook={planned!r}.",
        )
    if os.path.realpath(notebook) != os.path.realpath(planned):
        raise LvkitError(
            f"got '{os.fspath(notebook)}', and the plan names '{planned}'",
            where="notebook",
            expected="the same notebook",
        )
    return open_notebook(notebook)


def typed(
    source: Source, pairs: Sequence[tuple[str, str]], *, lists: bool = False
) -> dict[str, Any]:
    """Return what was typed in a shell as values of the notebook's parameters.

    Parameters
    ----------
    source : Source
        The notebook.
    pairs : sequence of (str, str)
        Parameter and text.
    lists : bool
        Whether each text is a list of values.

    Raises
    ------
    LvkitError
        If a parameter comes twice, or a list is none.

    Examples
    --------
    >>> typed(open_template("report"), [("clip", "0.01,0.02"), ("floor", "none")], lists=True)
    {'clip': [0.01, 0.02], 'floor': ['none']}
    """
    known = {parameter.name: parameter for parameter in source.parameters}
    names = [name for name, _ in pairs]
    twice = [Problem("given twice", f"parameter '{name}'")
             for name in dict.fromkeys(names) if names.count(name) > 1]  # fmt: skip
    if twice:
        raise LvkitError.from_problems(twice)
    readers = {name: known.get(name, Parameter(name, frozenset(), None, "")) for name in names}
    return {
        name: readers[name].read_list(text) if lists else readers[name].read(text)
        for name, text in pairs
    }


def _lists(grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return a grid's values as lists; a text is no list of letters."""
    wrong = [Problem(f"got {show_value(values)}", f"grid, parameter '{name}'", "a list of values")
             for name, values in grid.items()
             if isinstance(values, (str, Mapping)) or not hasattr(values, "__iter__")]  # fmt: skip
    if wrong:
        raise LvkitError.from_problems(wrong)
    return {name: list(values) for name, values in grid.items()}
