"""Parameters: what a notebook can be told, as its own parameters cell says it.

The cell tagged ``parameters`` is the notebook's interface: a line for each parameter with its
default, often with a type as annotation and a comment for help. It is read here, not run, so that
wishes can be held against it before any kernel starts. Types are JSON's, since values travel to the
kernel, into files and back.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lvkit.errors import LvkitError
from lvkit.quoting import split_quoted, unquoted

# Levels of lists and mappings in a value; kernels, pages and files take many more.
_DEEPEST = 50

NO_DEFAULT = object()
COMPUTED = object()

# The range of a float; beyond it a whole number is no number to compute with.
_MOST = int(sys.float_info.max)
_LEAST = -_MOST

# What Python calls JSON's types, in its words and in ours.
_SAID = {
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
        Its value if nothing is said; ``NO_DEFAULT`` where the cell has none, ``COMPUTED`` where
        only running it would tell.
    help : str
        The comment behind it.
    """

    name: str
    kinds: frozenset[str]
    default: Any
    help: str

    @property
    def expected(self) -> str:
        """What values it takes, in words."""
        told = [said for kind, said in _SAID.items() if kind in self.kinds]
        return " or ".join(told) or "a value of JSON's types"

    @property
    def has_plain_default(self) -> bool:
        """Whether its default is a value that can be told: one that JSON brings back as it is."""
        try:
            return bool(as_json(self.default) == self.default)
        except (TypeError, ValueError):  # computed in the cell, or a set, say
            return False

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is NO_DEFAULT

    def accepts(self, value: Any) -> bool:
        """Tell whether a value has the right type; whole numbers are numbers, ``True`` is none.

        Where a parameter takes numbers, but is not one of whole numbers, they must be such that a
        float can hold them: up to 1.8e308.
        """
        kind = type(value).__name__
        as_float = kind == "int" and "float" in self.kinds and _LEAST <= value <= _MOST
        return not self.kinds or kind in self.kinds or as_float

    def read(self, text: str) -> Any:
        """Return what somebody typed in a shell as a value of this parameter.

        What does not read as one comes back as the text it is, for the complaint.

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
            If a text begins as a list does and is none: at its commas it would fall to pieces.
        """
        if text.lstrip().startswith("["):
            values = _evaluated(text.strip())
            if isinstance(values, (list, tuple)):  # [1],[2] is two lists
                return list(values)
            raise LvkitError(
                f"got {text!r}",
                where=f"grid, parameter '{self.name}'",
                expected="""a list in JSON, such as '["a", "b"]', or values between commas""",
                remedy="See whether a bracket or a quotation mark is missing.",
            )
        parts = split_quoted(text, ",") if text.strip() else []
        return [self.read(unquoted(p) if self.kinds == {"str"} else p.strip()) for p in parts]


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


def read_parameters(source: str) -> tuple[Parameter, ...]:
    r"""Read a parameters cell without running it.

    Parameters
    ----------
    source : str
        The cell's code. Each assignment of a name is a parameter; anything else is left alone.

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
        return _parameters(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        why = f" ({error.msg}, line {error.lineno})" if isinstance(error, SyntaxError) else ""
        raise LvkitError(
            f"the cell is not plain Python{why}",
            where="parameters cell",
            remedy="Keep magics and shell commands in other cells.",
        ) from error


def _parameters(source: str) -> tuple[Parameter, ...]:
    """Return the parameters of a cell, if it is Python."""
    tree = ast.parse(source)
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for name, annotation, value, line in _assignments(tree):
        default = NO_DEFAULT if value is None else _constant(value)
        kinds = _kinds(annotation, default)
        found[name] = Parameter(name, kinds, default, comments.get(line, ""))
    return tuple(found.values())


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


def _comments(source: str) -> dict[int, str]:
    """Return the comments of a piece of Python, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _constant(value: ast.expr) -> Any:
    """Return what an expression stands for, if that can be told without running it."""
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return COMPUTED


def _kinds(annotation: ast.expr | None, default: Any) -> frozenset[str]:
    """Return the types a parameter takes; empty where that cannot be told."""
    if annotation is not None:
        told = _annotated(annotation)
        return told | {"NoneType"} if told and default is None else told
    if default is None or default is NO_DEFAULT or default is COMPUTED:
        return frozenset()
    kind = type(default).__name__
    known = {"int", "float"} if kind == "int" else {kind} & {*_SAID}
    return frozenset(known)


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
        return _either([node.left, node.right])
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        outer = _last_name(node.value)
        if outer == "Optional":
            return _either([*inner, ast.Constant(None)])
        return _either(inner) if outer == "Union" else _named(outer)
    return _named(_last_name(node))


def _either(nodes: list[ast.expr]) -> frozenset[str]:
    parts = [_annotated(node) for node in nodes]
    return frozenset().union(*parts) if all(parts) else frozenset()


def _named(name: str) -> frozenset[str]:
    name = {"List": "list", "Dict": "dict"}.get(name, name)
    return frozenset({name} & {*_SAID})


def _last_name(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def _evaluated(text: str) -> Any:
    """Return a text as JSON or Python writes a value, or the text itself."""
    for reader in (json.loads, ast.literal_eval):
        try:
            return reader(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text
