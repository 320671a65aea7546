"""The specification of a batch: its notebook, values that runs share, a grid, runs one by one.

It comes from a plan file, a command line or Python, in the same terms; values from the command line
or Python are added to those of the plan. A plan is TOML or YAML and may come from anybody: it is
read as data only, a key that is not known is refused, it writes no files outside its folder and the
folder that the user names, and a notebook that it names runs only if the user names it, too.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lvkit.batch.notebook import CACHE, Parameter, Source, open_notebook, open_template
from lvkit.errors import LvkitError, Problem, nearest, raise_problems, show_value

# The keys of a plan file: the type of the value, and that of its entries if it is restricted.
_TABLE = (dict, "a table of parameters")
_KEYS: dict[str, tuple[tuple[type, str], tuple[type, str] | None]] = {
    "template": ((str, "a text"), None),
    "notebook": ((str, "a text"), None),
    "parameters": (_TABLE, None),
    "grid": (_TABLE, (list, "a list of values")),
    "runs": ((list, "a list of tables"), _TABLE),
}


@dataclass(frozen=True)
class PlanFile:
    """The content of a plan file; empty where it has no such key.

    Attributes
    ----------
    template, notebook : str
        One of lvkit's reports, or the absolute path of a notebook.
    parameters : mapping
        A value for each parameter that all runs share.
    grid : mapping
        A list of values for each parameter that differs; every combination is a run.
    runs : sequence of mapping
        Runs one by one: values by parameter. A grid is run for each.
    folder : pathlib.Path
        Where the file is; its relative paths start there.
    """

    template: str = ""
    notebook: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    runs: Sequence[Mapping[str, Any]] = ()
    folder: Path = Path()


@dataclass(frozen=True)
class Spec:
    """The specification of a batch, with absolute paths.

    Attributes
    ----------
    source : Source
        The notebook.
    fixed : mapping
        Values that all runs share.
    grid : mapping
        Lists of values by parameter.
    runs : tuple of mapping
        Runs one by one.
    """

    source: Source
    fixed: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def from_plan(cls, source: Source, plan: PlanFile) -> Spec:
        """Return the specification in a plan file.

        Raises
        ------
        LvkitError
            If the plan would have something written outside its folder, or something read that is
            not a regular file.
        """
        raise_problems(_problems_with_paths(source, plan))
        parts = (plan.parameters, plan.grid, *plan.runs)
        fixed, grid, *runs = (source.in_full(part, plan.folder) for part in parts)
        return cls(source, fixed, grid, tuple(runs))

    def plus(
        self,
        fixed: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        runs: Iterable[Mapping[str, Any]] = (),
    ) -> Spec:
        """Return the specification with values of the user's added to those of a plan.

        Raises
        ------
        LvkitError
            If both have a list for one parameter, one a list and the other a value, or both have
            runs one by one; if a value of the grid is no list.
        """
        fixed, grid, runs = fixed or {}, grid or {}, tuple(runs)
        twice = [Problem("got two lists, one in the plan", f"grid, parameter '{name}'")
                 for name in grid if name in self.grid]  # fmt: skip
        twice += [Problem("got a value here, and a list in the plan's grid", f"parameter '{name}'")
                  for name in fixed if name in self.grid]  # fmt: skip
        twice += [Problem("got a list here, and a value in the plan", f"grid, parameter '{name}'")
                  for name in grid if name in self.fixed]  # fmt: skip
        if runs and self.runs:
            twice.append(Problem("got runs here and in the plan", "runs", "one of them"))
        raise_problems(twice)
        raise_problems(
            Problem(f"got {show_value(values)}", f"grid, parameter '{name}'", "a list of values")
            for name, values in grid.items()
            if isinstance(values, (str, Mapping)) or not hasattr(values, "__iter__")
        )
        lists = {name: list(values) for name, values in grid.items()}
        parts = (fixed, lists, *runs)
        fixed, grid, *more = (self.source.in_full(part, Path.cwd()) for part in parts)
        return Spec(
            self.source, {**self.fixed, **fixed}, {**self.grid, **grid}, (*self.runs, *more)
        )


def open_spec(
    template: str | None = None,
    notebook: str | os.PathLike[str] | None = None,
    plan: str | os.PathLike[str] | None = None,
) -> Spec:
    """Return the specification in a plan file, or an empty one, with its notebook opened.

    Parameters
    ----------
    template, notebook, plan : str, optional
        What the user names.

    Raises
    ------
    LvkitError
        If the plan cannot be read or is faulty, or they do not agree on a notebook.
    """
    content = PlanFile() if plan is None else read_plan(plan)
    return Spec.from_plan(chosen_source(template, notebook, content), content)


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
                    f"{show_value(text)} leads out of the plan file's folder",
                    f"plan, parameter '{name}'",
                    "a relative path inside it, without '..'",
                    f"If you want it there, say so yourself: parameters={{'{name}': DIR}} "
                    f"in Python, --set {name}=DIR in a shell.",
                )
            elif name != CACHE and _is_special(text, plan.folder):
                yield Problem(f"got {show_value(text)}", f"plan, parameter '{name}'", "a file")


def _leads_outside(text: str, folder: Path) -> bool:
    """Return whether a path leads out of a folder, by itself or by a link."""
    if "\0" in text:  # no path at all
        return False
    try:
        inside = os.path.realpath(folder)
        common = os.path.commonpath([inside, os.path.realpath(folder / text)])
    except (OSError, ValueError):  # another drive, a loop of links
        return True
    return os.path.isabs(text) or ".." in Path(text).parts or common != inside


def _is_special(text: str, folder: Path) -> bool:
    """Return whether a path is that of a device or a pipe, whose content may never end."""
    path = folder / text
    return "\0" not in text and path.exists() and not (path.is_file() or path.is_dir())


def chosen_source(
    template: str | None, notebook: str | os.PathLike[str] | None, plan: PlanFile
) -> Source:
    """Open the notebook that is to be run.

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
    name = None if notebook is None else os.fspath(notebook)
    if template is not None and name is not None:
        raise LvkitError("got both a template and a notebook", expected="one of them")
    if template is not None and plan.notebook:
        raise LvkitError(f"got '{template}', and the plan names a notebook", where="template")
    if template is not None and plan.template not in ("", template):
        raise LvkitError(f"got '{template}', and the plan says '{plan.template}'", where="template")
    if plan.notebook and name is None:
        raise LvkitError(
            f"the plan names the notebook '{plan.notebook}', which is not lvkit's own",
            where="plan",
            remedy="Running a notebook runs its author's code on this machine. If you trust it, "
            f"name it yourself: notebook={plan.notebook!r}.",
        )
    if name is None:
        return open_template(template or plan.template or "report")
    if plan.notebook and os.path.realpath(name) != os.path.realpath(plan.notebook):
        raise LvkitError(
            f"got '{name}', and the plan names '{plan.notebook}'",
            where="notebook",
            expected="the same notebook",
        )
    if plan.template:
        raise LvkitError(
            f"the plan is for the template '{plan.template}'",
            where=f"notebook '{name}'",
            remedy="Leave out the notebook, or the plan's template.",
        )
    return open_notebook(name)


