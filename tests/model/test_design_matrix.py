from __future__ import annotations

import ast
import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.errors import LvkitError
from lvkit.model.design_matrix import (
    State,
    as_categories,
    check_categories,
    check_learned,
    design_matrix,
    evaluate,
    is_text,
)
from lvkit.model.features import FeatureMap
from lvkit.model.formula import Code, parse_formula, read_code

RNG = np.random.default_rng(1)
DATA = pd.DataFrame(
    {
        "a": RNG.uniform(1, 9, 24),
        "b": RNG.uniform(1, 9, 24),
        "kind": ["moe", "dense", "other"] * 8,
        "log": RNG.uniform(1, 9, 24),
        "np": RNG.uniform(1, 9, 24),
        "__builtins__": RNG.uniform(1, 9, 24),
        "my a": RNG.uniform(1, 9, 24),
        "my-a": RNG.uniform(1, 9, 24),
    },
    index=[f"m{i}" for i in range(24)],
)
DATA["kind"] = DATA["kind"].astype(object)


def value(text: str, data: pd.DataFrame = DATA, state: dict[str, Any] | None = None) -> Any:
    return evaluate(read_code(text, text), data, {} if state is None else state, text)


def columns(formula: str, data: pd.DataFrame = DATA) -> pd.DataFrame:
    matrix, _ = design_matrix(parse_formula(formula), data, {}, formula=formula)
    return matrix


def refusal(formula: str, data: pd.DataFrame = DATA) -> str:
    with pytest.raises(LvkitError) as caught:
        columns(formula, data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 2 * b - 1", DATA["a"] + 2 * DATA["b"] - 1),
        ("-a ** 2 / b", -(DATA["a"] ** 2) / DATA["b"]),
        ("a // 2 % 3", DATA["a"] // 2 % 3),
        ("np.log(a) + sqrt(b)", np.log(DATA["a"]) + np.sqrt(DATA["b"])),
        ("(a > 3) & ~(b >= 4) | (a != b)", (DATA["a"] > 3) & ~(DATA["b"] >= 4) | True),
        ("kind == 'moe'", DATA["kind"] == "moe"),
        ("abs(a - 5) < log10(1000)", (DATA["a"] - 5).abs() < 3),
        ("I(exp2(a)) * log1p(b)", 2 ** DATA["a"] * np.log1p(DATA["b"])),
    ],
)
def test_an_expression_is_what_python_makes_of_it(text: str, expected: pd.Series) -> None:
    np.testing.assert_allclose(value(text), expected)


def test_columns_named_like_functions_stay_columns_and_functions_stay_functions() -> None:
    np.testing.assert_allclose(value("log(log)"), np.log(DATA["log"]))
    np.testing.assert_allclose(value("np.log(np)"), np.log(DATA["np"]))
    np.testing.assert_allclose(value("I(`__builtins__`) + abs(log)"),
                               DATA["__builtins__"] + DATA["log"])  # fmt: skip
    assert list(columns("log + np + __builtins__ + log(np)").columns) == [
        "Intercept", "log", "np", "__builtins__", "log(np)",
    ]  # fmt: skip


def test_names_that_look_alike_without_their_signs_are_told_apart() -> None:
    data = DATA.assign(my_a=1.0)
    expected = DATA["my a"] - 10 * DATA["my-a"] + 100
    np.testing.assert_allclose(value("`my a` - 10 * `my-a` + 100 * my_a", data), expected)
    matrix = columns("center(`my a`) + center(`my-a`)")
    for name in ("my a", "my-a"):
        np.testing.assert_allclose(matrix[f"center(`{name}`)"], DATA[name] - DATA[name].mean())


@pytest.mark.parametrize(
    "text",
    ["poly(a, 3)", "bs(a, df=5)", "scale(a)", "center(a)", "standardize(a, ddof=1)",
     "cr(a, df=4, constraints='center')", "poly(scale(a), degree=2)", "center(a) * scale(b)"],
)  # fmt: skip
def test_transforms_remember_what_they_learned(text: str) -> None:
    features = FeatureMap.learn(f"{text} + kind", DATA)
    np.testing.assert_allclose(features.values(DATA.iloc[5:9]), features.values(DATA)[5:9])


