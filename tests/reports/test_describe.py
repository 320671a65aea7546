from __future__ import annotations

import re
from dataclasses import replace

import pytest
from golden import Message
from pictures import made_backtest

import lvkit as lv
from lvkit.fit.interpret import fitted_errors
from lvkit.model.response_curve import ResponseCurve
from lvkit.planning.plan_text import amount
from lvkit.plots.family import describe_family_density
from lvkit.plots.family_effects import describe_families, describe_family_map
from lvkit.plots.fit import (
    describe_correlation,
    describe_criterion,
    describe_fitted,
    describe_loading_intervals,
    describe_loadings,
    describe_trace,
)
from lvkit.plots.panel import describe_missing, describe_score_correlations, describe_scores
from lvkit.plots.plan_results import describe_plan_comparison, describe_plan_value
from lvkit.plots.predictions import (
    describe_backtest_calibration,
    describe_backtest_errors,
    describe_prediction,
)
from lvkit.plots.response_curve import describe_response


@pytest.fixture(scope="module")
def selection(leaderboard: lv.Panel) -> lv.Selection:
    some = leaderboard.select(families=leaderboard.families[:14])
    return lv.select_skills(some, [1, 3])


@pytest.fixture(scope="module")
def fit(selection: lv.Selection) -> lv.Fit:
    return selection.fits[3]


def test_scores_are_told_with_their_range(leaderboard: lv.Panel, message: Message) -> None:
    text = describe_scores(leaderboard, "bbh", against="tokens_t")
    message(text)


def test_one_score_has_no_correlation(leaderboard: lv.Panel, message: Message) -> None:
    one = leaderboard.select(models="qwen2-72b")
    message(describe_scores(one, "mmlu"), "1")
    assert "correlation" not in describe_scores(one, "mmlu")


def test_the_highest_and_the_lowest_correlation_are_told(
    leaderboard: lv.Panel, message: Message
) -> None:
    text = describe_score_correlations(leaderboard)
    message(text, "12", "0.97", "0.34")


def test_correlations_of_few_benchmarks_and_models_are_told_in_few_words(
    leaderboard: lv.Panel, message: Message
) -> None:
    two = leaderboard.select(benchmarks=["mmlu", "arc"])
    text = describe_score_correlations(two)
    message(text, "2", "0.89")
    few = two.select(models=["qwen2-72b", "qwen2-7b"])
    message(describe_score_correlations(few))


def test_what_is_missing_is_counted(leaderboard: lv.Panel, message: Message) -> None:
    text = describe_missing(leaderboard)
    message(text, "2,364", "197", "12", "1,680", "71%", "83", "163", "117")


def test_benchmarks_with_as_many_scores_each_are_told_so(
    leaderboard: lv.Panel, message: Message
) -> None:
    text = describe_missing(leaderboard.complete())
    message(text, "83")


def test_the_criteria_are_told_for_each_number_of_skills(
    selection: lv.Selection, message: Message
) -> None:
    text = describe_criterion(selection)
    message(text, "1", "3", selection.table["bic"].idxmin())


def test_a_criterion_that_is_lowest_at_the_edge_of_the_search_says_so(
    selection: lv.Selection, message: Message
) -> None:
    rising = selection.table.assign(aic=[2.0, 1.0], bic=[1.0, 2.0])
    text = describe_criterion(lv.Selection(selection.fits, rising))
    message(text, "3", "1")


def test_a_number_of_skills_that_did_not_converge_is_told(
    selection: lv.Selection, message: Message
) -> None:
    doubtful = lv.Selection(selection.fits, selection.table.assign(converged=[True, False]))
    message(describe_criterion(doubtful), "3")


def test_each_skill_is_told_with_its_anchor_and_company(fit: lv.Fit, message: Message) -> None:
    text = describe_loadings(fit)
    message(text, "12", "3")
    assert all(f"{skill}: " in text for skill in fit.skills)


def test_each_correlation_is_told_once_highest_first(fit: lv.Fit) -> None:
    numbers = re.findall(r"-?\d\.\d\d", describe_correlation(fit))
    assert len(numbers) == 3
    assert sorted(map(float, numbers), reverse=True) == list(map(float, numbers))


def test_one_skill_has_no_correlation(selection: lv.Selection, message: Message) -> None:
    message(describe_correlation(selection.fits[1]))


def test_families_are_told_from_both_ends(fit: lv.Fit, message: Message) -> None:
    text = describe_families(fit, top=None)
    best = fit.family_effects[fit.skills[0]].idxmax()
    message(text, fit.skills[0], best)
    message(describe_families(fit, top=7), "7")


def test_a_few_families_are_told_in_order(fit: lv.Fit, message: Message) -> None:
    text = describe_families(fit, skill=fit.skills[1], top=3)
    message(text, fit.skills[1])
    assert fit.skills[0] + ":" not in text


def test_the_errors_are_those_of_the_fit(fit: lv.Fit, message: Message) -> None:
    errors = fitted_errors(fit)
    text = describe_fitted(fit)
    message(text, f"{errors.mean():.1f}")
    assert f"({errors.max():.1f})" in text


def test_families_are_told_beyond_what_their_features_are(
    small_fit: lv.Fit, fit: lv.Fit, message: Message
) -> None:
    message(describe_families(fit))
    sizes = lv.LatentSkillModel(n_skills=1, features="log_params").fit(small_fit.panel)
    text = describe_families(sizes)
    message(text)
    assert "tokens" not in text


def test_standard_errors_are_told_from_smallest_to_largest(fit: lv.Fit, message: Message) -> None:
    errors = fit.summary()["std_error"]
    errors = errors[errors.index.str.startswith("loading[")]
    text = describe_loadings(fit, errors=True)
    assert text.startswith(describe_loadings(fit))
    message(text, f"{errors.min():.2f}", f"{errors.max():.2f}")


