from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.fit.interpret import side_skills
from lvkit.fit.select_skills import bic_by_families
from lvkit.fit.standings import family_standings, known_families
from lvkit.plots.phrases import Prose
from lvkit.reports.summary import left_out, summarise


def paragraph(prose: Prose, subject: str) -> str:
    return dict(prose.paragraphs)[subject]


@pytest.fixture(scope="module")
def selection(leaderboard: lv.Panel) -> lv.Selection:
    some = leaderboard.select(families=leaderboard.families[:14])
    return lv.select_skills(some, [1, 3])


@pytest.fixture(scope="module")
def fit(selection: lv.Selection) -> lv.Fit:
    return selection.fits[3]


@pytest.fixture(scope="module")
def of_sizes(leaderboard: lv.Panel) -> lv.Selection:
    """A panel without tokens, all of whose models are in the fit."""
    table = leaderboard.select(families=leaderboard.families[:9]).to_frame()
    model = lv.LatentSkillModel(n_skills=1, features="log_params")
    return lv.select_skills(lv.Panel.from_frame(table.drop(columns="tokens_t")), [1], model)


def test_the_summary_has_a_paragraph_for_each_question(
    selection: lv.Selection, fit: lv.Fit, message: Message
) -> None:
    prose = summarise(selection, fit)
    subjects = [subject for subject, _ in prose.paragraphs]
    message(subjects[0])
    message(subjects)
    assert len(subjects) == 7
    text = str(prose)
    message(text, "tokens_t")
    assert "nan" not in text


def test_the_summary_tells_who_loads_on_two_skills(
    selection: lv.Selection, fit: lv.Fit, message: Message
) -> None:
    told = "at least half as much on a second skill" in str(summarise(selection, fit))
    assert told == (not side_skills(fit).empty)
    message(str(summarise(selection, selection.fits[1])))


def test_the_summary_says_when_more_skills_might_be_better(
    selection: lv.Selection, fit: lv.Fit, message: Message
) -> None:
    assert selection.table["aic"].idxmin() == 3
    text = paragraph(summarise(selection, fit), "How many skills")
    message(text, "3")
    table = selection.table.assign(aic=[0.0, 1.0], bic=[1.0, 0.0])
    text = paragraph(summarise(lv.Selection(selection.fits, table), fit), "How many skills")
    message(text, "1", "3")
    other = paragraph(summarise(selection, selection.fits[1]), "How many skills")
    message(other)
    assert "arXiv" not in other


def test_four_skills_are_the_papers_number(
    selection: lv.Selection, paper_fit: lv.Fit, message: Message
) -> None:
    row = selection.table.loc[[3]].assign(delta_aic=7.0).rename(index={3: 4})
    table = pd.concat([selection.table, row])
    made = lv.Selection({**selection.fits, 4: paper_fit}, table)
    text = paragraph(summarise(made, paper_fit), "How many skills")
    message(text, "2512.06553")


@pytest.mark.parametrize("other", [1, 3])
def test_the_summary_says_what_bic_counts_and_what_it_would_favour(
    selection: lv.Selection, fit: lv.Fit, other: int, message: Message
) -> None:
    charged = bic_by_families(selection)
    table = selection.table.assign(bic=[0.0, -1.0])
    table.loc[other, "loglik"] += charged[other] - charged.min() + 1.0
    text = paragraph(summarise(lv.Selection(selection.fits, table), fit), "How many skills")
    message(text, f"{fit.n_scores:,}", fit.n_families, other)


def test_the_summary_does_not_hide_a_search_that_failed(
    selection: lv.Selection, fit: lv.Fit, message: Message
) -> None:
    failed = replace(fit, converged=False, message="out of steps")
    message(str(summarise(selection, failed)))


def test_converged_is_not_sold_as_the_highest_top(
    selection: lv.Selection, fit: lv.Fit, message: Message
) -> None:
    text = paragraph(summarise(selection, fit), "How far to trust it")
    message(text)


def test_a_panel_without_tokens_is_told_of_size_alone(
    of_sizes: lv.Selection, message: Message
) -> None:
    prose = summarise(of_sizes, of_sizes.fits[1])
    text = paragraph(prose, "Size")
    message(text)
    assert "tokens" not in str(prose)


def test_a_logit_is_explained_with_and_without_a_floor(
    of_sizes: lv.Selection, message: Message
) -> None:
    fit = of_sizes.fits[1]
    text = paragraph(summarise(of_sizes, fit), "Size")
    message(text, "0.50", "0.73")
    floored = replace(fit, model=replace(fit.model, floor="chance"))
    text = paragraph(summarise(of_sizes, floored), "Size")
    message(text, "1")


def test_other_features_have_no_paragraph_on_size(leaderboard: lv.Panel, message: Message) -> None:
    some = leaderboard.select(families=leaderboard.families[:9])
    model = lv.LatentSkillModel(n_skills=1, features="params_b")
    selection = lv.select_skills(some, [1], model)
    prose = summarise(selection, selection.fits[1])
    assert len(prose.paragraphs) == 6
    message(paragraph(prose, "Families"))


def test_the_families_are_those_of_the_picture(
    paper_fit: lv.Fit, selection: lv.Selection, message: Message
) -> None:
    table = selection.table.rename(index={3: 4})
    made = lv.Selection({1: selection.fits[1], 4: paper_fit}, table)
    text = paragraph(summarise(made, paper_fit), "Families")
    message(text, "24")
    named = re.findall(r"([^\s(]+) \(([+-]\d\.\d) ± (\d\.\d), (\d+) scores\)", text)
    assert len(named) == 5 * 4
    shown = set(known_families(paper_fit, 24).index)
    assert {name for name, *_ in named} <= shown
    name, standing, sd, scores = named[0]
    row = family_standings(paper_fit, "mathematics").loc[name]
    assert (f"{row['standing']:+.1f}", f"{row['sd']:.1f}") == (standing, sd)
    assert row["n_scores"] == int(scores)


def test_slopes_of_the_families_own_are_told(of_sizes: lv.Selection, message: Message) -> None:
    fit = of_sizes.fits[1]
    sloped = replace(fit, model=replace(fit.model, family_slopes="log_params"))
    text = paragraph(summarise(of_sizes, sloped), "How many skills")
    message(text, "log_params", f"{fit.aic:,.0f}")


def test_models_left_out_are_named_by_reason(fit: lv.Fit, of_sizes: lv.Selection) -> None:
    prose = left_out(fit)
    assert [subject for subject, _ in prose.paragraphs] == ["Lacks tokens_t"]
    assert all(str(model) in str(prose) for model in fit.dropped.index)
    assert not fit.dropped.empty


def test_the_number_of_models_left_out_is_said_with_the_reason(
    paper_fit: lv.Fit, selection: lv.Selection
) -> None:
    table = selection.table.rename(index={3: 4})
    made = lv.Selection({1: selection.fits[1], 4: paper_fit}, table)
    text = paragraph(summarise(made, paper_fit), "The data")
    assert "184 models" in text
    assert "13 models stayed out of it (lacks tokens" in text


def test_it_is_said_when_no_model_was_left_out(of_sizes: lv.Selection, message: Message) -> None:
    fit = of_sizes.fits[1]
    assert fit.dropped.empty
    message(paragraph(summarise(of_sizes, fit), "The data"))
    message(str(left_out(fit)))
