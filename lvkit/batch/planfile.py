"""Plan files: a batch written down, to be run again and handed on.

TOML or YAML with a few tables: which notebook, fixed parameters, a grid, or runs one by one. A plan
may come from anybody, so it is read as data only, every key that is not understood is refused, and
it cannot have files written outside the folder it is in and the folder that the user names. It can
name a notebook, but naming is not trusting: the user names the same notebook too, or nothing of it
runs.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lvkit.errors import LvkitError, Problem, nearest, show_value

_KEYS = {"template": str, "notebook": str, "parameters": dict, "grid": dict, "runs": list}
_SAID = {str: "a text", dict: "a table of parameters", list: "a list of tables"}


@dataclass(frozen=True)
class PlanFile:
    """What a plan file says; empty where it says nothing.

    Attributes
    ----------
    template, notebook : str
        One of lvkit's reports, or a notebook in full.
    parameters : mapping
        A value for each parameter that all runs share.
    grid : mapping
        A list of values for each parameter that differs; every combination is a run.
    runs : tuple of mapping
        Runs one by one: values by parameter. A grid is run for each.
    folder : pathlib.Path
        Where the file is; its relative paths start there.
    """

    template: str = ""
    notebook: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()
    folder: Path = Path()


def read_plan(path: str | os.PathLike[str]) -> PlanFile:
    r"""Read a plan file.

    Parameters
    ----------
    path : path-like
        ``.toml``, ``.yaml`` or ``.yml``.

    Raises
    ------
    LvkitError
        If it cannot be read, or says something that no plan says; all such problems in one list.

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
    found = _read(file)
    problems = [
        problem for name, value in found.items() for problem in _problems(file, name, value)
    ]
    if {"template", "notebook"} <= {*found}:
        problems.append(Problem("got both template and notebook", f"'{file}'", "one of them"))
    if problems:
        raise LvkitError.from_problems(problems)
    folder = file.absolute().parent
    if "notebook" in found:
        found["notebook"] = os.path.abspath(folder / found["notebook"])
    return PlanFile(**found | {"runs": tuple(found.get("runs", ())), "folder": folder})


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a plan file, as data."""
    readers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
    kind = file.suffix.lower()
    if kind not in readers:
        raise LvkitError(
            f"got the ending '{kind}'", where=f"'{file}'", expected=".toml, .yaml or .yml"
        )
    try:
        found = readers[kind](file.read_text("utf-8-sig"))
    except OSError as error:
        raise LvkitError(f"cannot read the plan ({error.strerror})", where=f"'{file}'") from error
    except UnicodeDecodeError as error:
        raise LvkitError("the plan is not text in UTF-8", where=f"'{file}'") from error
    except (ValueError, RecursionError) as error:
        told = " ".join(str(error).rstrip(".").split())
        raise LvkitError(f"cannot read the plan ({told})", where=f"'{file}'") from error
    if not isinstance(found, dict):
        raise LvkitError("the plan has no keys", where=f"'{file}'", expected=f"{', '.join(_KEYS)}")
    return {str(name): value for name, value in found.items()}


def _toml(text: str) -> Any:
    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    """Return YAML as data; nothing it says makes an object, a key twice is an error.

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
        """YAML's safe loader, which knows 1e23 for a number and refuses a key that comes twice."""

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


def _problems(file: Path, name: str, value: Any) -> list[Problem]:
    """Return what is wrong with a key of a plan."""
    where = f"'{file}', {name}"
    kind = _KEYS.get(name)
    if kind is None:
        remedy = f"A plan knows: {', '.join(_KEYS)}.{nearest(name, _KEYS)}"
        return [Problem("unknown key", where, remedy=remedy)]
    if not isinstance(value, kind):
        return [Problem(f"got {show_value(value)}", where, _SAID[kind])]
    if name == "grid":
        return [
            Problem(f"got {show_value(values)}", f"{where}, {parameter}", "a list of values")
            for parameter, values in value.items()
            if not isinstance(values, list)
        ]
    if name == "runs":
        return [
            Problem(f"got {show_value(run)}", f"{where}, number {number}", "a table of parameters")
            for number, run in enumerate(value, start=1)
            if not isinstance(run, dict)
        ]
    return []