def test_what_was_learned_is_kept_for_each_call_apart() -> None:
    state: State = {}
    design_matrix(parse_formula("center(a) + I(center(a) + center(b))"), DATA, state, formula="")
    assert {text: sorted(calls) for text, calls in state.items()} == {
        "center(a)": ["center(a)"], "I(center(a) + center(b))": ["center(a)", "center(b)"],
    }  # fmt: skip


def test_numbers_may_be_categories_and_new_ones_are_refused(message: Message) -> None:
    data = DATA.assign(size=[1.0, 2.0, 7.0] * 8)
    features = FeatureMap.learn("C(size) + a", data)
    assert features.names == ("C(size)[T.2.0]", "C(size)[T.7.0]", "a")
    np.testing.assert_allclose(features.values(data.iloc[:1]), features.values(data)[:1])
    with refused("model 'm0', column 'C(size)'", "3.0") as error:
        features.values(data.assign(size=3.0))
    message(error)


def test_a_category_that_only_incomplete_models_have_is_not_learned(message: Message) -> None:
    data = DATA.assign(kind=["odd", *DATA["kind"][1:]], a=[np.nan, *DATA["a"][1:]])
    features = FeatureMap.learn("a + kind", data)
    assert np.isnan(features.values(data)[0]).all()
    with refused("model 'm0', column 'kind'", "odd") as error:
        features.values(data.assign(a=1.0))
    message(error)


@pytest.mark.parametrize("text", ["log(a - 100) > 0", "C(log(a - 100))", "sqrt(a - 100) != b"])
def test_a_comparison_with_what_is_no_number_is_refused(text: str, message: Message) -> None:
    with np.errstate(all="ignore"), refused() as error:
        value(text)
    message(error, "m0")


@pytest.mark.parametrize(
    ("formula", "quoted"),
    [
        ("bs(a, 15):bs(b, 15)", ["225", "200"]),
        (
            "C(I(a > 3)):C(I(b > 3))" + "".join(f":C(I(a > {2 + i / 10}))" for i in range(8)),
            ["200"],
        ),
        ("kind + log(kind)", []),
        ("I(((((10**10)**10)**10)**10)**10 * a)", []),
        ("kind * C(a)", ["24"]),
    ],
)
def test_what_cannot_be_computed_or_is_too_much_is_refused(
    formula: str, quoted: list[str], message: Message
) -> None:
    message(refusal(formula), *quoted)


def test_two_features_of_one_name_are_refused(message: Message) -> None:
    message(refusal("`a:b` + a:b", DATA.assign(**{"a:b": 1.0})), "a:b")
    message(refusal("Intercept", DATA.assign(Intercept=1.0)), "Intercept")


def test_the_data_are_not_changed() -> None:
    before = DATA.copy()
    columns("a + log(b) + kind + poly(a, 2) + I(-`my a`)")
    pd.testing.assert_frame_equal(DATA, before)


def test_a_tree_that_nobody_checked_is_refused(message: Message) -> None:
    tree = ast.parse("a.sum()", mode="eval").body
    with refused("features 'a.sum()'") as error:
        evaluate(Code("a.sum()", tree, {"a": "a"}), DATA, {}, "a.sum()")
    message(error)


# -- categories -----------------------------------------------------------------------------------


def refused_column(values: list[object], *, chosen: bool = False) -> str:
    with pytest.raises(LvkitError) as caught:
        check_categories("its column", values, chosen=chosen)
    return str(caught.value)


def test_text_is_what_is_neither_number_nor_flag() -> None:
    columns = {"a": [1.0], "b": [True], "c": ["x"], "d": [pd.Timestamp("2024-05-01")], "e": [None]}
    assert [is_text(column) for _, column in pd.DataFrame(columns).items()] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_cells_become_text_and_blanks_stay_blank() -> None:
    column = pd.Series(["moe", 3, None, "NA", pd.Timestamp("2024-05-01")], dtype=object)
    texts = as_categories(column)
    assert [texts[i] for i in (0, 1, 4)] == ["moe", "3", "2024-05-01"]
    assert np.isnan(texts[2])
    assert np.isnan(texts[3])


def test_labels_that_models_share_are_categories() -> None:
    assert check_categories("kind", ["b", "a", "b", "c", "a"], chosen=False) == ("a", "b", "c")
    sizes = ["4bit", "8bit", "v1.0", "gpt-4 turbo", "llama 2"]
    assert check_categories("kind", sizes * 2, chosen=False) == tuple(sorted(sizes))


