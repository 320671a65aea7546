from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from pictures import made_backtest

import lvkit as lv
from lvkit.drawing import Plot
from lvkit.plots.sentences import Prose
from lvkit.reporting.heldout import HeldOut, hold_out


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
    small_panel: lv.Panel, model: lv.LatentSkillModel
) -> None:
    none = hold_out(small_panel, model, keep=50)
    assert none.test is None
    assert "no lineage has a family of more than 50 models" in paragraph(none.words, "No test")
    assert isinstance(none.errors, Prose)
    assert isinstance(none.calibration, Prose)
    assert none.table.iloc[0, 0] == "none"
    assert none.highlights() == {}


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
        assert isinstance(shown, Plot)
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
