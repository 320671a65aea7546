"""Formulas: which terms and columns a text such as ``log_params * log_tokens`` asks for.

Formulaic knows the grammar of formulas, but it would evaluate whatever Python a formula contains,
in part even while it reads one. It never sees any code here: each expression is checked by
:func:`~lvkit.model.formula.read_code` and handed on as a *name*, the name of a value that
:mod:`lvkit.model.design_matrix` computes. What formulaic expands is counted before it is expanded.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lvkit.errors import LvkitError

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


LONGEST = 2000
"""The most characters that a formula may have."""

NUMPY = frozenset(("log", "log10", "log2", "log1p", "exp", "exp2", "sqrt", "abs"))
"""The allowed functions of numpy; ``np.log`` is ``log``."""

_SPLINE = ("df", "knots", "lower_bound", "upper_bound", "constraints", "extrapolation")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*NUMPY, "I", "C", "center"), ()),
    **dict.fromkeys(("cs", "cr", "cc"), _SPLINE),
    "bs": ("df", "knots", "degree", "include_intercept", *_SPLINE[2:4], "extrapolation"),
    "poly": ("degree", "raw"),
    "scale": ("center", "scale", "ddof"),
    "standardize": ("center", "rescale", "ddof"),
}
"""The functions that a formula may use, and what each takes besides its column, in order."""

_EQUALITY = (ast.Eq, ast.NotEq)
_COMPARISONS = (*_EQUALITY, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr)
_SIGNS = (ast.USub, ast.UAdd, ast.Invert)

_DEEPEST = 30  # levels of nesting
_LARGEST = 1e100  # number
_MOST_COLUMNS = 20  # of a spline or a polynomial

_TEXT = r"""'[^']*'|"[^"]*\""""
_QUOTED = re.compile(rf"{_TEXT}|`([^`]*)`")
_PLACEHOLDER = re.compile(rf"{_TEXT}|(_quoted_\d+_)")


class Code(NamedTuple):
    """An expression that is allowed in a formula; made by :func:`read_code`.

    Attributes
    ----------
    text : str
        The expression in one spelling, with names in backticks where they were.
    tree : ast.expr
        Its syntax tree.
    columns : dict
        The column that each name of the tree stands for, in the order in which they appear.
    """

    text: str
    tree: ast.expr
    columns: dict[str, str]


def read_code(text: str, formula: str) -> Code:
    """Return an expression of a formula; refuse one that is not allowed.

    Parameters
    ----------
    text : str
        The expression; backticks enclose names of columns that are not identifiers.
    formula : str
        The formula that contains it, for messages.

    Returns
    -------
    Code

    Raises
    ------
    LvkitError
        If the text is not an expression, or contains what is not allowed.

    Examples
    --------
    >>> code = read_code("log10( `my dose`*2 )", "log10( `my dose`*2 )")
    >>> code.text, code.columns
    ('log10(`my dose` * 2)', {'_quoted_0_': 'my dose'})
    """
    placeholders: dict[str, str] = {}

    def hidden(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return f" {placeholders.setdefault(match[1], f'_quoted_{len(placeholders)}_')} "

    hidden_text = _QUOTED.sub(hidden, text).strip()
    outside = _QUOTED.sub(lambda match: match[0] if match[1] is None else "", text)
    if any(piece in outside for piece in ("\\", "`", "_quoted_")):
        raise not_allowed(text, formula)
    if unicodedata.normalize("NFKC", outside) != outside:  # Python would read other names
        remedy = "Write the names of such columns in backticks."
        raise unreadable(formula, f"'{_excerpt(text)}' contains unusual characters", remedy)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(hidden_text, mode="eval").body
        names = check_code(tree, text, formula)
        spelt = ast.unparse(tree).replace("\n", " ")
    except LvkitError:
        raise
    except (SyntaxError, ValueError, Warning, RecursionError, MemoryError) as error:
        why = getattr(error, "msg", "it is nested too deeply or contains odd characters")
        raise unreadable(formula, f"'{_excerpt(text)}' is not an expression ({why})") from error
    quoted = {short: name for name, short in placeholders.items()}
    spelt = _PLACEHOLDER.sub(lambda m: f"`{quoted[m[1]]}`" if m[1] in quoted else m[0], spelt)
    return Code(spelt, tree, {name: quoted.get(name, name) for name in names})


def check_code(tree: ast.expr, text: str, formula: str) -> tuple[str, ...]:
    """Return the names in a syntax tree that are not functions; refuse a tree that is not allowed.

    Parameters
    ----------
    tree : ast.expr
        The tree.
    text, formula : str
        The expression it was made of and the formula around it, for messages.

    Returns
    -------
    tuple of str
        In the order in which they appear.

    Raises
    ------
    LvkitError
        For the first node that is not on the list.
    """
    return tuple(dict.fromkeys(_names(tree, text, formula, _DEEPEST)))


def called(call: ast.Call) -> str:
    """Return the name of the allowed function that is called, or an empty string.

    Parameters
    ----------
    call : ast.Call
        The call; the function is a plain name, or an attribute of ``np``.

    Returns
    -------
    str
    """
    match call.func:
        case ast.Name(id=name) if name in OPTIONS:
            return name
        case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in NUMPY:
            return name
    return ""


def _names(node: ast.AST, text: str, formula: str, depth: int) -> Iterator[str]:
    """Yield the names in an expression, each part of which has to be on the list."""
    if depth == 0:
        raise too_large(formula, "deeply nested code", f"at most {_DEEPEST} levels")
    parts: list[ast.expr] = []
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Constant() if _is_number(node):
            pass
        case ast.UnaryOp(op=op, operand=operand) if isinstance(op, _SIGNS):
            parts = [operand]
        case ast.BinOp(left=base, op=ast.Pow(), right=power) if _is_number(power, _HIGHEST_POWER):
            parts = [base]
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ARITHMETIC):
            parts = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARISONS):
            may_be_text = isinstance(op, _EQUALITY)
            parts = [side for side in (left, right) if not (may_be_text and _is_text(side))]
        case ast.Call():
            parts = [_argument(node, text, formula)]
        case _:
            whole = not isinstance(node, ast.Attribute)
            raise not_allowed(text if whole else _shown(node, text), formula)
    for part in parts:
        yield from _names(part, text, formula, depth - 1)


