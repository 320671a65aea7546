"""Formulas read with care: what they ask for, and nothing but features.

Formulaic evaluates whatever Python stands in a formula. A formula may come from a settings file or
a web form, so it is looked at before it is evaluated: columns, arithmetic, comparisons and a short
list of functions pass, anything else is refused by name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from lvkit.errors import LvkitError

__all__ = ["DEFAULT_FEATURES", "first_line", "parse_formula"]

DEFAULT_FEATURES = "log_params * log_tokens"
"""Size, tokens and their product: the formula where the user gives none."""

_NUMPY = frozenset(("log", "log10", "log2", "log1p", "exp", "exp2", "sqrt", "abs"))
_FUNCTIONS = _NUMPY | {"I", "C", "poly", "bs", "cs", "cr", "cc", "center", "scale", "standardize"}
_NODES = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.BinOp, ast.UnaryOp,
    ast.Compare, ast.operator, ast.unaryop, ast.cmpop, ast.Attribute, ast.List, ast.Tuple,
)  # fmt: skip


def parse_formula(formula: str) -> tuple[Any, tuple[str, ...]]:
    """Return the formula with an intercept, and the variables it needs, in order."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula
    from formulaic.parser import DefaultFormulaParser

    if not isinstance(formula, str) or not formula.strip():
        raise LvkitError(
            f"saw {formula!r}",
            where="features",
            expected="a formula",
            remedy=f"Write for example features='{DEFAULT_FEATURES}'.",
        )
    try:
        parsed = Formula(formula, _parser=DefaultFormulaParser(include_intercept=True))
    except Exception as error:  # on some texts, such as '[)', formulaic itself breaks
        known = isinstance(error, FormulaicError | SyntaxError)
        why = first_line(error) if known else "it is not a formula"
        raise _unreadable(formula, why) from error
    if not isinstance(parsed, SimpleFormula):
        raise _unreadable(formula, "it has two sides or several parts", "Leave out '~' and '|'.")
    terms = [term for term in parsed if str(term) != "1"]
    variables = dict.fromkeys(
        name for term in terms for factor in term.factors for name in _names(factor, formula)
    )
    if not variables:
        raise _unreadable(formula, "it has no features", "Name at least one, such as log_params.")
    return Formula(["1", *terms]), tuple(variables)


def _unreadable(formula: str, why: str, remedy: str = "") -> LvkitError:
    return LvkitError(
        f"cannot read '{formula}': {why}",
        where="features",
        remedy=remedy or f"Join names of columns by +, * or :, as in '{DEFAULT_FEATURES}'.",
    )


def first_line(error: BaseException) -> str:
    """Return what an error says, without colours, in one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error))
    return plain.strip().split("\n")[0].rstrip(".") or type(error).__name__


def _names(factor: Any, formula: str) -> Iterator[str]:
    """Yield the columns a factor needs; refuse what is not a feature."""
    if factor.eval_method.value == "lookup":
        yield factor.expr
    elif factor.eval_method.value == "python":
        yield from _names_in_code(factor.expr, formula)


def _names_in_code(code: str, formula: str) -> Iterator[str]:
    quoted: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        return quoted.setdefault(match[1], f"quoted_name_{len(quoted)}")

    try:
        tree = ast.parse(re.sub(r"`([^`]*)`", plain, code).strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise _unreadable(formula, f"'{code}' is not an expression") from error
    back = {short: name for name, short in quoted.items()}
    functions: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            functions.update(_allowed_function(node, formula))
        elif isinstance(node, ast.Attribute) and id(node) not in functions:
            raise _not_allowed(ast.unparse(node), formula)
        elif not isinstance(node, _NODES) or _is_huge_power(node):
            raise _not_allowed(code, formula)
        elif isinstance(node, ast.Name) and id(node) not in functions:
            yield back.get(node.id, node.id)


def _allowed_function(call: ast.Call, formula: str) -> Iterator[int]:
    """Yield the ids of the nodes that name an allowed function; refuse any other."""
    function = call.func
    yield id(function)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        yield id(function.value)
        if function.value.id == "np" and function.attr in _NUMPY:
            return
    elif isinstance(function, ast.Name) and function.id in _FUNCTIONS:
        return
    raise _not_allowed(ast.unparse(function), formula)


def _is_huge_power(node: ast.AST) -> bool:
    """Return whether a node is a power with anything but a small number above."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift)):
        return False
    power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    value = power.value if isinstance(power, ast.Constant) else None
    return not isinstance(value, int | float) or abs(value) > 10


def _not_allowed(code: str, formula: str) -> LvkitError:
    functions = ", ".join(sorted(_FUNCTIONS, key=str.lower))
    return LvkitError(
        f"'{code}' is not allowed",
        where=f"features '{formula}'",
        expected=f"columns, arithmetic and the functions {functions}",
        remedy="Compute anything else beforehand, as a column of the table.",
    )
