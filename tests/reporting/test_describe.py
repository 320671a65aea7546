from __future__ import annotations

import re

import pytest

import lvkit as lv
from lvkit.facts import fitted_errors
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


def test_what_is_missing_is_counted(leaderboard: lv.Panel) -> None:
    text = describe.describe_missing(leaderboard)
    assert "Of 2,364 possible scores (197 models, 12 benchmarks), 1,680 were measured (71%)" in text
    assert "83 models have them all" in text


def test_the_criteria_are_told_for_each_number_of_skills(selection: lv.Selection) -> None:
    text = describe.describe_criterion(selection)
    assert text.startswith("For K = 1 and 3 skills AIC is ")
    assert f"BIC is lowest at K = {selection.table['bic'].idxmin()}" in text
    assert "Not converged" not in text


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
