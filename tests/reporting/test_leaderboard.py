from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pandas as pd
import pytest
from pictures import made_backtest, odd_panel

import lvkit as lv
from lvkit.drawing import Picture
from lvkit.family_facts import ranked_families
from lvkit.reporting.leaderboard import HeldOut, hold_out, mistrust, standings
from lvkit.reporting.words import Prose


def paragraph(prose: Prose, subject: str) -> str:
    return dict(prose.paragraphs)[subject]


@pytest.fixture(scope="module")
def model() -> lv.LatentSkillModel:
    return lv.LatentSkillModel(n_skills=1, features="log_params")


@pytest.fixture(scope="module")
def few(leaderboard: lv.Panel) -> lv.Panel:
    """Four lineages and four benchmarks; some of the models lack scores."""
    lineages = ["yi-1.5", "yi", "gpt-neo/j", "qwen1.5"]
    models = leaderboard.models.index[leaderboard.models["lineage"].isin(lineages)]
    return leaderboard.select(models=models, benchmarks=["mmlu", "arc", "gsm8k", "bbh"])


@pytest.fixture(scope="module")
def held(few: lv.Panel, model: lv.LatentSkillModel) -> HeldOut:
    return hold_out(few, model, level=0.9)


@pytest.fixture
def made() -> HeldOut:
    test = made_backtest()
    return HeldOut(replace(test, table=test.table.assign(lineage=test.table["family"])), 0.95, 12)


@pytest.fixture(scope="module")
def selection(small_panel: lv.Panel) -> lv.Selection:
    return lv.select_skills(small_panel, [1, 2], lv.LatentSkillModel(features="log_params"))


def test_complete_models_are_held_out_and_that_is_said(held: HeldOut, few: lv.Panel) -> None:
    assert held.test is not None
    assert held.n_models == few.complete().n_models < few.n_models
    assert held.test.levels == (0.9, 0.5)
    text = paragraph(held.words, "What was held out")
    assert f"Only the {held.n_models} models with every benchmark measured took part" in text
    assert "kept its smallest model" in text


def test_all_models_can_be_held_out(few: lv.Panel, model: lv.LatentSkillModel) -> None:
    whole = hold_out(few, model, complete=False, keep=2)
    assert whole.n_models == few.n_models
    text = paragraph(whole.words, "What was held out")
    assert "kept its 2 smallest models" in text
    assert "took part" not in text


def test_all_models_are_held_out_where_complete_ones_are_too_few(
    few: lv.Panel, model: lv.LatentSkillModel
) -> None:
    table = few.complete().to_frame()
    for at, benchmark in zip(table.index, itertools.cycle(few.scores.columns), strict=False):
        if table.loc[at, "lineage"] != "yi":
            table.loc[at, benchmark] = None
    found = hold_out(lv.Panel.from_frame(table), model)
    assert found.test is not None
    assert found.n_models == len(table)


def test_without_anything_to_hold_out_the_reason_is_told(
    small_panel: lv.Panel, model: lv.LatentSkillModel, selection: lv.Selection
) -> None:
    none = hold_out(small_panel, model, keep=50)
    assert none.test is None
    assert "no lineage has a family of more than 50 models" in paragraph(none.words, "No test")
    assert isinstance(none.errors, Prose)
    assert isinstance(none.calibration, Prose)
    assert none.table.iloc[0, 0] == "none"
    assert none.highlights() == {}
    text = paragraph(mistrust(selection, selection.fits[2], none), "Intervals")
    assert "No hold-out test could be made" in text


def test_errors_are_told_from_the_least_to_the_most(made: HeldOut) -> None:
    text = paragraph(made.words, "Errors")
    assert "miss the scores by 4.5 points of 100" in text
    assert "least on arc (2.0) and most on gsm8k (7.0)" in text
    assert "falcon is missed most (6.5) and opt least (2.5)" in text


def test_intervals_that_hold_less_than_they_promise_are_told(made: HeldOut) -> None:
    assert "That is about" not in paragraph(made.words, "Intervals")
    share = made.highlights()["coverage of 95% intervals"]
    assert share < 0.93
    assert f"of about {share:.0%}" in paragraph(made.words, "Intervals")


def test_intervals_that_hold_what_they_promise_are_told(made: HeldOut) -> None:
    assert made.test is not None
    wide = made.test.table.assign(lower=0.0, upper=1.0)
    good = replace(made, test=replace(made.test, table=wide))
    assert "That is about what they promise" in paragraph(good.words, "Intervals")


