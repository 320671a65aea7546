"""Notebooks: which one a report runs, and the parameters that it takes.

A notebook is opened as text and taken apart only as far as its title and its parameters, which
takes no Jupyter and runs nothing: most problems of a batch are reported before anything heavy is
loaded. The cell tagged ``parameters`` is the notebook's interface: a line for each parameter with
its default, often with a type as annotation and a comment for help. Types are JSON's, since values
travel to the kernel, into files and back. (papermill's ``inspect_notebook`` reads such cells line
by line: it misses parameters without a default, ``str | None``, and texts with an equals sign.)
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvkit.errors import LvkitError, nearest
from lvkit.tools.checks import split_quoted, unquoted
from lvkit.tools.files import shipped_notebooks

# lvkit's own reports, each with the title of its pages.
TEMPLATES = {
    "report": "lvkit report",
    "family": "lvkit family report",
    "leaderboard": "lvkit leaderboard report",
}

# The parameter that names the folder of the fits that reports share: the only one written to.
CACHE = "cache"

# Parameters of lvkit's reports that name files or folders; a family rule may be a file.
_FILES = ("data", "benchmarks", "fit", CACHE)
_PERHAPS_FILES = ("family",)

_DEEPEST = 50  # levels of lists and mappings in a value; kernels, pages and files take many more

NO_DEFAULT = object()
COMPUTED = object()

# What Python calls JSON's types, in its words and in ours.
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "NoneType": "nothing (null)",
}


@dataclass(frozen=True)
class Parameter:
    """A line of a notebook's parameters cell.

    Attributes
    ----------
    name : str
        The variable.
    kinds : frozenset of str
        The types it takes: names of JSON's types in Python. Empty: the cell does not say.
    default : object
        Its default; ``NO_DEFAULT`` where the cell has none, ``COMPUTED`` where only running the
        cell would show it.
    help : str
        The comment behind it.
    """

    name: str
    kinds: frozenset[str]
    default: Any
    help: str

    @property
    def expected(self) -> str:
        """The values it takes, in words."""
        words = [words for kind, words in _KINDS.items() if kind in self.kinds]
        return " or ".join(words) or "a value of JSON's types"

    @property
    def has_plain_default(self) -> bool:
        """Whether JSON brings its default back unchanged."""
        try:
            return bool(as_json(self.default) == self.default)
        except (TypeError, ValueError):  # computed in the cell, or a set, say
            return False

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is NO_DEFAULT

    def accepts(self, value: Any) -> bool:
        """Return whether a value has the right type; whole numbers are numbers, ``True`` is none.

        Where a parameter takes numbers, but is not one of whole numbers, they must be such that a
        float can hold them: up to 1.8e308.
        """
        kind = type(value).__name__
        as_float = kind == "int" and "float" in self.kinds and abs(value) <= int(sys.float_info.max)
        return not self.kinds or kind in self.kinds or as_float

    def read(self, text: str) -> Any:
        """Return a text from a command line as a value of this parameter.

        A text that is no such value comes back unchanged, for the error message.

        Examples
        --------
        >>> (budget,) = read_parameters("budget: float = 1e22")
        >>> budget.read("3e21"), budget.read("much")
        (3e+21, 'much')
        """
        if self.kinds == {"str"}:
            return text
        value = _evaluated(text)
        return text if "str" in self.kinds and not self.accepts(value) else value

    def read_list(self, text: str) -> list[Any]:
        """Return ``a,b`` as a list of values; where values hold commas, ``"a,b",c`` or JSON's list.

        Raises
        ------
        LvkitError
            If a text begins like a list but is none, so that splitting it at commas is wrong.
        """
        if text.lstrip().startswith("["):
            values = _evaluated(text.strip())
            if isinstance(values, (list, tuple)):  # [1],[2] is two lists
                return list(values)
            raise LvkitError(
                f"got {text!r}",
                where=f"grid, parameter '{self.name}'",
                expected="""a list in JSON, such as '["a", "b"]', or values between commas""",
                remedy="Check whether a bracket or a quotation mark is missing.",
            )
        parts = split_quoted(text, ",") if text.strip() else []
        return [self.read(unquoted(p) if self.kinds == {"str"} else p.strip()) for p in parts]


@dataclass(frozen=True)
class Source:
    """A notebook to be run, perhaps many times.

    Attributes
    ----------
    name : str
        The template's name, or the file's without its ending.
    title : str
        The title of its pages.
    text : str
        The notebook, as JSON.
    parameters : tuple of Parameter
        Its parameters.
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
        kinds = [cell["cell_type"] for cell in json.loads(self.text)["cells"]]
        return kinds.count("code") + 1

    @property
    def is_tagged(self) -> bool:
        """Whether it has a cell tagged ``parameters``; without one it takes none."""
        return _parameters_code(json.loads(self.text)) is not None

    @property
    def files(self) -> tuple[str, ...]:
        """The parameters that are known to name files or folders."""
        known = _FILES + _PERHAPS_FILES if self.own else (CACHE,)
        names = {parameter.name for parameter in self.parameters}
        return tuple(name for name in known if name in names)

    def in_full(self, values: Mapping[str, Any], folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Return values with absolute paths, for a kernel that works elsewhere.

        Parameters
        ----------
        values : mapping
            Values by parameter.
        folder : path-like
            Where relative paths start. In the user's notebook, a text is a path if a file is there.
        """
        try:
            return {name: self._in_full(name, item, Path(folder)) for name, item in values.items()}
        except RecursionError:  # an endless value is refused later, with all other problems
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
    """Open one of lvkit's reports, by its name in `TEMPLATES`.

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
    names = [template for template in TEMPLATES if f"{template}.ipynb" in shipped]
    if name not in names:
        raise LvkitError(
            f"got {name!r}",
            where="template",
            expected=f"one of {', '.join(names)}",
            remedy=f"A notebook of your own is given as notebook='PATH'.{nearest(name, names)}",
        )
    text = shipped[f"{name}.ipynb"].decode("utf-8")
    code = _parameters_code(json.loads(text))
    return Source(name, TEMPLATES[name], text, read_parameters(code or ""), own=True)


def templates_with(parameter: str) -> list[str]:
    """Return the names of lvkit's reports that have a parameter."""
    sources = [open_template(name) for name in TEMPLATES if f"{name}.ipynb" in shipped_notebooks()]
    return [source.name for source in sources
            if parameter in {known.name for known in source.parameters}]  # fmt: skip


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
        problem = _malformed(document)
    except OSError as error:
        raise LvkitError(
            f"cannot read the notebook ({error.strerror})", where=f"'{file}'"
        ) from error
    except (ValueError, RecursionError):
        problem = "the file is not JSON"
    if problem:
        raise LvkitError(problem, where=f"'{file}'", expected="a Jupyter notebook in Python")
    code = _parameters_code(document)
    parameters = read_parameters(code or "", f"'{file}', parameters cell")
    return Source(file.stem, _title(document) or file.stem, text, parameters, own=False)


def _malformed(document: Any) -> str:
    """Return what keeps a document from being a notebook in Python; empty for such a notebook."""
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return "the file has no cells"
    if not isinstance(document.get("nbformat", 4), int):
        return "its nbformat is not a number"
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        return "its metadata are not a mapping"
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        if not isinstance(metadata.get(part) or {}, dict):
            return "its metadata are not a mapping"
        language = (metadata.get(part) or {}).get(key)
        if language not in (None, "", "python"):
            return f"the notebook is written in {language}"
    wrong = [f"cell {number}: {wrong}" for number, cell in enumerate(cells, start=1)
             if (wrong := _malformed_cell(cell))]  # fmt: skip
    return wrong[0] if wrong else ""


def _malformed_cell(cell: Mapping[str, Any]) -> str:
    """Return what is wrong with a cell; empty for a sound one."""
    metadata, code = cell.get("metadata", {}), cell.get("source", "")
    if not isinstance(cell.get("cell_type"), str):
        return "it has no cell_type"
    if not isinstance(metadata, dict):
        return "its metadata are not a mapping"
    if not _is_list_of(str, metadata.get("tags", [])):
        return "its tags are not a list of texts"
    if not isinstance(code, str) and not _is_list_of(str, code):
        return "its source is neither a text nor a list of texts"
    if not _is_list_of(dict, cell.get("outputs", [])):
        return "its outputs are not a list of mappings"
    return ""


def _is_list_of(kind: type, values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _parameters_code(document: Mapping[str, Any]) -> str | None:
    """Return the code of the first cell that is tagged ``parameters``; None if none is."""
    tagged = (cell for cell in document["cells"]
              if "parameters" in cell.get("metadata", {}).get("tags", ()))  # fmt: skip
    cell = next(tagged, None)
    return None if cell is None else _code(cell)


def _title(document: Mapping[str, Any]) -> str:
    """Return a notebook's first heading."""
    texts = [_code(cell) for cell in document["cells"] if cell.get("cell_type") == "markdown"]
    titles = [title for text in texts for title in re.findall(r"^# +(.+?) *$", text, re.M)]
    return str(titles[0]) if titles else ""


def _code(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def as_json(value: Any) -> Any:
    """Return a value as it comes back from JSON.

    Raises
    ------
    TypeError, ValueError
        If JSON has no such value: a path, a date, a number that is not finite, a text that is not
        Unicode; if it is nested too deeply, or a whole number too long to be written out.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        plain = json.loads(text)
        is_deep = _depth(plain) > _DEEPEST
    except RecursionError:
        is_deep = True
    if is_deep:
        raise ValueError("nested too deeply")
    return plain


def _depth(value: Any) -> int:
    """Return how many lists and mappings a value of JSON's is nested in, itself included."""
    if not isinstance(value, (list, dict)):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, items), default=0)


def read_parameters(source: str, where: str = "parameters cell") -> tuple[Parameter, ...]:
    r"""Read a parameters cell without running it.

    Parameters
    ----------
    source : str
        The cell's code. Each assignment of a name is a parameter; anything else is ignored.
    where : str
        The place of the cell, for an error.

    Returns
    -------
    tuple of Parameter
        In the cell's order. The type is the annotation's where there is one, otherwise the
        default's; a whole number without an annotation takes any number.

    Raises
    ------
    LvkitError
        If the cell is not Python, which it must be to be read without being run.

    Examples
    --------
    >>> seed, name = read_parameters("seed: int = 0  # of all that is random\nname: str")
    >>> seed.default, seed.help, seed.expected, name.is_required
    (0, 'of all that is random', 'a whole number', True)
    """
    try:
        assignments = list(_assignments(ast.parse(source)))
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {token.start[0]: token.string.lstrip("# ") for token in tokens
                    if token.type == tokenize.COMMENT}  # fmt: skip
        parameters = {}
        for name, annotation, value, line in assignments:
            default = NO_DEFAULT if value is None else _constant(value)
            kinds = _kinds(annotation, default)
            parameters[name] = Parameter(name, kinds, default, comments.get(line, ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        why = f" ({error.msg}, line {error.lineno})" if isinstance(error, SyntaxError) else ""
        raise LvkitError(
            f"the cell is not plain Python{why}",
            where=where,
            remedy="Keep magics and shell commands in other cells.",
        ) from error
    return tuple(parameters.values())


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None, ast.expr | None, int]]:
    """Yield name, annotation, value and last line of every assignment to a name."""
    for node in tree.body:
        line = node.end_lineno or node.lineno
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation, node.value, line
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, None, node.value, line


def _constant(value: ast.expr) -> Any:
    """Return the value of an expression, if it is known without running it."""
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return COMPUTED


def _kinds(annotation: ast.expr | None, default: Any) -> frozenset[str]:
    """Return the types a parameter takes; empty where they are unknown."""
    if annotation is not None:
        kinds = _annotated(annotation)
        return kinds | {"NoneType"} if kinds and default is None else kinds
    if default is None or default is NO_DEFAULT or default is COMPUTED:
        return frozenset()
    kind = type(default).__name__
    return frozenset({"int", "float"} if kind == "int" else {kind} & {*_KINDS})


def _annotated(node: ast.expr) -> frozenset[str]:
    """Return the types that an annotation names; empty if it names another one."""
    if isinstance(node, ast.Constant):
        if node.value is None:
            return frozenset({"NoneType"})
        try:
            return _annotated(ast.parse(str(node.value), mode="eval").body)
        except SyntaxError:  # an annotation is any text
            return frozenset()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _either(node.left, node.right)
    outer = node.value if isinstance(node, ast.Subscript) else node
    name = str(getattr(outer, "id", getattr(outer, "attr", "")))
    if isinstance(node, ast.Subscript) and name in ("Optional", "Union"):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _either(*inner, *([ast.Constant(None)] if name == "Optional" else []))
    return frozenset({{"List": "list", "Dict": "dict"}.get(name, name)} & {*_KINDS})


def _either(*nodes: ast.expr) -> frozenset[str]:
    parts = [_annotated(node) for node in nodes]
    return frozenset().union(*parts) if all(parts) else frozenset()


def _evaluated(text: str) -> Any:
    """Return a text as JSON or Python writes a value, or the text itself."""
    for reader in (json.loads, ast.literal_eval):
        try:
            return reader(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text
