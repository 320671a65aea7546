from __future__ import annotations

import re
from dataclasses import replace

import pytest
from pictures import made_backtest

import lvkit as lv
from lvkit.curve import ResponseCurve
from lvkit.interpret import fitted_errors
from lvkit.planning.words import amount
from lvkit.reporting import describe


@pytest.fixture(scope="module")
def selection(leaderboard: lv.Panel) -> lv.Selection:
    some = leaderboard.select(families=leaderboard.families[:14])
    return lv.select_skills(some, [1, 3])


@pytest.fixture(scope="module")
def fit(selection: lv.Selection) -> lv.Fit:
    return selection.fits[3]


def test_scores_are_told_with_their_range(leaderboard: lv.Panel) -> None:
    text = describe.describe_scores(leaderboard, "bbh", against="tokens_t")
    assert (
        "117 models on BIG-Bench Hard against their training tokens" not in text
    )  # 13 lack tokens
    assert "on BIG-Bench Hard against their training tokens" in text
    assert re.search(r"from 0\.\d\d to 0\.\d\d", text)


def test_one_score_has_no_correlation(leaderboard: lv.Panel) -> None:
    one = leaderboard.select(models="qwen2-72b")
    assert describe.describe_scores(one, "mmlu").startswith("Scores of 1 model on MMLU")
    assert "correlation" not in describe.describe_scores(one, "mmlu")


def test_the_highest_and_the_lowest_correlation_are_told(leaderboard: lv.Panel) -> None:
    text = describe.describe_score_correlations(leaderboard)
    assert text == (
        "Correlations of scores on 12 benchmarks: highest BIG-Bench Hard and MMLU-Pro with 0.97, "
        "lowest IFEval and MuSR with 0.34."
    )


def test_correlations_of_few_benchmarks_and_models_are_told_in_few_words(
    leaderboard: lv.Panel,
) -> None:
    two = leaderboard.select(benchmarks=["mmlu", "arc"])
    text = describe.describe_score_correlations(two)
    assert text == "Correlations of scores on 2 benchmarks: MMLU and ARC Challenge 0.89."
    few = two.select(models=["qwen2-72b", "qwen2-7b"])
    assert describe.describe_score_correlations(few).endswith("too few models have two scores.")


def test_what_is_missing_is_counted(leaderboard: lv.Panel) -> None:
    text = describe.describe_missing(leaderboard)
    assert "Of 2,364 possible scores (197 models, 12 benchmarks), 1,680 were measured (71%)" in text
    assert text.endswith("83 models have them all. MMLU has most (163), IFEval fewest (117).")


def test_benchmarks_with_as_many_scores_each_are_told_so(leaderboard: lv.Panel) -> None:
    text = describe.describe_missing(leaderboard.complete())
    assert text.endswith("83 models have them all. Each benchmark has 83.")


def test_the_criteria_are_told_for_each_number_of_skills(selection: lv.Selection) -> None:
    text = describe.describe_criterion(selection)
    assert text.startswith("For K = 1 and 3 skills AIC is ")
    assert f"BIC is lowest at K = {selection.table['bic'].idxmin()}" in text
    assert "Not converged" not in text


def test_a_criterion_that_is_lowest_at_the_edge_of_the_search_says_so(
    selection: lv.Selection,
) -> None:
    rising = selection.table.assign(aic=[2.0, 1.0], bic=[1.0, 2.0])
    text = describe.describe_criterion(lv.Selection(selection.fits, rising))
    assert "AIC is lowest at K = 3 (1, at the edge of what was tried)" in text
    assert "BIC is lowest at K = 1 (1)." in text


def test_a_number_of_skills_that_did_not_converge_is_told(selection: lv.Selection) -> None:
    doubtful = lv.Selection(selection.fits, selection.table.assign(converged=[True, False]))
    assert describe.describe_criterion(doubtful).endswith("Not converged: K = 3.")


def test_each_skill_is_told_with_its_anchor_and_company(fit: lv.Fit) -> None:
    text = describe.describe_loadings(fit)
    assert text.startswith("Loadings of 12 benchmarks on 3 skills. ")
    assert all(f"{skill}: its anchor " in text for skill in fit.skills)


def test_each_correlation_is_told_once_highest_first(fit: lv.Fit) -> None:
    numbers = re.findall(r"-?\d\.\d\d", describe.describe_correlation(fit))
    assert len(numbers) == 3
    assert sorted(map(float, numbers), reverse=True) == list(map(float, numbers))


