from __future__ import annotations

import re
from dataclasses import replace

import pytest

import lvkit as lv
from lvkit.facts import fitted_errors, side_skills
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


def test_the_summary_has_a_paragraph_for_each_question(
    selection: lv.Selection, fit: lv.Fit
) -> None:
    prose = describe.summarise(selection, fit)
    subjects = [subject for subject, _ in prose.paragraphs]
    assert subjects[0] == "The data"
    assert "Size and tokens" in subjects
    assert len(subjects) == 7
    text = str(prose)
    assert "(lacks tokens_t: " in text
    assert "converged" in text
    assert "not effects" in text
    assert "nan" not in text


def test_the_summary_tells_who_loads_on_two_skills(selection: lv.Selection, fit: lv.Fit) -> None:
    told = "at least half as much on a second skill" in str(describe.summarise(selection, fit))
    assert told == (not side_skills(fit).empty)
    assert "second skill" not in str(describe.summarise(selection, selection.fits[1]))


def test_the_summary_says_when_more_skills_might_be_better(
    selection: lv.Selection, fit: lv.Fit
) -> None:
    best = selection.table["aic"].idxmin()
    assert best == 3
    text = str(describe.summarise(selection, fit))
    assert "AIC favours 3 (the most that were tried)" in text
    assert "which has the lowest AIC" in text
    assert " above the lowest" in str(describe.summarise(selection, selection.fits[1]))


def test_the_summary_does_not_hide_a_search_that_failed(
    selection: lv.Selection, fit: lv.Fit
) -> None:
    failed = replace(fit, converged=False, message="out of steps")
    text = str(describe.summarise(selection, failed))
    assert "did NOT converge (out of steps)" in text


def test_the_summary_of_other_features_is_silent_on_size_and_tokens(leaderboard: lv.Panel) -> None:
    some = leaderboard.select(families=leaderboard.families[:9])
    model = lv.LatentSkillModel(n_skills=1, features="log_params")
    selection = lv.select_skills(some, [1], model)
    subjects = [s for s, _ in describe.summarise(selection, selection.fits[1]).paragraphs]
    assert "Size and tokens" not in subjects


@pytest.mark.parametrize(
    "name", ["<script>", "a_b_c", "*bold*", "[x](y)", "`code`", "$x$", "a|b", "&lt;"]
)
def test_names_are_text_in_the_markdown_of_a_summary(name: str) -> None:
    import html

    from nbconvert.filters import markdown2html

    page = markdown2html(describe.Prose((("Family", name),))._repr_markdown_())
    inside = re.fullmatch(r"<p><strong>Family.</strong> (.*)</p>\n?", page)
    assert inside is not None
    assert "<" not in inside[1]
    assert html.unescape(inside[1]) == name
