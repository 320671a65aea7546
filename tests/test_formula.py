from __future__ import annotations

import re

import pytest

from lvkit.errors import LvkitError
from lvkit.formula import first_line, parse_formula


def terms(formula: str) -> list[str]:
    return [str(term) for term in parse_formula(formula)[0]]


def test_a_product_asks_for_both_and_their_interaction() -> None:
    parsed, variables, _ = parse_formula("log_params * log_tokens")
    assert [str(term) for term in parsed] == [
        "1",
        "log_params",
        "log_tokens",
        "log_params:log_tokens",
    ]
    assert variables == ("log_params", "log_tokens")


@pytest.mark.parametrize("formula", ["size", "1 + size", "0 + size", "size - 1"])
def test_the_intercept_is_always_there_once(formula: str) -> None:
    assert sorted(terms(formula)) == ["1", "size"]


def test_variables_are_named_once_in_the_order_they_appear() -> None:
    assert parse_formula("b + log(a) + I(b**2) + a")[1] == ("b", "a")


def test_a_name_in_backticks_may_hold_anything() -> None:
    assert parse_formula("log(`my size`) + `the date`")[1] == ("my size", "the date")


@pytest.mark.parametrize(
    "formula",
    ["np.log2(a)", "log1p(a / 2)", "poly(a, degree=2)", "bs(a, df=4)", "C(a)", "I(a**2 > 3)"],
)
def test_arithmetic_comparisons_and_known_functions_pass(formula: str) -> None:
    assert parse_formula(formula)[1] == ("a",)


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        ("open('x')", "open"),
        ("a.sum()", "a.sum"),
        ("I(a.values)", "a.values"),
        ("np.load('x')", "np.load"),
        ("os.system('x')", "os.system"),
        ("I(a[0])", "I(a[0])"),
        ("I(lambda: a)", "I(lambda: a)"),
        ("I([x for x in a])", "I([x for x in a])"),
        ("I(a if a else 1)", "I(a if a else 1)"),
    ],
)
def test_code_that_is_no_feature_is_refused_by_name(formula: str, named: str) -> None:
    with pytest.raises(LvkitError, match=re.escape(f"'{named}' is not allowed; expected columns")):
        parse_formula(formula)


@pytest.mark.parametrize("formula", ["I(9**9**9)", "I(a**11)", "I(2**a)", "I(1 << 99)"])
def test_a_power_that_could_take_forever_is_refused(formula: str) -> None:
    with pytest.raises(LvkitError, match="is not allowed"):
        parse_formula(formula)


def test_small_powers_below_zero_pass() -> None:
    assert parse_formula("I(a**-2)")[1] == ("a",)


@pytest.mark.parametrize("formula", ["", "  ", None, 3])
def test_nothing_is_refused_with_an_example(formula: object) -> None:
    with pytest.raises(LvkitError, match="expected a formula. Write for example"):
        parse_formula(formula)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("y ~ a", "it has two sides or several parts. Leave out '~'"),
        ("a | b", "it has two sides or several parts"),
        ("1", "it has no features. Name at least one"),
        ("a +", "Join names of columns by"),
        ("[)", "it is not a formula"),
        ("I(a b)", "invalid syntax"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_reason(formula: str, why: str) -> None:
    with pytest.raises(LvkitError, match=re.escape(why)) as caught:
        parse_formula(formula)
    assert f"cannot read '{formula}'" in str(caught.value)


def test_an_error_is_told_in_one_line_without_colours() -> None:
    assert first_line(ValueError("\x1b[31mmissing ⧛a⧚\x1b[0m.\nmore")) == "missing a"


def test_an_error_that_says_nothing_is_told_by_its_kind() -> None:
    assert first_line(KeyError()) == "KeyError"
