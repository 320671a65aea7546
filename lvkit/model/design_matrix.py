"""The design matrix of a formula: one column for each feature.

The expressions of a formula are computed here, by walking their syntax trees, and not by Python's
``eval``: there are no builtins, no attributes and no way to a function that is not on the list.
This does not rely on the check that :func:`~lvkit.model.formula.read_code` makes first; each
of the two is enough on its own. Formulaic then combines the values, which it knows by name only.

A column of a few labels, such as ``dense`` and ``moe``, becomes one feature for each label. A
column of dates, of numbers that were read as text or of remarks would become as many features as
there are models; such columns are refused, and the error explains what to do.
"""

from __future__ import annotations

import ast
import datetime
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lvkit.data.cells import is_blank
from lvkit.errors import LvkitError, nearest
from lvkit.model.formula import (
    NUMPY,
    OPTIONS,
    Code,
    ParsedFormula,
    as_name,
    called,
    first_line,
    not_allowed,
    read_code,
)

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


_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = (
    r"(19|20)\d\d[-/. ](0?[1-9]|1[0-2])([-/. ]\d{1,2})?([t ].*)?",  # 2023-05-01 12:00
    r"\d{1,2}[-/. ]\d{1,2}[-/. ]((19|20)?\d\d)",  # 1.5.2023, 5/1/23
    r"\d{1,2}[-/ ](19|20)\d\d",  # 05/2023
    rf"(\d{{1,2}}\.?[- ])?{_MONTH}[- ,']*(\d{{1,2}},? )?((19|20)?\d\d)",  # 1 May 2023, May 1, 2023
    rf"(19|20)\d\d[- ]{_MONTH}([- ]\d{{1,2}})?",  # 2023 May
    r"(19|20)\d\d[- ]?q[1-4]|q[1-4][- ]?(19|20)\d\d",  # 2023-Q1
    r"(19|20)\d\d\s*[年년].*",
)
_DATE = re.compile("|".join(_DATES), re.IGNORECASE)
_NUMBER = re.compile(r"[-+~<>≈]?\s*\d[\d.,'_ \u00a0\u202f]*(e[-+]?\d+)?\s*%?", re.IGNORECASE)
_LONGEST = 80  # characters of a label


def is_text(column: pd.Series) -> bool:
    """Return whether a column holds anything but numbers and flags."""
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def as_categories(column: pd.Series) -> list[Any]:
    """Return the cells of a column as texts, NaN where they are blank."""
    return [float("nan") if is_blank(cell) else _spelt(cell) for cell in column]


def _spelt(cell: Any) -> str:
    """Return a cell as text; a day without a time is shown as a day."""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return str(cell.date())
    return str(cell)


def check_categories(name: str, cells: Iterable[Any], *, chosen: bool) -> tuple[Any, ...]:
    """Return the values of a feature made of categories, sorted; refuse it where it makes no sense.

    Parameters
    ----------
    name : str
        The feature.
    cells : iterable
        A value for each model.
    chosen : bool
        Whether the formula asks for categories, by ``C(...)``. Otherwise the column only happens to
        hold text, and dates, numbers and long texts are refused as well.

    Returns
    -------
    tuple

    Raises
    ------
    LvkitError
        If most models have a value of their own, if there is one value, and for columns that are
        not meant as categories.

    Examples
    --------
    >>> check_categories("kind", ["moe", "dense", "moe"], chosen=False)
    ('dense', 'moe')
    """
    counts = pd.Series(list(cells), dtype=object).value_counts()
    values = tuple(sorted(counts.index))
    if len(values) == 1:
        raise _senseless(name, f"holds '{values[0]}' for all models", "", "Leave it out.")
    if not chosen:
        _check_meant(name, [str(value) for value in values])
    if (counts == 1).sum() > counts.sum() / 2:
        raise _senseless(
            name,
            f"has {len(values)} different values for {counts.sum()} models",
            "a number, or a few labels that several models share",
            "Leave it out, or group its values in a column of labels.",
        )
    return values


def _check_meant(name: str, values: list[str]) -> None:
    """Refuse text that is not meant as labels."""
    kinds = {
        "dates": ([v for v in values if _DATE.fullmatch(v.strip())], "such as the year"),
        "numbers written as text": (
            [v for v in values if _NUMBER.fullmatch(v.strip())],
            "written without signs, units and separators",
        ),
    }
    for kind, (hits, such) in kinds.items():
        if 2 * len(hits) >= len(values):
            raise _senseless(
                name,
                f"holds {kind} (such as '{hits[0]}'), so that each of its {len(values)} values "
                "would become a feature of its own",
                f"a column of numbers, {such}",
                f"Add such a column and use it instead, or write C({as_name(name)}) if the "
                "values are meant as labels.",
            )
    longest = max(values, key=len)
    if len(longest) > _LONGEST:
        raise _senseless(
            name,
            f"holds long texts (such as '{longest[:30]}…')",
            f"numbers, or labels of at most {_LONGEST} characters",
            "Add a column with short labels, or leave it out.",
        )


def _senseless(name: str, got: str, expected: str, remedy: str) -> LvkitError:
    return LvkitError(f"column '{name}' {got}", where="features", expected=expected, remedy=remedy)


def check_learned(name: str, cells: pd.Series, learned: Iterable[Any]) -> None:
    """Refuse values that no fitted model has.

    Parameters
    ----------
    name : str
        The feature.
    cells : Series
        A value for each model, indexed by model.
    learned : iterable
        The values of the fitted models.

    Raises
    ------
    LvkitError
        For the first value that is not among them.
    """
    known = tuple(learned)
    for model, cell in cells.items():
        if cell not in known:
            shown = [str(value) for value in known]
            raise LvkitError(
                f"got '{cell}', which no fitted model has",
                where=f"model '{model}', column '{name}'",
                expected="one of " + ", ".join(shown[:12]) + (", …" if len(shown) > 12 else ""),
                remedy=nearest(str(cell), shown).strip(),
            )
