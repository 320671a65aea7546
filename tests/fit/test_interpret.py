from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.fit.interpret import (
    fitted_errors,
    loading_errors,
    loading_intervals,
    main_skills,
    scale_effects,
    side_skills,
)
from lvkit.fit.select_skills import bic_by_families
from lvkit.fit.standings import family_standings, known_families, two_skills
from lvkit.plots.panel import correlation_table, missing_order, score_points
from lvkit.tools.checks import checked_names


@pytest.fixture(scope="module")
def fit(leaderboard: lv.Panel) -> lv.Fit:
    some = leaderboard.complete()
    return lv.LatentSkillModel(n_skills=1).fit(some.select(families=some.families[:8]))


def test_correlations_are_over_the_models_that_have_both_scores(leaderboard: lv.Panel) -> None:
    both = leaderboard.scores[["mmlu", "bbh"]].dropna()
    expected = np.corrcoef(both.to_numpy().T)[0, 1]
    assert correlation_table(leaderboard).loc["mmlu", "bbh"] == pytest.approx(expected)
    few = leaderboard.select(models=both.index[:4])
    assert correlation_table(few).isna().all(axis=None)


def test_points_have_both_a_score_and_a_size(leaderboard: lv.Panel) -> None:
    points = score_points(leaderboard, "ifeval", "tokens_t")
    assert points.columns.tolist() == ["family", "tokens_t", "score"]
    assert points.notna().all(axis=None)
    assert points["tokens_t"].is_monotonic_increasing
    model = points.index[0]
    assert points["score"].iloc[0] == leaderboard.scores.loc[model, "ifeval"]


def test_a_misspelt_benchmark_is_named_with_its_neighbour(
    leaderboard: lv.Panel, message: Message
) -> None:
    with refused() as error:
        score_points(leaderboard, "hellaswg")
    message(error, "hellaswg", "hellaswag")


def test_points_against_something_else_are_refused(leaderboard: lv.Panel, message: Message) -> None:
    with refused("argument 'against'", "flops", "params_b", "tokens_t") as error:
        score_points(leaderboard, "mmlu", "flops")
    message(error)


def test_points_without_tokens_are_refused(leaderboard: lv.Panel, message: Message) -> None:
    table = leaderboard.to_frame().drop(columns="tokens_t")
    with refused() as error:
        score_points(lv.Panel.from_frame(table), "mmlu", "tokens_t")
    message(error)


def test_benchmarks_are_sorted_by_skill_then_anchor_then_loading() -> None:
    loadings = pd.DataFrame(
        {"a": [0.1, 2.0, 0.0, 1.0, 1.5], "b": [-3.0, 0.0, 0.5, 0.2, 0.3]}, index=list("vwxyz")
    )
    main = main_skills(SimpleNamespace(loadings=loadings, anchors={"a": "y", "b": "x"}))
    assert "".join(main.index) == "ywzxv"
    assert "".join(main) == "aaabb"


def test_the_families_with_most_scores_come_first(fit: lv.Fit) -> None:
    effects = known_families(fit, 3)
    counts = fit.panel.scores.notna().sum(axis=1).groupby(fit.panel.models["family"]).sum()
    assert len(effects) == 3
    assert counts[effects.index].min() >= counts.drop(effects.index).max()
    pd.testing.assert_frame_equal(effects, fit.family_effects.loc[effects.index])


def test_all_families_are_there_without_a_number(fit: lv.Fit) -> None:
    assert set(known_families(fit).index) == set(fit.families)


def test_no_family_at_all_is_refused(fit: lv.Fit, message: Message) -> None:
    with refused("argument 'top'", "0") as error:
        known_families(fit, 0)
    message(error)


def test_errors_are_in_points_over_measured_scores() -> None:
    index = pd.Index(["m", "n"], name="model")
    fitted = pd.DataFrame({"x": [0.5, 0.9], "y": [0.2, 0.2]}, index=index)
    observed = pd.DataFrame({"y": [0.1, 0.3, 1.0], "x": [0.52, np.nan, 0.0]}, index=[*"mno"])
    stub = SimpleNamespace(fitted_scores=fitted, panel=SimpleNamespace(scores=observed))
    errors = fitted_errors(stub)
    assert errors.index.tolist() == ["x", "y"]
    assert errors.round(6).tolist() == [2.0, 10.0]


def test_scale_effects_are_derivatives_of_the_anchors_logits(fit: lv.Fit) -> None:
    """Against finite differences of the features, which are products before they are centred."""
    effects = scale_effects(fit)
    assert effects is not None
    s, t = fit.feature_means[:2]

    def logit(size: float, tokens: float) -> float:
        features = np.array([size, tokens, size * tokens]) - fit.feature_means
        skill = fit.slopes.to_numpy()[0] @ features
        return float(fit.loadings.loc[fit.anchors[fit.skills[0]]].iloc[0] * skill)

    step = 1e-4
    by_size = (logit(s + step, t) - logit(s - step, t)) / (2 * step)
    by_tokens = (logit(s, t + step) - logit(s, t - step)) / (2 * step)
    np.testing.assert_allclose(effects.to_numpy()[0], [by_size, by_tokens], rtol=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        ("instruct",),
        ("log_params", "I(log_params ** 2)"),
        ("log_params", "log_params:instruct"),
        ("log_tokens", "log_params:log_tokens"),
        ("log_params", "params_b"),
    ],
    ids=" and ".join,
)
def test_scale_effects_of_other_features_are_not_told(names: tuple[str, ...]) -> None:
    assert scale_effects(SimpleNamespace(feature_names=names)) is None


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ("log_params", {"size": 0.6}),
        ("log_tokens", {"tokens": 0.6}),
        ("instruct + log_params", {"size": 0.8}),
        ("log_tokens + log_params", {"size": 0.8, "tokens": 0.6}),
    ],
)
def test_scale_effects_of_size_or_tokens_alone_are_the_anchors_slopes(
    features: str, told: dict[str, float]
) -> None:
    names = tuple(features.split(" + "))
    slopes = pd.DataFrame([[0.3, 0.4][: len(names)]], index=["maths"], columns=names)
    loadings = pd.DataFrame({"maths": [2.0]}, index=["gsm8k"])
    stub = {"feature_names": names, "slopes": slopes, "loadings": loadings, "skills": ("maths",)}
    stub |= {"feature_means": np.array([5.0, 7.0][: len(names)]), "anchors": {"maths": "gsm8k"}}
    effects = scale_effects(SimpleNamespace(**stub))
    assert effects is not None
    assert effects.loc["maths"].to_dict() == pytest.approx(told)
    assert list(effects) == list(told)


