from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from golden import Message
from pictures import made_backtest

import lvkit as lv
from lvkit.plots.drawing import Plot
from lvkit.plots.phrases import Prose
from lvkit.reports.heldout import HeldOut, hold_out


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


def test_complete_models_are_held_out_and_that_is_said(
    held: HeldOut, few: lv.Panel, message: Message
) -> None:
    assert held.test is not None
    assert held.n_models == few.complete().n_models < few.n_models
    assert held.test.levels == (0.9, 0.5)
    text = paragraph(held.words, "What was held out")
    message(text, held.n_models)


def test_all_models_can_be_held_out(
    few: lv.Panel, model: lv.LatentSkillModel, message: Message
) -> None:
    whole = hold_out(few, model, complete=False, keep=2)
    assert whole.n_models == few.n_models
    text = paragraph(whole.words, "What was held out")
    message(text, "2")


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
    small_panel: lv.Panel, model: lv.LatentSkillModel, message: Message
) -> None:
    none = hold_out(small_panel, model, keep=50)
    assert none.test is None
    message(paragraph(none.words, "No test"), "50")
    assert isinstance(none.errors, Prose)
    assert isinstance(none.calibration, Prose)
    assert none.table.iloc[0, 0] == "none"
    assert none.highlights() == {}


def test_errors_are_told_from_the_least_to_the_most(made: HeldOut, message: Message) -> None:
    text = paragraph(made.words, "Errors")
    message(text, "4.5", "100", "2.0", "7.0", "6.5", "2.5")


def test_intervals_that_hold_less_than_they_promise_are_told(
    made: HeldOut, message: Message
) -> None:
    message(paragraph(made.words, "Intervals"))
    share = made.highlights()["coverage of 95% intervals"]
    assert share < 0.93
    message(paragraph(made.words, "Intervals"), f"{share:.0%}")


def test_intervals_that_hold_what_they_promise_are_told(made: HeldOut, message: Message) -> None:
    assert made.test is not None
    wide = made.test.table.assign(lower=0.0, upper=1.0)
    good = replace(made, test=replace(made.test, table=wide))
    message(paragraph(good.words, "Intervals"))


def test_the_table_has_a_row_for_each_benchmark_and_one_for_all(made: HeldOut) -> None:
    assert list(made.table.index) == ["arc", "gsm8k", "all"]
    assert list(made.table["error (points)"]) == [2.0, 7.0, 4.5]
    assert made.table.loc["all", "scores"] == 400


def test_both_pictures_are_described(made: HeldOut) -> None:
    for shown in (made.errors, made.calibration):
        assert isinstance(shown, Plot)
        assert len(shown.alt) > 60


def test_folds_that_failed_are_named(made: HeldOut, message: Message) -> None:
    assert made.test is not None
    failing = replace(made.test, failures={"opt": "no"}, unconverged=tuple("abcdefgh"))
    text = paragraph(replace(made, test=failing).words, "What was held out")
    message(text, "2")


def test_whole_families_that_are_held_out_are_unknown_recipes(
    made: HeldOut, message: Message
) -> None:
    assert made.test is not None
    text = paragraph(replace(made, test=replace(made.test, keep=0)).words, "What was held out")
    message(text)
