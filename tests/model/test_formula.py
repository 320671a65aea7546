from __future__ import annotations

import pytest
from golden import Message, refused

from lvkit.model.formula import as_name, first_line, in_backticks, parse_formula


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
def test_code_that_is_no_feature_is_refused_by_name(
    formula: str, named: str, message: Message
) -> None:
    with refused() as error:
        parse_formula(formula)
    message(error, f"'{named}'")


@pytest.mark.parametrize("formula", ["I(9**9**9)", "I(a**11)", "I(2**a)", "I(1 << 99)"])
def test_a_power_that_could_take_forever_is_refused(formula: str, message: Message) -> None:
    with refused() as error:
        parse_formula(formula)
    message(error)


def test_small_powers_below_zero_pass() -> None:
    assert parse_formula("I(a**-2)")[1] == ("a",)


@pytest.mark.parametrize("formula", ["", "  ", None, 3])
def test_nothing_is_refused_with_an_example(formula: object, message: Message) -> None:
    with refused("features") as error:
        parse_formula(formula)  # type: ignore[arg-type]
    message(error)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ a",
        "a | b",
        "1",
        "a +",
        "[)",
        "I(a b)",
    ],
)
def test_what_cannot_be_read_is_told_with_the_reason(formula: str, message: Message) -> None:
    with refused() as caught:
        parse_formula(formula)
    message(caught, formula)


def test_an_error_is_told_in_one_line_without_colours() -> None:
    assert first_line(ValueError("\x1b[31mmissing ⧛a⧚\x1b[0m.\nmore")) == "missing a"


def test_an_error_that_says_nothing_is_told_by_its_kind() -> None:
    assert first_line(KeyError()) == "KeyError"


def test_expressions_are_listed_with_what_they_need() -> None:
    parsed = parse_formula("a*log( b / a ) + {c} + poly(`my d`, 2)")
    assert parsed.variables == ("a", "b", "c", "my d")
    assert parsed.expressions == {"log(b / a)": ("b", "a"), "poly(`my d`, 2)": ("my d",)}
    assert [f.eval_method.value for t in parsed.terms for f in t.factors if f.expr != "1"] == [
        "lookup"
    ] * 6


@pytest.mark.parametrize(
    "formula",
    [
        "+".join(["a"] * 1500),
        "+".join(["a"] * 900),
        "(a + b + c + d + e)**10",
        "((((a + b)**2 + c)**2 + d)**2 + e)**9",
        "*".join("abcdefghijklm"),
        "a - (b + c + d + e + f)**4 - (b + c + d + e + f)**4",
        "a**100000",
        "a**" + "9" * 12,
        "(a + b)**c",
        "a^11",
        "9" * 1900 + ":a",
        "(" * 900 + "a" + ")" * 900,
    ],
)
def test_a_formula_that_would_take_long_is_refused_before_it_does(
    formula: str, message: Message
) -> None:
    with refused() as error:
        parse_formula(formula)
    message(error)


@pytest.mark.parametrize(
    "formula", ["(a + b + c)**3", "(a + b + c + d + e + f)**2", "a*b*c*d", "a/b/c", "a^2 + b"]
)
def test_products_of_usual_size_pass(formula: str) -> None:
    assert parse_formula(formula).variables[0] == "a"


@pytest.mark.parametrize("formula", ["`1` + a", "`2.5`", "{`1`}"])
def test_a_column_that_reads_as_a_number_is_refused_with_the_way_out(
    formula: str, message: Message
) -> None:
    with refused("features") as error:
        parse_formula(formula)
    message(error)
    assert parse_formula("I(`1`) + a").variables == ("1", "a")


def test_a_column_called_like_an_expression_is_not_mixed_up_with_it(message: Message) -> None:
    assert parse_formula("`log(a)`").variables == ("log(a)",)
    with refused("features") as error:
        parse_formula("`log(a)` + log(a)")
    message(error)


@pytest.mark.parametrize("name", ["ctx-k", "release year", "7b", "a.b", "class", "µ", "", "a(b)"])
def test_names_that_are_no_identifiers_are_written_in_backticks(name: str) -> None:
    assert as_name(name) == f"`{name}`"
    assert as_name("ctx_k") == "ctx_k"


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("ctx-k", "`ctx-k`"),
        ("log(ctx-k) + ctx-k2", "log(`ctx-k`) + `ctx-k2`"),
        ("a + `ctx-k` + release year", "a + `ctx-k` + `release year`"),
        ("log(a.b) + xa.b + a.bc", "log(`a.b`) + xa.b + a.bc"),
        ("7b:a", "`7b`:a"),
        ("log(class)", "log(`class`)"),
        ("a + 1 + 2023", "a + 1 + 2023"),
    ],
)
def test_backticks_are_added_where_a_name_needs_them(formula: str, expected: str) -> None:
    names = ["ctx-k", "ctx-k2", "release year", "a.b", "7b", "class", "a", "1", "2023", "x`y"]
    assert in_backticks(formula, names)[0] == expected