def test_a_negative_main_loading_is_a_main_loading() -> None:
    loadings = pd.DataFrame(
        {"a": [-3.0, -1.0, 0.4], "b": [1.0, 0.8, -0.7]}, index=["far", "near", "turned"]
    )
    assert side_skills(SimpleNamespace(loadings=loadings)).to_dict() == {"near": "b", "turned": "a"}
    assert side_skills(SimpleNamespace(loadings=loadings[["a"]])).empty


def test_a_standing_comes_with_its_doubt_and_its_number_of_scores(small_fit: lv.Fit) -> None:
    """Against the covariance of the latent variables, family by family."""
    skill = small_fit.skills[1]
    table = family_standings(small_fit, skill, top=5)
    assert len(table) == 5
    assert table["standing"].is_monotonic_decreasing
    factor = small_fit.frame.factor[0]
    for family, row in table.iterrows():
        place = small_fit.families.index(str(family))
        covariance = factor @ small_fit.latent_covariances[place] @ factor.T
        assert row["sd"] == pytest.approx(np.sqrt(covariance[1, 1]))
        assert row["standing"] == small_fit.family_effects.loc[family, skill]
        models = small_fit.panel.models.index[small_fit.panel.models["family"] == family]
        assert row["n_scores"] == small_fit.panel.scores.loc[models].count().sum()


def test_more_scores_leave_less_doubt(paper_fit: lv.Fit) -> None:
    table = family_standings(paper_fit, "mathematics", top=None)
    assert table["sd"].rank().corr(table["n_scores"].rank()) < -0.5
    assert table["sd"].max() <= 1.0


def test_bic_by_families_charges_the_logarithm_of_their_number(small_fit: lv.Fit) -> None:
    table = pd.DataFrame({"loglik": [small_fit.loglik], "n_params": [small_fit.n_params]}, [2])
    found = bic_by_families(SimpleNamespace(fits={2: small_fit}, table=table))
    charge = np.log(small_fit.n_families) - np.log(small_fit.n_scores)
    assert found[2] == pytest.approx(small_fit.bic + charge * small_fit.n_params)


def test_full_families_come_first_and_sizes_rise_within_them(leaderboard: lv.Panel) -> None:
    order = missing_order(leaderboard)
    assert sorted(order.index) == sorted(leaderboard.scores.index)
    share = leaderboard.scores.notna().mean(axis=1).groupby(leaderboard.models["family"]).mean()
    assert share[order].is_monotonic_decreasing
    qwen = leaderboard.models["params_b"][order.index[order == "qwen1.5"]]
    assert qwen.is_monotonic_increasing
    assert order.ne(order.shift()).sum() == leaderboard.n_families


def test_an_unknown_name_is_told_with_its_neighbour(message: Message) -> None:
    assert checked_names(["opt"], ["opt", "llama"]) == ["opt"]
    with refused() as error:
        checked_names(["maths"], ["mathematics", "reasoning"], what="skill")
    message(error, "maths", "mathematics")


def test_the_order_of_a_formula_does_not_matter_to_scale_effects(fit: lv.Fit) -> None:
    model = lv.LatentSkillModel(n_skills=1, features="log_tokens * log_params")
    turned = scale_effects(model.fit(fit.panel))
    assert turned is not None
    np.testing.assert_allclose(turned, scale_effects(fit), atol=1e-3)


def test_errors_of_loadings_are_those_of_each_skill(small_fit: lv.Fit) -> None:
    table = loading_errors(small_fit)
    for skill in small_fit.skills:
        expected = loading_intervals(small_fit, skill)["std_error"]
        pd.testing.assert_series_equal(table[skill], expected, check_names=False)


def test_loading_intervals_are_those_of_the_summary(small_fit: lv.Fit) -> None:
    table, summary = loading_intervals(small_fit, "instruction", 0.9), small_fit.summary(0.9)
    assert list(table.index) == list(small_fit.benchmarks)
    assert table.index[table["fixed"]].to_list() == ["mmlu"]
    assert table.loc["mmlu", "estimate"] == 0.0
    assert np.isnan(table.loc["mmlu", "std_error"])
    for name in ("bbh", "ifeval"):
        expected = summary.loc[f"loading[{name}, instruction]"]
        assert table.loc[name, "ci_upper"] == expected["ci_upper"]
        assert table.loc[name, "estimate"] == small_fit.loadings.loc[name, "instruction"]


def test_the_first_two_skills_are_taken_unless_others_are_asked_for(message: Message) -> None:
    post = SimpleNamespace(skills=("maths", "reading", "law"))
    assert two_skills(post) == ("maths", "reading")
    assert two_skills(post, ["law", "maths"]) == ("law", "maths")
    with refused("argument 'skills'") as error:
        two_skills(post, ["law", "law"])
    message(error)
    with refused("argument 'skills'") as error:
        two_skills(SimpleNamespace(skills=("maths",)))
    message(error)
