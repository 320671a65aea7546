"""The numbers that a formula gives for some models: one column for each feature.

The expressions of a formula are computed here, by walking their syntax trees, and not by Python's
``eval``: there are no builtins, no attributes and no way to a function that is not on the list.
This does not rely on the check that :func:`~lvkit.expressions.read_code` makes first; each of the
two is enough on its own. Formulaic then combines the values, which it knows by name only.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lvkit.categories import check_categories, check_learned, is_text
from lvkit.errors import LvkitError
from lvkit.expressions import NUMPY, OPTIONS, Code, called, not_allowed, read_code
from lvkit.formula import ParsedFormula, first_line

State = dict[str, dict[str, Any]]
"""What the functions of a formula have learned, by expression and by call."""

_MOST_FEATURES = 200

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def design_matrix(
    parsed: ParsedFormula, data: pd.DataFrame, state: State, *, formula: str, learned: Any = None
) -> tuple[pd.DataFrame, Any]:
    """Return the features of some models, an intercept included, and formulaic's specification.

    Parameters
    ----------
    parsed : ParsedFormula
        The formula.
    data : DataFrame
        Its variables, floats or texts, a row per model, without gaps.
    state : dict
        What the functions of the formula have learned; filled on the first call.
    formula : str
        The formula as it was written, for messages.
    learned : formulaic.ModelSpec, optional
        The specification of the first call; without it, this is the first call.

    Returns
    -------
    matrix : DataFrame
    specification : formulaic.ModelSpec

    Raises
    ------
    LvkitError
        If the formula cannot be computed, or would give too many features.
    """
    try:
        with np.errstate(all="ignore"):
            values = {
                text: evaluate(read_code(text, formula), data, state.setdefault(text, {}), formula)
                for text in parsed.expressions
            }
            if learned is None:
                _check_values(parsed, data, values, formula)
            matrix = (parsed.terms if learned is None else learned).get_model_matrix(
                data, context=values, na_action="ignore", output="pandas"
            )
            numbers = matrix.astype(float)
    except LvkitError:
        raise
    except Exception as error:  # formulaic passes on whatever its transforms raise
        raise LvkitError(
            f"the formula cannot be computed: {first_line(error)}",
            where=f"features '{formula}'",
            remedy="Check the columns and functions it uses.",
        ) from error
    columns = matrix.model_spec.column_names
    for name in columns:
        if columns.count(name) > 1:
            raise LvkitError(
                f"two features are called '{name}'",
                where=f"features '{formula}'",
                remedy="Rename the column of that name in the table.",
            )
    return pd.DataFrame(numbers), matrix.model_spec


def evaluate(code: Code, data: pd.DataFrame, state: dict[str, Any], formula: str) -> Any:
    """Return the value of an expression.

    Parameters
    ----------
    code : Code
        The expression.
    data : DataFrame
        The variables, a row per model.
    state : dict
        What the calls in the expression have learned; filled on the first call.
    formula : str
        The formula that contains it, for messages.

    Returns
    -------
    Series or what a transform of formulaic returns

    Raises
    ------
    LvkitError
        If the expression contains anything but columns, numbers, arithmetic and known functions.
    """

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Name(id=name) if code.columns.get(name) in data:
                return data[code.columns[name]]
            case ast.Constant(value=bool() | str() as plain):
                return plain
            case ast.Constant(value=int() | float() as number):
                return float(number)  # integers could grow without limit
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                sides = [_known(value(side), code, formula) for side in (left, right)]
                return _OPERATORS[type(op)](*sides)
            case ast.Call(args=[argument, *_]) if called(node):
                return call(node, value(argument))
        raise not_allowed(code.text, formula)

    def call(node: ast.Call, argument: Any) -> Any:
        name = called(node)
        if name == "I":
            return argument
        if name in NUMPY:
            return getattr(np, name)(argument)
        learned = state.setdefault(ast.unparse(node), {})
        if name == "C":
            return _categories(code.text, _known(argument, code, formula), learned)
        return _transformed(node, argument, learned, formula)

    return value(code.tree)


def _transformed(call: ast.Call, argument: Any, learned: dict[str, Any], formula: str) -> Any:
    """Return what a transform of formulaic makes of a column; `learned` is its memory."""
    from formulaic.transforms import TRANSFORMS

    name = called(call)
    values = dict(zip(OPTIONS[name], call.args[1:], strict=False))
    values |= {str(keyword.arg): keyword.value for keyword in call.keywords}
    if any(option not in OPTIONS[name] for option in values):
        raise not_allowed(ast.unparse(call), formula)
    try:
        options = {option: ast.literal_eval(value) for option, value in values.items()}
    except (ValueError, TypeError) as error:
        raise not_allowed(ast.unparse(call), formula) from error
    return TRANSFORMS[name](argument, **options, _state=learned)


def _categories(name: str, cells: pd.Series, learned: dict[str, Any]) -> Any:
    """Return a column as formulaic marks categories, which have to be those of the first call."""
    from formulaic.transforms import C

    if "values" not in learned:
        learned["values"] = check_categories(name, cells, chosen=True)
    check_learned(name, cells, learned["values"])
    return C(cells)


def _known(value: Any, code: Code, formula: str) -> Any:
    """Refuse a value that is compared with another, or is a category, and is not a number."""
    for model in value.index[value.isna()] if isinstance(value, pd.Series) else ():
        raise LvkitError(
            f"'{code.text}' cannot be computed for model '{model}'",
            where=f"features '{formula}'",
            remedy="Take logs and roots of positive numbers only.",
        )
    return value


def _check_values(
    parsed: ParsedFormula, data: pd.DataFrame, values: Mapping[str, Any], formula: str
) -> None:
    """Refuse columns that make no sense as categories, and products of too many columns."""
    widths = {}
    for name in {factor.expr: None for term in parsed.terms for factor in term.factors}:
        value = values[name] if name in values else data.get(name)
        widths[name] = _width(name, value)
    n_features = sum(math.prod(widths[f.expr] for f in term.factors) for term in parsed.terms) - 1
    if n_features > _MOST_FEATURES:
        raise LvkitError(
            f"got a formula of {n_features} features",
            where=f"features '{formula}'",
            expected=f"at most {_MOST_FEATURES}",
            remedy="Use fewer features, or columns with fewer categories.",
        )


def _width(name: str, value: Any) -> int:
    """Return how many columns formulaic makes of a value."""
    chosen = getattr(value, "__formulaic_metadata__", None) is not None
    if isinstance(value, pd.Series) and (chosen or is_text(value)):
        return len(check_categories(name, value, chosen=chosen))
    if isinstance(value, Mapping):
        return len(value)
    return int(value.shape[1]) if np.ndim(value) == 2 else 1
