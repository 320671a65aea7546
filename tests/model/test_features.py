from __future__ import annotations

import pickle
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.cli.console import in_options
from lvkit.data.read import load_leaderboard
from lvkit.errors import LvkitError
from lvkit.model.features import FeatureMap
from lvkit.model.formula import DEFAULT_FEATURES

MODELS = pd.DataFrame(
    {
        "family": ["ant", "ant", "bee", "bee", "cat", "cat"],
        "params_b": [1.0, 3.0, 2.0, 9.0, 5.0, 20.0],
        "tokens_t": [1.0, 1.0, 2.0, 3.0, 0.5, np.nan],
        "instruct": [True, False, True, False, False, True],
        "dose": [0.0, 1.0, 4.0, 2.0, 8.0, 3.0],
        "kind": ["dense", "moe", "dense", "dense", "moe", "moe"],
    },
    index=pd.Index(["ant-1b", "ant-3b", "bee-2b", "bee-9b", "cat-5b", "cat-20b"], name="model"),
)


def refusal(formula: Any, models: pd.DataFrame = MODELS) -> str:
    with pytest.raises(LvkitError) as caught:
        FeatureMap.learn(formula, models)
    return str(caught.value)


def test_the_default_formula_gives_size_tokens_and_their_product() -> None:
    features = FeatureMap.learn("log_params * log_tokens", MODELS)
    assert features.formula == "log_params * log_tokens"
    assert features.names == ("log_params", "log_tokens", "log_params:log_tokens")
    assert features.columns == ("params_b", "tokens_t")
    s, t = np.log10(MODELS["params_b"][:5]), np.log10(MODELS["tokens_t"][:5])
    raw = np.column_stack([s, t, s * t])
    np.testing.assert_allclose(features.means, raw.mean(axis=0))
    np.testing.assert_allclose(features.values(MODELS)[:5], raw - raw.mean(axis=0))


def test_the_embedded_models_give_means_of_zero() -> None:
    models = load_leaderboard().models
    values = FeatureMap.learn("log_params * log_tokens", models).values(models)
    assert np.isnan(values).any(axis=1).sum() == 13
    np.testing.assert_allclose(np.nanmean(values, axis=0), 0, atol=1e-12)


def test_a_model_that_lacks_an_ingredient_has_no_values_and_a_reason(message: Message) -> None:
    features = FeatureMap.learn("log_params * log_tokens", MODELS)
    assert np.isnan(features.values(MODELS)[5]).all()
    missing = features.missing(MODELS)
    assert list(missing.index) == ["cat-20b"]
    message(missing["cat-20b"], "tokens_t")
    assert features.missing(MODELS.iloc[:5]).empty


def test_all_that_is_lacking_is_told(message: Message) -> None:
    features = FeatureMap.learn("log_params + log_tokens + dose", MODELS)
    new = pd.DataFrame({"params_b": [1.0]}, index=["new"])
    message(features.missing(new)["new"], "tokens_t", "dose")
    assert np.isnan(features.values(new)).all()


def test_models_that_lack_nothing_the_formula_needs_count() -> None:
    features = FeatureMap.learn("log_params", MODELS)
    np.testing.assert_allclose(features.means, np.log10(MODELS["params_b"]).mean())
    assert features.missing(MODELS).empty


def test_an_intercept_is_never_a_feature() -> None:
    for formula in ("log_params", "1 + log_params", "0 + log_params", "log_params - 1"):
        assert FeatureMap.learn(formula, MODELS).names == ("log_params",)


def test_flags_count_as_one_and_zero() -> None:
    features = FeatureMap.learn("log_params + instruct", MODELS)
    assert features.names == ("log_params", "instruct")
    assert features.means[1] == 0.5
    gaps = MODELS.assign(instruct=pd.array([True, None, True, False, False, True], "boolean"))
    assert FeatureMap.learn("instruct", gaps).missing(gaps).to_dict() == {
        "ant-3b": "lacks instruct"
    }


@pytest.mark.parametrize("drop", ["kind", "0 + kind"])
def test_text_becomes_categories_less_one(drop: str) -> None:
    features = FeatureMap.learn(drop, MODELS)
    assert features.names == ("kind[T.moe]",)
    np.testing.assert_allclose(features.values(MODELS)[:, 0], [-0.5, 0.5, -0.5, -0.5, 0.5, 0.5])