@pytest.mark.parametrize(
    "dates",
    [
        ["2023-01-01", "2023-05-01", "2024-02-01"],
        ["2023/1/1", "2023/5/1"],
        ["2023-05", "2024-11"],
        ["2023-05-01T12:00:00", "2023-05-02 13:00"],
        ["01.05.2023", "13.12.2023"],
        ["5/1/23", "12/31/23"],
        ["05/2023", "11/2024"],
        ["May 2023", "Sept. 2024"],
        ["1 May 2023", "12 December 2024"],
        ["May 1, 2023", "Dec 12, 2024"],
        ["1-May-23", "2-Jun-23"],
        ["2023-May", "2024-Jun"],
        ["2023-Q1", "2024Q3"],
        ["2023年5月", "2024年11月3日"],
        ["2023-05-01", "unknown"],
    ],
)
def test_dates_are_refused_with_the_way_out(dates: list[str]) -> None:
    text = refused_column([*dates, *dates])
    assert f"column 'its column' holds dates (such as '{min(dates)}')" in text
    assert "numbers, such as the year" in text
    assert "C(`its column`)" in text
    assert check_categories("x", dates * 2, chosen=True) == tuple(sorted(dates))


@pytest.mark.parametrize(
    "numbers",
    [["45.2%", "50 %"], ["0,5", "0,7"], ["1,024", "32,768"], ["~7", "8"], ["1e9", "2e9"],
     ["4096", "8192", "n.a."], ["1 000", "2 000"]],
)  # fmt: skip
def test_numbers_written_as_text_are_refused(numbers: list[str]) -> None:
    text = refused_column(numbers * 2)
    assert f"holds numbers written as text (such as '{min(numbers)}')" in text
    assert "without signs, units and separators" in text


def test_a_value_for_each_model_is_refused_even_where_it_is_asked_for() -> None:
    for chosen in (True, False):
        text = refused_column([*"abcdef"], chosen=chosen)
        assert "has 6 different values for 6 models" in text
        assert refused_column([*"abcdeff"], chosen=chosen)
    assert check_categories("x", [*"aabbc"], chosen=False) == ("a", "b", "c")


def test_one_value_for_all_models_is_refused() -> None:
    assert "holds 'dense' for all models. Leave it out." in refused_column(["dense"] * 3)


def test_long_texts_are_refused() -> None:
    texts = [f"{'trained on much text, ' * 5}{i}" for i in range(3)]
    assert "holds long texts (such as 'trained on much text, trained …')" in refused_column(
        texts * 2
    )


def test_a_value_of_no_fitted_model_is_refused_with_its_place(message: Message) -> None:
    cells = pd.Series(["moe", "mow"], index=["a", "b"])
    with pytest.raises(LvkitError) as caught:
        check_learned("kind", cells, ("dense", "moe"))
    (problem,) = caught.value.problems
    assert (problem.seen, problem.where) == (
        "got 'mow', which no fitted model has", "model 'b', column 'kind'"
    )  # fmt: skip
    message(problem, "moe")


def test_dates_in_a_table_are_no_features(small_panel: lv.Panel, message: Message) -> None:
    models = small_panel.models
    days = [datetime.date(2023, 1 + i % 3, 1) for i in range(len(models))]
    as_text = [str(day) for day in days]
    for column in (as_text, pd.to_datetime(as_text), pd.Series(days, models.index, dtype=object)):
        with refused("features", "released", "2023-01-01") as error:
            FeatureMap.learn("log_params + released", models.assign(released=column))
        message(error)
    kept = FeatureMap.learn("log_params + C(released)", models.assign(released=as_text))
    assert kept.names[1:] == ("C(released)[T.2023-02-01]", "C(released)[T.2023-03-01]")
    numbers = models.assign(released=[day.month for day in days])
    assert FeatureMap.learn("log_params + released", numbers).names[1] == "released"


def test_columns_that_are_only_compared_need_not_be_labels(
    small_panel: lv.Panel, message: Message
) -> None:
    models = small_panel.models
    models = models.assign(note=["pilot"] * 5 + [f"run {i}" for i in range(len(models) - 5)])
    features = FeatureMap.learn("log_params + I(note == 'pilot')", models)
    assert features.values(models)[:, 1].sum() == pytest.approx(0)
    with refused("features") as error:
        FeatureMap.learn("log_params + note", models)
    message(error)
