"""Formulas: which terms and columns a text such as ``log_params * log_tokens`` asks for.

Formulaic knows the grammar of formulas, but it would evaluate whatever Python a formula contains,
in part even while it reads one. It never sees any code here: each expression is checked by
:func:`~lvkit.model.formula_syntax.read_code` and handed on as a *name*, the name of a value that
:mod:`lvkit.model.design_matrix` computes. What formulaic expands is counted before it is expanded.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from lvkit.errors import LvkitError
from lvkit.model.formula_syntax import LONGEST, not_allowed, read_code, too_large, unreadable

DEFAULT_FEATURES = "log_params * log_tokens"
"""Size, tokens and their product: the formula where the user gives none."""

_MOST_TOKENS = 400
_MOST_TERMS = 1000  # before those that are alike are merged
_HIGHEST_POWER = 10
_MOST_DIGITS = 15


class ParsedFormula(NamedTuple):
    """A formula that :func:`parse_formula` has read.

    Attributes
    ----------
    terms : formulaic.Formula
        Its terms, an intercept first. A factor is a number, or the name of a column or expression.
    variables : tuple of str
        The variables it needs, in order.
    expressions : dict
        The variables that each expression among its factors needs.
    """

    terms: Any
    variables: tuple[str, ...]
    expressions: dict[str, tuple[str, ...]]


def parse_formula(formula: str) -> ParsedFormula:
    """Return what a formula asks for: its terms, with an intercept, and the variables it needs.

    Parameters
    ----------
    formula : str
        The right-hand side of a formula.

    Returns
    -------
    ParsedFormula

    Raises
    ------
    LvkitError
        If the text is not a formula, contains code that is not allowed, or is too large.

    Examples
    --------
    >>> parsed = parse_formula("size + log(dose / 2)")
    >>> parsed.variables, parsed.expressions
    (('size', 'dose'), {'log(dose / 2)': ('dose',)})
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    if not isinstance(formula, str) or not formula.strip():
        raise LvkitError(
            f"got {formula!r}",
            where="features",
            expected="a formula",
            remedy=f"Write for example features='{DEFAULT_FEATURES}'.",
        )
    if len(formula) > LONGEST:
        raise too_large(formula, f"{len(formula)} characters", f"at most {LONGEST}")
    expressions: dict[str, tuple[str, ...]] = {}
    try:
        terms = _terms(formula, expressions)
    except LvkitError:
        raise
    except Exception as error:  # on some texts, such as '[)', formulaic itself breaks
        known = isinstance(error, FormulaicError | SyntaxError)
        raise unreadable(formula, first_line(error) if known else "it is not a formula") from error
    names = [
        factor.expr
        for term in terms
        for factor in term.factors
        if factor.eval_method.value == "lookup"
    ]
    variables = dict.fromkeys(v for name in names for v in expressions.get(name, (name,)))
    if not variables:
        raise unreadable(formula, "it has no features", "Name at least one, such as log_params.")
    used = {name: expressions[name] for name in names if name in expressions}
    return ParsedFormula(Formula(["1", *terms]), tuple(variables), used)


def _terms(formula: str, expressions: dict[str, tuple[str, ...]]) -> list[Any]:
    """Return the terms of a formula without the intercept; expressions are collected."""
    from formulaic.parser import DefaultFormulaParser
    from formulaic.parser.types import OrderedSet, Token
    from formulaic.parser.utils import merge_operator_tokens, replace_tokens

    parser = DefaultFormulaParser(include_intercept=False)
    minus_one = [Token("-", kind=Token.Kind.OPERATOR), Token("1", kind=Token.Kind.VALUE)]
    tokens = _tokens(formula, expressions)
    tokens = list(replace_tokens(tokens, "0", minus_one, kind=Token.Kind.VALUE))
    tree = parser.get_ast_from_tokens(merge_operator_tokens(tokens, symbols={"+", "-"}), context={})
    n_terms = _n_terms(tree, formula)
    if n_terms > _MOST_TERMS:
        raise too_large(formula, "a product of many features", f"at most {_MOST_TERMS} terms")
    terms = parser.get_terms_from_ast(tree, context={})._simplify()
    if not isinstance(terms, OrderedSet):
        raise unreadable(formula, "it has two sides or several parts", "Leave out '~' and '|'.")
    return [term for term in terms if str(term) != "1"]