def test_new_models_get_the_same_columns_where_categories_are_absent() -> None:
    features = FeatureMap.learn("log_params + family", MODELS)
    assert features.names == ("log_params", "family[T.bee]", "family[T.cat]")
    np.testing.assert_allclose(features.values(MODELS)[[3]], features.values(MODELS.iloc[[3]]))
    assert features.values(MODELS.iloc[:0]).shape == (0, 3)


def test_an_unseen_category_is_refused(message: Message) -> None:
    features = FeatureMap.learn("log_params + kind", MODELS)
    with refused("model 'ant-1b', column 'kind'", "mow") as caught:
        features.values(MODELS.assign(kind="mow"))
    message(caught, "moe")


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("I(log_params**2) + log_params", ("I(log_params ** 2)", "log_params")),
        ("{log_params**2}", ("log_params ** 2",)),
        ("np.log(params_b) + sqrt(dose)", ("np.log(params_b)", "sqrt(dose)")),
        ("poly(dose, 2)", ("poly(dose, 2)[1]", "poly(dose, 2)[2]")),
        ("I(params_b > 4)", ("I(params_b > 4)",)),
        ("C(kind)", ("C(kind)[T.moe]",)),
        ("abs(dose - 3)", ("abs(dose - 3)",)),
        ("log_params:kind", ("log_params:kind[dense]", "log_params:kind[moe]")),
    ],
)
def test_formulaics_transforms_may_be_used(formula: str, names: tuple[str, ...]) -> None:
    features = FeatureMap.learn(formula, MODELS)
    assert features.names == names
    np.testing.assert_allclose(features.values(MODELS).mean(axis=0), 0, atol=1e-12)


def test_transforms_remember_what_they_learned() -> None:
    features = FeatureMap.learn("poly(dose, 2) + scale(params_b)", MODELS)
    np.testing.assert_allclose(features.values(MODELS.iloc[2:4]), features.values(MODELS)[2:4])


def test_a_name_with_a_blank_is_quoted() -> None:
    models = MODELS.rename(columns={"dose": "the dose"})
    assert FeatureMap.learn("`the dose`", models).columns == ("the dose",)
    assert FeatureMap.learn("sqrt(`the dose`)", models).columns == ("the dose",)


def test_a_map_survives_pickling() -> None:
    for formula in ("log_params * log_tokens", "poly(dose, 2) + kind", "C(kind) + scale(dose)"):
        features = FeatureMap.learn(formula, MODELS)
        again = pickle.loads(pickle.dumps(features))
        np.testing.assert_array_equal(again.values(MODELS), features.values(MODELS))


def test_means_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        FeatureMap.learn("log_params", MODELS).means[0] = 1.0


def test_numbers_of_new_models_may_be_objects() -> None:
    features = FeatureMap.learn("log_params", MODELS)
    new = pd.DataFrame({"params_b": [1, "3", None]}, index=list("abc"), dtype=object)
    assert np.isnan(features.values(new)).ravel().tolist() == [False, False, True]


@pytest.mark.parametrize("size", [0.0, -1.0, np.inf, "big"])
def test_an_impossible_size_of_a_new_model_is_refused(size: Any, message: Message) -> None:
    features = FeatureMap.learn("log_params", MODELS)
    with refused("model 'new', column 'params_b'") as error:
        features.values(pd.DataFrame({"params_b": [size]}, index=["new"], dtype=object))
    message(error)


def test_values_that_are_not_finite_are_refused(message: Message) -> None:
    features = FeatureMap.learn("log(dose + 1)", MODELS)
    with refused("features 'log(dose + 1)'", "ant-1b") as error:
        features.values(MODELS.assign(dose=-1.0))
    message(error)
    message(refusal("log(dose)"), "ant-1b")


def test_values_too_large_to_compute_with_are_refused(message: Message) -> None:
    text = refusal("log_params + exp(dose**3)", MODELS.assign(dose=[*range(2, 8)]))
    message(text, "exp(dose ** 3)", "1e+100", "cat-20b")


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "quoted"),
    [
        ("log_params *", ["log_params *"]),
        ("(log_params", []),
        ("[)", []),
        (".", []),
        ("3", []),
        ("{1 +}", []),
        ("", []),
        (None, []),
        ("1", []),
        ("0", []),
        ("mmlu ~ log_params", []),
        ("log_params | dose", []),
        ("log_parms", ["log_params"]),
        ("log_params + zebra", ["log_params", "log_tokens"]),
        ("dose + I(2 * dose)", ["I(2 * dose)", "dose"]),
        ("log_params + log(params_b)", ["collinear"]),
        ("I(0 * dose)", ["6"]),
        ("poly(dose, kind)", ["20"]),
    ],
)
def test_a_formula_that_makes_no_features_is_refused(
    formula: Any, quoted: list[str], message: Message
) -> None:
    message(refusal(formula), *quoted)


