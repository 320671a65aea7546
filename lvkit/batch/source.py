"""Sources: the notebook that a batch runs, one of lvkit's own or one of the user's.

A notebook is opened as text and taken apart only as far as its parameters and its title, which
takes no Jupyter: most of what can be wrong with a batch is found before anything heavy is loaded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvkit.batch.parameters import Parameter, read_parameters
from lvkit.errors import LvkitError, nearest
from lvkit.files import shipped_notebooks

# lvkit's own reports, each with what its pages are called.
TEMPLATES = {
    "report": "lvkit report",
    "family": "lvkit family report",
    "leaderboard": "lvkit leaderboard report",
}

# The parameter that names the folder of the fits that reports share: the only one written to.
CACHE = "cache"

# Their parameters that are files or folders; a family rule may be one.
_FILES = ("data", "benchmarks", "fit", CACHE)
_PERHAPS_FILES = ("family",)


@dataclass(frozen=True)
class Source:
    """A notebook to be run, perhaps many times.

    Attributes
    ----------
    name : str
        The template's name, or the file's without its ending.
    title : str
        What its pages are called.
    text : str
        The notebook, as JSON.
    parameters : tuple of Parameter
        What it can be told.
    own : bool
        Whether it is one of lvkit's templates.
    """

    name: str
    title: str
    text: str
    parameters: tuple[Parameter, ...]
    own: bool

    @property
    def n_cells(self) -> int:
        """The number of code cells, with the one that papermill puts in."""
        cells: list[Any] = json.loads(self.text)["cells"]
        return len([cell for cell in cells if cell["cell_type"] == "code"]) + 1

    @property
    def is_tagged(self) -> bool:
        """Whether it has a cell tagged ``parameters``; without one it takes none."""
        return _parameters_cell(json.loads(self.text)) is not None

    @property
    def files(self) -> tuple[str, ...]:
        """The parameters that are known to name files or folders."""
        known = _FILES + _PERHAPS_FILES if self.own else (CACHE,)
        there = {parameter.name for parameter in self.parameters}
        return tuple(name for name in known if name in there)

    def in_full(self, values: Mapping[str, Any], folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Return values in which files are told in full, for a kernel that works elsewhere.

        Parameters
        ----------
        values : mapping
            Values by parameter.
        folder : path-like
            Where relative paths start. In the user's notebook, a text is a path if a file is there.
        """
        try:
            return {name: self._in_full(name, item, Path(folder)) for name, item in values.items()}
        except RecursionError:  # a value that has no end is refused later, with all that is wrong
            return dict(values)

    def _in_full(self, name: str, value: Any, folder: Path) -> Any:
        if isinstance(value, list):
            return [self._in_full(name, item, folder) for item in value]
        if isinstance(value, dict):
            return {key: self._in_full(name, item, folder) for key, item in value.items()}
        if not isinstance(value, str) or not value or "\0" in value:
            return value
        path = os.path.abspath(folder / value)
        if self.own and name not in _FILES + _PERHAPS_FILES:
            return value
        return path if (self.own and name in _FILES) or os.path.isfile(path) else value


def open_template(name: str) -> Source:
    """Open one of lvkit's reports.

    Parameters
    ----------
    name : str
        One of `TEMPLATES`.

    Raises
    ------
    LvkitError
        If there is no such template.

    Examples
    --------
    >>> open_template("report").title
    'lvkit report'
    """
    shipped = shipped_notebooks()
    there = _shipped_templates()
    if name not in there:
        raise LvkitError(
            f"got {name!r}",
            where="template",
            expected=f"one of {', '.join(there)}",
            remedy=f"A notebook of your own is given as notebook='PATH'.{nearest(name, there)}",
        )
    text = shipped[f"{name}.ipynb"].decode("utf-8")
    return Source(name, TEMPLATES[name], text, _parameters(json.loads(text)), own=True)