def _tokens(formula: str, expressions: dict[str, tuple[str, ...]]) -> list[Any]:
    """Return the tokens of a formula, with names in the place of code."""
    from formulaic.parser.algos.tokenize import tokenize
    from formulaic.parser.types import Token

    tokens = list(tokenize(formula))
    if len(tokens) > _MOST_TOKENS:
        raise too_large(formula, f"{len(tokens)} names and signs", f"at most {_MOST_TOKENS}")
    columns = {token.token for token in tokens if token.kind is Token.Kind.NAME}
    for token in tokens:
        if token.kind is Token.Kind.PYTHON:
            code = read_code(token.token, formula)
            token.kind, token.token = Token.Kind.NAME, code.text
            if code.text.strip("`") in code.columns.values():  # a column alone, such as {size}
                token.token = code.text.strip("`")
            elif code.text in columns:
                raise unreadable(formula, f"'{code.text}' is an expression and a column")
            else:
                expressions[code.text] = tuple(code.columns.values())
        elif token.kind is Token.Kind.VALUE and len(token.token) > _MOST_DIGITS:
            raise not_allowed(token.token, formula, f"numbers of at most {_MOST_DIGITS} digits")
        if token.kind is Token.Kind.NAME and re.fullmatch(r"[\d.]+", token.token):
            remedy = f"Write I(`{token.token}`), or rename the column."
            raise unreadable(formula, f"'{token.token}' is read as a number", remedy)
    return tokens


def _n_terms(node: Any, formula: str) -> int:
    """Return how many terms formulaic would form for a part of a formula, at most."""
    operator = getattr(node, "operator", None)
    if operator is None:
        return 1
    if operator.symbol in ("**", "^"):
        power = str(node.args[-1])
        if not re.fullmatch("[0-9]{1,2}", power) or not 1 <= int(power) <= _HIGHEST_POWER:
            raise too_large(formula, f"the power {power}", f"a power from 1 to {_HIGHEST_POWER}")
        n_terms: int = _n_terms(node.args[0], formula) ** int(power)
    else:
        counts = [_n_terms(argument, formula) for argument in node.args]
        n_terms = 0 if operator.symbol == ":" else sum(counts)
        if operator.symbol in ("*", ":"):
            n_terms += math.prod(counts)
    return min(max(n_terms, 1), 1 + _MOST_TERMS)


def as_name(column: str) -> str:
    """Return a column as a formula has to write it: in backticks, unless it is an identifier.

    Parameters
    ----------
    column : str
        Its name in the table.

    Returns
    -------
    str

    Examples
    --------
    >>> as_name("ctx_k"), as_name("ctx-k")
    ('ctx_k', '`ctx-k`')
    """
    plain = column.isidentifier() and not keyword.iskeyword(column) and "_quoted_" not in column
    return column if plain and unicodedata.normalize("NFKC", column) == column else f"`{column}`"


def in_backticks(formula: str, columns: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return a formula with backticks around the columns that lack them, and these columns.

    Parameters
    ----------
    formula : str
        The formula as somebody wrote it.
    columns : iterable of str
        The names of the table's columns.

    Returns
    -------
    formula : str
    quoted : tuple of str

    Examples
    --------
    >>> in_backticks("log_params + ctx-k", ["ctx-k", "year"])
    ('log_params + `ctx-k`', ('ctx-k',))
    """
    odd = [
        name
        for name in columns
        if as_name(name) != name and not re.fullmatch(r"[\d.\s]*|.*`.*", name)
    ]
    if not odd or len(formula) > LONGEST:
        return formula, ()
    either = "|".join(re.escape(name) for name in sorted(odd, key=len, reverse=True))
    quoted: dict[str, None] = {}

    def in_quotes(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        quoted[match[1]] = None
        return f"`{match[1]}`"

    text = re.sub(rf"`[^`]*`|(?<![\w.])({either})(?![\w.])", in_quotes, formula)
    return text, tuple(quoted)


def first_line(error: BaseException) -> str:
    """Return what an error says, without colours, in one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error))
    return plain.strip().split("\n")[0].rstrip(".") or type(error).__name__
