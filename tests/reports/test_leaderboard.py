from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
from golden import Message
from pictures import made_backtest, odd_panel

import lvkit as lv
from lvkit.fit.standings import ranked_families
from lvkit.plots.phrases import Prose
from lvkit.reports.heldout import HeldOut
from lvkit.reports.leaderboard import mistrust, standings


def paragraph(prose: Prose, subject: str) -> str:
    return dict(prose.paragraphs)[subject]


@pytest.fixture
def made() -> HeldOut:
    test = made_backtest()
    return HeldOut(replace(test, table=test.table.assign(lineage=test.table["family"])), 0.95, 12)


@pytest.fixture(scope="module")
def selection(small_panel: lv.Panel) -> lv.Selection:
    return lv.select_skills(small_panel, [1, 2], lv.LatentSkillModel(features="log_params"))


def test_standings_are_told_with_interval_and_rank_among_all(small_fit: lv.Fit) -> None:
    table = standings(small_fit, level=0.8, top=5)
    assert table.shape == (5, 2)
    ranks = ranked_families(small_fit, "general", 0.8)
    for family, cell in table["general"].items():
        mean, lower, upper, rank = re.fullmatch(  # type: ignore[union-attr]
            r"(\S+) \((\S+) to (\S+)\), rank\s(\d+)", str(cell)
        ).groups()
        row = ranks.loc[str(family)]
        assert int(rank) == row["rank"]
        seen = [float(value) for value in (mean, lower, upper)]
        assert seen == pytest.approx(row[["standing", "lower", "upper"]].tolist(), abs=0.051)
    assert len(standings(small_fit, top=None)) == small_fit.n_families


def test_the_edge_of_what_was_tried_is_mistrusted(
    selection: lv.Selection, made: HeldOut, message: Message
) -> None:
    table = selection.table.assign(aic=[10.0, 0.0], delta_aic=[10.0, 0.0])
    edge = lv.Selection(selection.fits, table)
    text = paragraph(mistrust(edge, selection.fits[1], made), "The number of skills")
    message(text, "2", "1", "10")
    inside = lv.Selection(
        selection.fits, selection.table.assign(aic=[0.0, 9.0], delta_aic=[0.0, 9.0])
    )
    subjects = dict(mistrust(inside, selection.fits[1], made).paragraphs)
    message(subjects)


def test_searches_that_failed_are_mistrusted(
    selection: lv.Selection, made: HeldOut, message: Message
) -> None:
    table = selection.table.assign(converged=[True, False])
    failed = replace(selection.fits[2], converged=False, message="out of steps")
    prose = mistrust(lv.Selection(selection.fits, table), failed, made)
    message(paragraph(prose, "Searches"), "2")
    message(paragraph(prose, "Loadings"))


@pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")
def test_what_the_data_do_not_determine_is_mistrusted(made: HeldOut, message: Message) -> None:
    found = lv.select_skills(odd_panel(), [1, 2], lv.LatentSkillModel(features="log_params"))
    fit = found.fits[2].reanchor({"first": "mmlu", "second": "rare"})
    assert fit.curvature.undetermined_names
    message(paragraph(mistrust(found, fit, made), "Loadings"))


def test_skills_that_are_hardly_two_are_named(
    selection: lv.Selection, made: HeldOut, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    from lvkit.reports import leaderboard as module

    close = pd.Series([0.9], pd.MultiIndex.from_tuples([("maths", "logic")]))
    monkeypatch.setattr(module, "pairs", lambda fit: close)
    text = paragraph(mistrust(selection, selection.fits[2], made), "Skills")
    message(text, "0.90")


def test_few_scores_and_gaps_are_mistrusted(
    paper_fit: lv.Fit, made: HeldOut, message: Message
) -> None:
    table = pd.DataFrame({"aic": [0.0], "delta_aic": [0.0], "converged": [True]}, index=[4])
    prose = mistrust(lv.Selection({4: paper_fit}, table), paper_fit, made)
    scores = paper_fit.panel.scores.loc[list(paper_fit.prepared.models)]
    counts = ranked_families(paper_fit, "reasoning")["n_scores"]
    message(
        prose,
        f"{scores.isna().to_numpy().mean():.0%}",
        (counts < 12).sum(),
        paper_fit.n_families,
        "12",
        "0.0025",
        "0",
        "1",
    )


def test_predictions_are_mistrusted_as_the_test_tells(
    selection: lv.Selection, made: HeldOut, message: Message
) -> None:
    fit = selection.fits[2]
    none = replace(made, test=None, reason="one lineage")
    text = paragraph(mistrust(selection, fit, none), "Intervals")
    message(text)
    text = paragraph(mistrust(selection, fit, made), "Intervals")
    message(text, "95%")
    assert made.test is not None
    wide = replace(made.test, table=made.test.table.assign(lower=0.0, upper=1.0))
    prose = mistrust(selection, fit, replace(made, test=wide))
    assert "Intervals" not in dict(prose.paragraphs)