def test_one_skill_has_no_correlation(selection: lv.Selection) -> None:
    assert "one skill" in describe.describe_correlation(selection.fits[1])


def test_families_are_told_from_both_ends(fit: lv.Fit) -> None:
    text = describe.describe_families(fit, top=None)
    assert text.startswith("All families (")
    best = fit.family_effects[fit.skills[0]].idxmax()
    assert f"In {fit.skills[0]}, {best} (" in text
    assert describe.describe_families(fit, top=7).startswith(
        "The families with the most scores (7)"
    )


def test_a_few_families_are_told_in_order(fit: lv.Fit) -> None:
    text = describe.describe_families(fit, skill=fit.skills[1], top=3)
    assert f"{fit.skills[1]}: from the highest, " in text
    assert fit.skills[0] + ":" not in text


def test_the_errors_are_those_of_the_fit(fit: lv.Fit) -> None:
    errors = fitted_errors(fit)
    text = describe.describe_fitted(fit)
    assert f"{errors.mean():.1f} points on average" in text
    assert f"({errors.max():.1f})" in text


def test_families_are_told_beyond_what_their_features_are(small_fit: lv.Fit, fit: lv.Fit) -> None:
    assert "beyond size and tokens" in describe.describe_families(fit)
    sizes = lv.LatentSkillModel(n_skills=1, features="log_params").fit(small_fit.panel)
    text = describe.describe_families(sizes)
    assert "beyond size. " in text
    assert "tokens" not in text


def test_standard_errors_are_told_from_smallest_to_largest(fit: lv.Fit) -> None:
    errors = fit.summary()["std_error"]
    errors = errors[errors.index.str.startswith("loading[")]
    text = describe.describe_loadings(fit, errors=True)
    assert text.startswith(describe.describe_loadings(fit))
    assert text.endswith(f"Standard errors go from {errors.min():.2f} to {errors.max():.2f}.")


def test_a_search_is_told_from_its_start_to_its_end(fit: lv.Fit) -> None:
    text = describe.describe_trace(fit)
    assert f"from {fit.trace['loglik'].iloc[0]:,.1f} to " in text
    assert f"that of the fit, which converged, is {fit.loglik:,.2f}." in text


def test_intervals_are_told_from_the_largest_loading(small_fit: lv.Fit) -> None:
    text = describe.describe_loading_intervals(small_fit, "general", level=0.9)
    assert text.startswith("Loadings on general with 90% intervals, largest first: ")
    numbers = [float(number) for number in re.findall(r"(-?\d+\.\d\d) \(", text)]
    assert len(numbers) == 5  # all but the other skill's anchor
    assert numbers == sorted(numbers, reverse=True)
    row = small_fit.summary(0.9).loc["loading[bbh, general]"]
    assert f"({row['ci_lower']:.2f} to {row['ci_upper']:.2f})" in text


def test_two_families_are_told_with_the_odds_of_the_first(small_fit: lv.Fit) -> None:
    post = small_fit.sample_families(4000)
    a, b = post.families[:2]
    text = describe.describe_family_density(post, a, b)
    odds = post.compare(a, b)["probability"]
    told = f"{odds['general']:.2f} in general and {odds['instruction']:.2f} in instruction"
    assert text.endswith(f"The probability that {a} stands higher is {told}.")
    mean = post.summary().loc[(b, "general"), "mean"]
    assert f"{b} at {mean:.1f} ± " in text


def test_predictions_are_told_with_what_was_measured(small_fit: lv.Fit) -> None:
    models = small_fit.panel.models.iloc[:2]
    prediction = small_fit.predict(models, intervals="plugin", draws=200)
    text = describe.describe_prediction(prediction)
    assert text.startswith("Predicted scores of 2 models on 6 benchmarks, with 95% intervals: ")
    assert text.endswith("None were measured.")
    text = describe.describe_prediction(prediction, observed=small_fit.panel)
    assert re.search(rf"inside: \d of 6 for {models.index[0]} and \d of 6 for", text)


def test_coverage_is_told_level_by_level() -> None:
    text = describe.describe_backtest_calibration(made_backtest())
    assert text == (
        "Of 400 held-out scores lie, with the model's own intervals: 50.0% inside those of 50% "
        "and 75.0% inside those of 95%."
    )
    text = describe.describe_backtest_calibration(made_backtest(intervals="calibrated"))
    assert text.endswith("Before calibration: 50.0% and 95.0%.")


