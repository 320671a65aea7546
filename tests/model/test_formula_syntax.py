from __future__ import annotations

import ast
import warnings

import pytest
from golden import Message, refused

from lvkit.errors import LvkitError
from lvkit.model.formula import (
    LONGEST,
    OPTIONS,
    called,
    check_code,
    not_allowed,
    read_code,
    too_large,
    unreadable,
)


def refusal(text: str) -> str:
    with pytest.raises(LvkitError) as caught:
        read_code(text, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "spelt", "columns"),
    [
        ("log( a+1 )", "log(a + 1)", ("a",)),
        ("np.log2(b) / a", "np.log2(b) / a", ("b", "a")),
        ("a**-2 % 3", "a ** (-2) % 3", ("a",)),
        ("(a > 1) & ~(b <= 2)", "(a > 1) & ~(b <= 2)", ("a", "b")),
        ("a == 'moe'", "a == 'moe'", ("a",)),
        ("bs(a, 4, extrapolation='extend')", "bs(a, 4, extrapolation='extend')", ("a",)),
        ("cr(a, knots=[1, -2.5])", "cr(a, knots=[1, -2.5])", ("a",)),
        ("scale(a, center=-1, scale=False)", "scale(a, center=-1, scale=False)", ("a",)),
        ("`my a`*`my-a`*my_a", "`my a` * `my-a` * my_a", ("my a", "my-a", "my_a")),
        ("log(`class`)", "log(`class`)", ("class",)),
        ("log(`a'b`) + `c'd`", "log(`a'b`) + `c'd`", ("a'b", "c'd")),
        ("poly(scale(a), degree=2, raw=True)", "poly(scale(a), degree=2, raw=True)", ("a",)),
    ],
)
def test_allowed_code_is_read_in_one_spelling(
    text: str, spelt: str, columns: tuple[str, ...]
) -> None:
    code = read_code(text, text)
    assert (code.text, tuple(code.columns.values())) == (spelt, columns)
    assert ast.dump(read_code(spelt, spelt).tree) == ast.dump(code.tree)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_function_takes_a_column(name: str) -> None:
    assert read_code(f"{name}(a)", "").columns == {"a": "a"}


@pytest.mark.parametrize(
    "text",
    [
        "a.values", "a[0]", "f(a)", "log.reduce(a)", "np(a)", "np.linalg.norm(a)", "np.exp.at(a)",
        "lambda: a", "[a]", "{a}", "(a, a)", "{'a': a}", "[x for x in a]", "a if a else a",
        "f'{a}'", "f'{a:{a}}'", "a and a", "not a", "a is a", "a in a", "1 < a < 2", "a @ a",
        "a << 1", "a ^ a", "(a := 1)", "await a", "(yield a)", "...", "None", "b'a'", "1j * a",
        "True * a", "'a'", "'a' * 9", "a + 'b'", "a < 'b'", "log('b')", "I(*a)", "a == '`b`'",
        "log(a)(a)", "(lambda: a)()",
    ],
)  # fmt: skip
def test_code_with_anything_else_is_refused(text: str, message: Message) -> None:
    message(refusal(text))


@pytest.mark.parametrize(
    "text",
    [
        "log()", "log(a, b)", "np.log(a, b)", "log(a, out=b)", "log(a, where=b)", "log(x=a)",
        "C(a, ['x'])", "C(a, levels=['x'])", "I(a, b)", "I(**a)", "poly(a, b)", "poly(a, degree=b)",
        "poly(a, 2, degree=2)", "poly(a, 2, _state=3)", "poly(a, _context=1)", "poly(a, 2, *[1])",
        "poly(a, **{})", "bs(a, knots=b)", "bs(a, knots=[b])", "bs(a, knots='ab')",
        "bs(a, extrapolation=b)", "scale(a, center=b)", "scale(a, center='x')", "bs(a, df=3 * 9)",
    ],
)  # fmt: skip
def test_functions_take_no_more_than_their_options(text: str, message: Message) -> None:
    name = text.split("(")[0].removeprefix("np.")
    message(refusal(text), name)


@pytest.mark.parametrize(
    "text",
    [
        "poly(a, 100000)", "poly(a, degree=1e5)", "poly(a, 21)", "poly(a, 0)", "poly(a, -1)",
        "bs(a, df=1e5)", "bs(a, 100000)", "bs(a, degree=100000)", "cr(a, df=10**5)",
        "cc(a, df=True)", f"cs(a, knots={[*range(21)]})", "bs(a, knots=[])",
    ],
)  # fmt: skip
def test_splines_and_polynomials_of_many_columns_are_refused(text: str, message: Message) -> None:
    message(refusal(text), "20")


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "a**11", "2**a", "a**-11", "a**1e9", f"a * {'9' * 101}", f"a * {'9' * 1900}",
     "a * 1e400", "a * 1e101"],
)  # fmt: skip
def test_large_numbers_and_powers_are_refused(text: str, message: Message) -> None:
    message(refusal(text))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("sqrt(" * 40 + "a" + ")" * 40, ["30"]),
        ("-" * 40 + "a", ["30"]),
        ("-" * 1900 + "a", []),
        ("(" * 900 + "a" + ")" * 900, []),
        ("a" + "+a" * 900, ["30"]),
    ],
)
def test_deeply_nested_code_is_refused(text: str, quoted: list[str], message: Message) -> None:
    message(refusal(text), *quoted)


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "",
        "a\x00",
        "\ud800",
        "1if a else 2",
        "a == '\\x41'",
        "a == '\\'' + `x`",
        "_quoted_0_",
        "a + `b",
        "ｌｏｇ(a)",
        "log(µ)",
        "`a` `b`",
    ],
)
def test_what_is_no_expression_is_refused_without_a_warning(text: str, message: Message) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where Python would warn, the code is refused
        message(refusal(text))


def test_names_that_python_would_read_as_others_are_kept_in_backticks() -> None:
    assert tuple(read_code("log(`µ`) + μ", "").columns.values()) == ("µ", "μ")


def test_a_name_in_backticks_is_never_code() -> None:
    for name in ("True", "lambda: 0", "__import__('os')", "open", "b + c", "1", "#", "\\"):
        assert tuple(read_code(f"log(`{name}`)", "").columns.values()) == (name,)


def test_the_function_of_a_call_is_named_where_it_is_allowed() -> None:
    def name(text: str) -> str:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        return called(call)

    assert [name(t) for t in ("log(a)", "np.log(a)", "poly(a)")] == ["log", "log", "poly"]
    assert [name(t) for t in ("np.poly(a)", "a.log(a)", "eval(a)", "log(a)(a)")] == [""] * 4


def test_a_tree_is_checked_as_it_is(message: Message) -> None:
    tree = ast.parse("log(a) + b", mode="eval").body
    assert check_code(tree, "", "") == ("a", "b")
    with refused("features ''", "a.b") as error:
        check_code(ast.parse("log(a.b)", mode="eval").body, "", "")
    message(error)


def test_errors_show_the_beginning_of_a_long_formula() -> None:
    long = "a" * LONGEST
    errors = (unreadable(long, long), too_large(long, "much", "less"), not_allowed(long, long))
    assert all(len(str(error)) < 700 for error in errors)