def templates_with(parameter: str) -> list[str]:
    """Return the names of lvkit's reports that have a parameter.

    Examples
    --------
    >>> templates_with("about")
    ['family']
    """
    return [
        template
        for template in _shipped_templates()
        if parameter in {known.name for known in open_template(template).parameters}
    ]


def _shipped_templates() -> list[str]:
    shipped = shipped_notebooks()
    return [template for template in TEMPLATES if f"{template}.ipynb" in shipped]


def open_notebook(path: str | os.PathLike[str]) -> Source:
    """Open a notebook of the user's.

    Parameters
    ----------
    path : path-like
        A Python notebook. Its parameters stand in the cell tagged ``parameters``; without such a
        cell it takes none.

    Raises
    ------
    LvkitError
        If it cannot be read, or is not a notebook in Python.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
        document = json.loads(text)
    except OSError as error:
        raise LvkitError(
            f"cannot read the notebook ({error.strerror})", where=f"'{file}'"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _no_notebook(file, "the file is not JSON") from error
    if malformed := _malformed(document):
        raise _no_notebook(file, malformed)
    metadata = document.get("metadata", {})
    languages = [(metadata.get(part) or {}).get(key) for part, key in
                 (("kernelspec", "language"), ("language_info", "name"))]  # fmt: skip
    other = [language for language in languages if language not in (None, "", "python")]
    if other:
        raise _no_notebook(file, f"the notebook is written in {other[0]}")
    try:
        parameters = _parameters(document)
    except LvkitError as error:
        (problem,) = error.problems
        raise LvkitError(problem.seen, where=f"'{file}', {problem.where}",
                         remedy=problem.remedy) from error  # fmt: skip
    return Source(file.stem, _title(document) or file.stem, text, parameters, own=False)


def _no_notebook(file: Path, seen: str) -> LvkitError:
    return LvkitError(seen, where=f"'{file}'", expected="a Jupyter notebook in Python")


def _malformed(document: Any) -> str:
    """Return what keeps a document from being a notebook; empty for a notebook."""
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return "the file has no cells"
    if not isinstance(document.get("nbformat", 4), int):
        return "its nbformat is not a number"
    metadata = document.get("metadata", {})
    parts = ("kernelspec", "language_info")
    if not isinstance(metadata, dict) or not all(
        isinstance(metadata.get(part) or {}, dict) for part in parts
    ):
        return "its metadata are not a mapping"
    for number, cell in enumerate(cells, start=1):
        if wrong := _malformed_cell(cell):
            return f"cell {number}: {wrong}"
    return ""


def _malformed_cell(cell: Mapping[str, Any]) -> str:
    """Return what is wrong with a cell; empty for a sound one."""
    if not isinstance(cell.get("cell_type"), str):
        return "it has no cell_type"
    if not isinstance(cell.get("metadata", {}), dict):
        return "its metadata are not a mapping"
    if not _are_texts(cell.get("metadata", {}).get("tags", [])):
        return "its tags are not a list of texts"
    source = cell.get("source", "")
    if not isinstance(source, str) and not _are_texts(source):
        return "its source is neither a text nor a list of texts"
    outputs = cell.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        return "its outputs are not a list of mappings"
    return ""


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _parameters(document: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Return the parameters of a notebook."""
    cell = _parameters_cell(document)
    return () if cell is None else read_parameters(_code(cell))


def _parameters_cell(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first cell that is tagged ``parameters``; None if none is."""
    for cell in document["cells"]:
        if "parameters" in cell.get("metadata", {}).get("tags", ()):
            return dict(cell)
    return None


def _title(document: Mapping[str, Any]) -> str:
    """Return a notebook's first heading."""
    texts = [_code(cell) for cell in document["cells"] if cell.get("cell_type") == "markdown"]
    found = [title for text in texts for title in re.findall(r"^# +(.+?) *$", text, re.M)]
    return str(found[0]) if found else ""


def _code(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)