def test_the_table_has_a_row_for_each_benchmark_and_one_for_all(made: HeldOut) -> None:
    assert list(made.table.index) == ["arc", "gsm8k", "all"]
    assert list(made.table["error (points)"]) == [2.0, 7.0, 4.5]
    assert made.table.loc["all", "scores"] == 400


def test_both_pictures_are_described(made: HeldOut) -> None:
    for shown in (made.errors, made.calibration):
        assert isinstance(shown, Picture)
        assert len(shown.alt) > 60


def test_folds_that_failed_are_named(made: HeldOut) -> None:
    assert made.test is not None
    failing = replace(made.test, failures={"opt": "no"}, unconverged=tuple("abcdefgh"))
    text = paragraph(replace(made, test=failing).words, "What was held out")
    assert "could not be fitted: opt." in text
    assert "did not converge: a, b, c, d, e, f and 2 more." in text


def test_whole_families_that_are_held_out_are_unknown_recipes(made: HeldOut) -> None:
    assert made.test is not None
    text = paragraph(replace(made, test=replace(made.test, keep=0)).words, "What was held out")
    assert "as of recipes that nothing is known of" in text


def test_standings_are_told_with_interval_and_rank_among_all(small_fit: lv.Fit) -> None:
    table = standings(small_fit, level=0.8, top=5)
    assert table.shape == (5, 2)
    ranks = ranked_families(small_fit, "general", 0.8)
    for family, cell in table["general"].items():
        mean, lower, upper, rank = re.fullmatch(  # type: ignore[union-attr]
            r"(\S+) \((\S+) to (\S+)\), rank (\d+)", str(cell)
        ).groups()
        row = ranks.loc[str(family)]
        assert int(rank) == row["rank"]
        seen = [float(value) for value in (mean, lower, upper)]
        assert seen == pytest.approx(row[["standing", "lower", "upper"]].tolist(), abs=0.051)
    assert len(standings(small_fit, top=None)) == small_fit.n_families


def test_the_edge_of_what_was_tried_is_mistrusted(selection: lv.Selection, made: HeldOut) -> None:
    table = selection.table.assign(aic=[10.0, 0.0], delta_aic=[10.0, 0.0])
    edge = lv.Selection(selection.fits, table)
    text = paragraph(mistrust(edge, selection.fits[1], made), "The number of skills")
    assert "AIC is lowest at K = 2, the most that were tried" in text
    assert "K = 1, has an AIC 10 above the lowest" in text
    inside = lv.Selection(
        selection.fits, selection.table.assign(aic=[0.0, 9.0], delta_aic=[0.0, 9.0])
    )
    subjects = dict(mistrust(inside, selection.fits[1], made).paragraphs)
    assert "The number of skills" not in subjects


def test_searches_that_failed_are_mistrusted(selection: lv.Selection, made: HeldOut) -> None:
    table = selection.table.assign(converged=[True, False])
    failed = replace(selection.fits[2], converged=False, message="out of steps")
    prose = mistrust(lv.Selection(selection.fits, table), failed, made)
    assert "did not converge for K = 2" in paragraph(prose, "Searches")
    assert "errors of its parameters are unknown" in paragraph(prose, "Loadings")


@pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")
def test_what_the_data_do_not_determine_is_mistrusted(made: HeldOut) -> None:
    found = lv.select_skills(odd_panel(), [1, 2], lv.LatentSkillModel(features="log_params"))
    fit = found.fits[2]
    assert fit.curvature.undetermined_names
    assert "The data do not determine" in paragraph(mistrust(found, fit, made), "Loadings")


def test_skills_that_are_hardly_two_are_named(
    selection: lv.Selection, made: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvkit.reporting import leaderboard as module

    close = pd.Series([0.9], pd.MultiIndex.from_tuples([("maths", "logic")]))
    monkeypatch.setattr(module, "pairs", lambda fit: close)
    text = paragraph(mistrust(selection, selection.fits[2], made), "Skills")
    assert "maths and logic (0.90)" in text


def test_few_scores_and_gaps_are_mistrusted(paper_fit: lv.Fit, made: HeldOut) -> None:
    table = pd.DataFrame({"aic": [0.0], "delta_aic": [0.0], "converged": [True]}, index=[4])
    prose = mistrust(lv.Selection({4: paper_fit}, table), paper_fit, made)
    scores = paper_fit.panel.scores.loc[list(paper_fit.prepared.models)]
    assert f"{scores.isna().to_numpy().mean():.0%} of the possible scores" in str(prose)
    counts = ranked_families(paper_fit, "reasoning")["n_scores"]
    assert f"{(counts < 12).sum()} of {paper_fit.n_families} families have fewer than 12" in str(
        prose
    )
    assert "scores lie within 0.0025 of 0 or 1" in str(prose)