def test_a_search_is_told_from_its_start_to_its_end(fit: lv.Fit, message: Message) -> None:
    text = describe_trace(fit)
    message(text, f"{fit.trace['loglik'].iloc[0]:,.1f}", f"{fit.loglik:,.2f}")


def test_intervals_are_told_from_the_largest_loading(small_fit: lv.Fit, message: Message) -> None:
    text = describe_loading_intervals(small_fit, "general", level=0.9)
    numbers = [float(number) for number in re.findall(r"(-?\d+\.\d\d) \(", text)]
    assert len(numbers) == 5  # all but the other skill's anchor
    assert numbers == sorted(numbers, reverse=True)
    row = small_fit.summary(0.9).loc["loading[bbh, general]"]
    message(text, "90%", f"{row['ci_lower']:.2f}", f"{row['ci_upper']:.2f}")


def test_two_families_are_told_with_the_odds_of_the_first(
    small_fit: lv.Fit, message: Message
) -> None:
    post = small_fit.sample_families(4000)
    a, b = post.families[:2]
    text = describe_family_density(post, a, b)
    odds = post.compare(a, b)["probability"]
    f"{odds['general']:.2f} in general and {odds['instruction']:.2f} in instruction"
    mean = post.summary().loc[(b, "general"), "mean"]
    message(text, a, f"{odds['general']:.2f}", f"{odds['instruction']:.2f}", b, f"{mean:.1f}")


def test_predictions_are_told_with_what_was_measured(small_fit: lv.Fit, message: Message) -> None:
    models = small_fit.panel.models.iloc[:2]
    prediction = small_fit.predict(models, intervals="plugin", draws=200)
    text = describe_prediction(prediction)
    message(text, "2", "6", "95%")
    text = describe_prediction(prediction, observed=small_fit.panel)
    message(text, "6", models.index[0])


def test_coverage_is_told_level_by_level(message: Message) -> None:
    text = describe_backtest_calibration(made_backtest())
    message(text, "400", "50.0%", "50%", "75.0%", "95%")
    text = describe_backtest_calibration(made_backtest(intervals="calibrated"))
    message(text, "50.0%", "95.0%")


def test_errors_of_predictions_are_told_from_the_smallest(message: Message) -> None:
    message(describe_backtest_errors(made_backtest()), "2", "2.0", "7.0", "4.5")
    told = describe_backtest_errors(replace(made_backtest(), labels={"arc": "ARC"}))
    message(told, "2.0", "7.0")


def test_a_map_of_families_is_told_with_its_extremes_and_marked_families(
    fit: lv.Fit, message: Message
) -> None:
    family = fit.families[0]
    text = describe_family_map(fit, families=[family], top=8)
    across, up = fit.skills[:2]
    message(text, "8", across, up, "50%", family, f"{fit.family_effects.loc[family, across]:.1f}")


def test_a_map_of_all_families_says_so(fit: lv.Fit, message: Message) -> None:
    text = describe_family_map(fit, skills=fit.skills[1:3], top=None, level=0.9)
    message(text, fit.skills[1], fit.skills[2])
    assert "Marked" not in text


def test_a_response_curve_is_told_with_the_scores_at_a_skill(message: Message) -> None:
    curve = ResponseCurve(loading=2.0, intercept=-1.0, floor=0.25, precision=20.0)
    message(describe_response(curve), "0.25", "1", "0.5")
    low, high = (float(end) for end in curve.interval(0.5))
    message(
        describe_response(curve, skill=0.5),
        "0.25",
        "1",
        "0.5",
        "0.62",
        "90%",
        f"{low:.2f}",
        f"{high:.2f}",
    )


def test_a_falling_and_a_level_response_are_told(message: Message) -> None:
    falling = describe_response(ResponseCurve(loading=-1.0))
    message(falling, "1", "0.00", "0.0")
    level = describe_response(ResponseCurve(loading=0.0))
    message(level, "0.50")


@pytest.fixture(scope="module")
def planned(leaderboard: lv.Panel) -> lv.Fit:
    return lv.LatentSkillModel(n_skills=1).fit(leaderboard.complete())


def test_what_budgets_reach_is_told_by_its_ends(planned: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(planned, [1e24, 1e22, 1e23], target="gsm8k", family="qwen2", level=None)
    low, high = plan.table.set_index("budget")["value"][[1e22, 1e24]]
    message(describe_plan_value(plan), f"{low:.2f}", "1e22", f"{high:.2f}", "1e24")


def test_a_plan_outside_of_the_data_is_told_with_its_intervals(
    planned: lv.Fit, message: Message
) -> None:
    plan = lv.plan_compute(planned, 1e28, target="gsm8k")
    text = describe_plan_value(plan)
    message(text, "1e28", "95%", "1")


def test_plans_side_by_side_are_told_target_by_target(planned: lv.Fit, message: Message) -> None:
    found = lv.compare_plans(planned, [1e21, 1e23], targets=["mmlu", "gsm8k"])
    text = describe_plan_comparison(found)
    row = found.plans[1].table.iloc[-1]
    ends = [amount(row[f"tokens_per_param{end}"]) for end in ("", "_lower", "_upper")]
    message(text, "1e23", "95%", ends[0], ends[1], ends[2])


def test_a_best_point_at_an_end_is_told_so(planned: lv.Fit, message: Message) -> None:
    limits = lv.Limits(max_tokens_t=0.1)
    found = lv.compare_plans(planned, 1e23, targets=["mmlu", "gsm8k"], limits=limits, level=None)
    text = describe_plan_comparison(found)
    assert text.count("(max_tokens_t)") == 2
    message(text)
    assert "interval" not in text