@pytest.mark.parametrize(
    "formula",
    [
        "{__import__('os').system('touch pwned')}",
        "{open('pwned', 'w')}",
        "{(lambda: dose)()}",
        "{[x for x in dose]}",
        "{dose.__class__}",
        "I(dose.values)",
        "np.random.rand(6)",
        "np.loadtxt('x')",
        "eval('1')",
        "{dose if True else dose}",
        "I(9 ** 9 ** 9)",
        "I(dose ** kind)",
        "lag(dose)",
        "{f'{dose}'}",
        "{dose := 1}",
        "I(dose[0])",
        "{dose(1)}",
    ],
)
def test_a_formula_runs_no_code_but_features(formula: str) -> None:
    text = refusal(formula)
    assert "not allowed" in text or "cannot read" in text
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("formula", "corrected"),
    [
        ("log_params + ctx-k", "log_params + `ctx-k`"),
        ("log_params + release year", "log_params + `release year`"),
        ("log(ctx.k) * dose", "log(`ctx.k`) * dose"),
        ("sqrt(8bit) + ctx-k", "sqrt(`8bit`) + `ctx-k`"),
        ("I(class + 1)", "I(`class` + 1)"),
        ("score (%)", "`score (%)`"),
    ],
)
def test_a_name_that_needs_backticks_is_shown_with_them(
    formula: str, corrected: str, message: Message
) -> None:
    names = ("ctx-k", "release year", "ctx.k", "8bit", "class", "score (%)")
    models = MODELS.assign(**{n: MODELS["dose"] ** (i + 2) + 1 for i, n in enumerate(names)})
    text = refusal(formula, models)
    message(text, corrected)
    assert set(FeatureMap.learn(corrected, models).columns) & set(names)


def test_the_advice_on_backticks_can_be_pasted_into_a_shell(message: Message) -> None:
    text = refusal("log_params + ctx-k", MODELS.assign(**{"ctx-k": 1.0}))
    message(in_options(text), "--features", "log_params + `ctx-k`")
    spelt = refusal("ctx_k", MODELS.assign(**{"ctx-k": 1.0}))
    message(spelt, "`ctx-k`")


@pytest.mark.parametrize("name", ['it\'s "odd" $(touch x)', "a'; touch x; '", "$(touch x)", "a\\'"])
def test_no_column_puts_a_command_into_advice_for_a_shell(name: str) -> None:
    text = in_options(refusal(f"log_params + {name}", MODELS.assign(**{name: 1.0})))
    advice = text[text.index("in backticks: ") :].removeprefix("in backticks: ").removesuffix(".")
    assert shlex.split(advice) == ["--features", f"log_params + `{name}`"]


def test_tokens_nobody_knows_are_refused_with_the_remedy(message: Message) -> None:
    for models in (MODELS.drop(columns="tokens_t"), MODELS.assign(tokens_t=np.nan)):
        text = refusal("log_params * log_tokens", models)
        message(text)
        assert "features='log_params'" in text


def test_models_that_all_lack_something_are_refused(message: Message) -> None:
    models = MODELS.assign(dose=[1.0, np.nan] * 3, tokens_t=[np.nan, 1.0] * 3)
    message(refusal("log_tokens + dose", models), "tokens_t")


def test_the_column_behind_a_log_is_named_where_it_is_missing(message: Message) -> None:
    text = refusal("log_params", MODELS.drop(columns="params_b"))
    message(text, "params_b", "log_params")


def test_a_raw_count_of_a_new_model_is_refused(message: Message) -> None:
    features = FeatureMap.learn("log_params", MODELS)
    with refused("model 'new', column 'params_b'") as error:
        features.values(pd.DataFrame({"params_b": [7e9]}, index=["new"]))
    message(error)


def test_the_default_formula_has_one_home() -> None:
    assert lv.LatentSkillModel().features == DEFAULT_FEATURES
    assert FeatureMap.learn(DEFAULT_FEATURES, MODELS).columns == ("params_b", "tokens_t")