def _argument(call: ast.Call, text: str, formula: str) -> ast.expr:
    """Return the argument of a call that is an expression; check the function and its options."""
    name = called(call)
    if not name:
        raise not_allowed(_shown(call.func, text), formula)
    options = OPTIONS[name]
    values = [*zip(options, call.args[1:], strict=False)]
    values += [(keyword.arg or "**", keyword.value) for keyword in call.keywords]
    allowed = 1 <= len(call.args) <= 1 + len(options)
    allowed &= len({option for option, _ in values}) == len(values)
    if not allowed or not all(n in options and _is_option(n, value) for n, value in values):
        usage = f"{name}({', '.join(['column', *(f'{option}=...' for option in options)])})"
        bounded = [option for option in ("df", "degree") if option in options]
        limit = f", {' and '.join(bounded)} up to {_MOST_COLUMNS}" if bounded else ""
        raise not_allowed(_shown(call, text), formula, usage + limit)
    return call.args[0]


def _is_option(name: str, node: ast.expr) -> bool:
    """Return whether a node may be the value of an option: a number, true or false, a word."""
    if name == "knots":
        knots = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        return 0 < len(knots) <= _MOST_COLUMNS and all(map(_is_number, knots))
    if name in ("constraints", "extrapolation"):
        return _is_text(node)
    value = node.value if isinstance(node, ast.Constant) else None
    if name in ("df", "degree"):
        return type(value) is int and 0 < value <= _MOST_COLUMNS
    return isinstance(value, bool) or _is_number(node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_number(node: ast.AST, largest: float = _LARGEST) -> bool:
    """Return whether a node is a number of moderate size, perhaps with a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        node = node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= largest


def _shown(node: ast.AST, text: str) -> str:
    """Return the source of a node, or the whole text where the node holds names in backticks."""
    shown = ast.unparse(node)
    return text if "_quoted_" in shown else shown


def _excerpt(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def unreadable(formula: str, why: str, remedy: str = "") -> LvkitError:
    """Return the error for a text that is not a formula."""
    return LvkitError(
        f"cannot read '{_excerpt(formula)}': {_excerpt(why, 300)}",
        where="features",
        remedy=remedy or "Join names of columns by +, * or :, as in 'log_params * log_tokens'.",
    )


def too_large(formula: str, got: str, expected: str) -> LvkitError:
    """Return the error for a formula that would take long."""
    return LvkitError(
        f"got {got}",
        where=f"features '{_excerpt(formula)}'",
        expected=expected,
        remedy="Use fewer and simpler features.",
    )


def not_allowed(code: str, formula: str, expected: str = "") -> LvkitError:
    """Return the error for code that is not allowed in a formula."""
    functions = ", ".join(sorted(OPTIONS, key=str.lower))
    return LvkitError(
        f"'{_excerpt(code)}' is not allowed",
        where=f"features '{_excerpt(formula)}'",
        expected=expected or f"columns, arithmetic and the functions {functions}",
        remedy="Compute anything else beforehand, as a column of the table.",
    )