def typed(
    source: Source, pairs: Sequence[tuple[str, str]], *, lists: bool = False
) -> dict[str, Any]:
    """Return texts from a command line as values of the notebook's parameters.

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
    raise_problems(Problem("given twice", f"parameter '{name}'")
                  for name in dict.fromkeys(names) if names.count(name) > 1)  # fmt: skip
    readers = {name: known.get(name, Parameter(name, frozenset(), None, "")) for name in names}
    return {
        name: readers[name].read_list(text) if lists else readers[name].read(text)
        for name, text in pairs
    }


def read_plan(path: str | os.PathLike[str]) -> PlanFile:
    r"""Read a plan file.

    Parameters
    ----------
    path : path-like
        ``.toml``, ``.yaml`` or ``.yml``.

    Raises
    ------
    LvkitError
        If it cannot be read, or has unknown keys or values of a wrong type; all such problems in
        one list.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plan.toml"
    ...     _ = path.write_text('template = "family"\n[grid]\nabout = ["gemma-2", "qwen2.5"]')
    ...     read_plan(path).grid
    {'about': ['gemma-2', 'qwen2.5']}
    """
    file = Path(path)
    content = _read(file)
    problems = [problem for name, value in content.items()
                for problem in _problems(f"'{file}', {name}", name, value)]  # fmt: skip
    if {"template", "notebook"} <= {*content}:
        problems.append(Problem("got both template and notebook", f"'{file}'", "one of them"))
    raise_problems(problems)
    folder = file.absolute().parent
    if "notebook" in content:
        content["notebook"] = os.path.abspath(folder / content["notebook"])
    return PlanFile(**content, folder=folder)


def _problems(where: str, name: str, value: Any) -> Iterator[Problem]:
    """Yield what is wrong with a key of a plan."""
    if name not in _KEYS:
        remedy = f"The keys of a plan: {', '.join(_KEYS)}.{nearest(name, _KEYS)}"
        yield Problem("unknown key", where, remedy=remedy)
        return
    (kind, words), entry = _KEYS[name]
    if not isinstance(value, kind):
        yield Problem(f"got {show_value(value)}", where, words)
    elif entry is not None:
        items: Any = value
        named = items if kind is dict else {f"number {n}": each for n, each in enumerate(items, 1)}
        for place, item in named.items():
            if not isinstance(item, entry[0]):
                yield Problem(f"got {show_value(item)}", f"{where}, {place}", entry[1])


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a plan file, as data."""
    readers: dict[str, Callable[..., Any]] = dict.fromkeys((".yaml", ".yml"), _yaml)
    readers[".toml"] = tomllib.loads
    kind, where = file.suffix.lower(), f"'{file}'"
    if kind not in readers:
        raise LvkitError(f"got the ending '{kind}'", where=where, expected=".toml, .yaml or .yml")
    try:
        content = readers[kind](file.read_text("utf-8-sig"))
    except OSError as error:
        raise LvkitError(f"cannot read the plan ({error.strerror})", where=where) from error
    except UnicodeDecodeError as error:
        raise LvkitError("the plan is not text in UTF-8", where=where) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).rstrip(".").split())
        raise LvkitError(f"cannot read the plan ({reason})", where=where) from error
    if not isinstance(content, dict):
        raise LvkitError("the plan has no keys", where=where, expected=f"{', '.join(_KEYS)}")
    return {str(name): value for name, value in content.items()}


def _yaml(text: str) -> Any:
    """Return YAML as data; nothing in it makes an object, a key twice is an error.

    Aliases are refused: a few lines of them make a value that fills the memory, or has no end.
    """
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as error:
        raise LvkitError(
            "plans in YAML need PyYAML, which is not installed",
            remedy="Install it with: pip install 'lvkit[report]', or write the plan in TOML.",
        ) from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """YAML's safe loader, which reads 1e23 as a number and refuses a key that comes twice."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError(f"a plan has no aliases,{self.peek_event().start_mark}")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"the key '{twice[0]}' comes twice,{node.start_mark}")
            return super().construct_mapping(node, deep=deep)

    number = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)  # a safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except (LookupError, AttributeError, TypeError) as error:  # as in '!!int ""' and '!!bool x'
        raise ValueError(f"a value is not of the kind that its tag names: {error}") from error