def test_errors_of_predictions_are_told_from_the_smallest() -> None:
    assert describe.describe_backtest_errors(made_backtest()) == (
        "Mean absolute error of predictions in points, averaged over 2 families, best predicted "
        "first: arc 2.0, gsm8k 7.0; 4.5 over all benchmarks."
    )
    told = describe.describe_backtest_errors(replace(made_backtest(), labels={"arc": "ARC"}))
    assert "first: ARC 2.0, gsm8k 7.0;" in told


def test_a_map_of_families_is_told_with_its_extremes_and_marked_families(fit: lv.Fit) -> None:
    family = fit.families[0]
    text = describe.describe_family_map(fit, families=[family], top=8)
    across, up = fit.skills[:2]
    assert text.startswith(
        f"The 8 best known families on {across} and {up}, beyond size and tokens"
    )
    assert "holds 50% of its posterior" in text
    assert f"In {up}, " in text
    assert f"Marked: {family} at {fit.family_effects.loc[family, across]:.1f} ± " in text


def test_a_map_of_all_families_says_so(fit: lv.Fit) -> None:
    text = describe.describe_family_map(fit, skills=fit.skills[1:3], top=None, level=0.9)
    assert text.startswith(f"All families on {fit.skills[1]} and {fit.skills[2]}")
    assert "Marked" not in text


def test_a_response_curve_is_told_with_the_scores_at_a_skill() -> None:
    curve = ResponseCurve(loading=2.0, intercept=-1.0, floor=0.25, precision=20.0)
    start = "The expected score rises from 0.25 to 1, half-way at skill 0.5."
    assert describe.describe_response(curve) == start
    low, high = (float(end) for end in curve.interval(0.5))
    assert describe.describe_response(curve, skill=0.5) == (
        f"{start} At skill 0.5 it is 0.62, and 90% of scores lie between {low:.2f} and {high:.2f}."
    )


def test_a_falling_and_a_level_response_are_told() -> None:
    falling = describe.describe_response(ResponseCurve(loading=-1.0))
    assert falling == "The expected score falls from 1 to 0.00, half-way at skill 0.0."
    level = describe.describe_response(ResponseCurve(loading=0.0))
    assert level == "The expected score is 0.50 at every skill."


@pytest.fixture(scope="module")
def planned(leaderboard: lv.Panel) -> lv.Fit:
    return lv.LatentSkillModel(n_skills=1).fit(leaderboard.complete())


def test_what_budgets_reach_is_told_by_its_ends(planned: lv.Fit) -> None:
    plan = lv.plan_compute(planned, [1e24, 1e22, 1e23], target="gsm8k", family="qwen2", level=None)
    low, high = plan.table.set_index("budget")["value"][[1e22, 1e24]]
    assert describe.describe_plan_value(plan) == (
        f"What gsm8k of qwen2 reaches (expected score): from {low:.2f} on 1e22 FLOPs to "
        f"{high:.2f} on 1e24 FLOPs."
    )


def test_a_plan_outside_of_the_data_is_told_with_its_intervals(planned: lv.Fit) -> None:
    plan = lv.plan_compute(planned, 1e28, target="gsm8k")
    text = describe.describe_plan_value(plan)
    assert "on 1e28 FLOPs, with 95% intervals. 1 budget of 1 outside the fitted models." in text


def test_plans_side_by_side_are_told_target_by_target(planned: lv.Fit) -> None:
    found = lv.compare_plans(planned, [1e21, 1e23], targets=["mmlu", "gsm8k"])
    text = describe.describe_plan_comparison(found)
    start = "Best tokens per parameter on 1e23 FLOPs with 95% intervals, beside the Chinchilla rule"
    assert text.startswith(start)
    row = found.plans[1].table.iloc[-1]
    ends = [amount(row[f"tokens_per_param{end}"]) for end in ("", "_lower", "_upper")]
    assert f"gsm8k of a new recipe {ends[0]} ({ends[1]} to {ends[2]})" in text


def test_a_best_point_at_an_end_is_told_so(planned: lv.Fit) -> None:
    limits = lv.Limits(max_tokens_t=0.1)
    found = lv.compare_plans(planned, 1e23, targets=["mmlu", "gsm8k"], limits=limits, level=None)
    text = describe.describe_plan_comparison(found)
    assert text.count(", at an end (max_tokens_t)") == 2
    assert "interval" not in text
