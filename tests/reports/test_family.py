from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from golden import Message
from pictures import ODD, odd_panel

import lvkit as lv
from lvkit.fit.standings import family_forecast, family_places
from lvkit.plots.family import describe_family_growth, describe_family_place
from lvkit.plots.phrases import Prose
from lvkit.reports.family import (
    expected_scores,
    forecast_words,
    measured_scores,
    members,
    near_words,
    place_words,
    places_table,
    who_they_are,
)


def paragraph(prose: Prose, subject: str) -> str:
    return dict(prose.paragraphs)[subject]


@pytest.fixture(scope="module")
def forecast(small_fit: lv.Fit) -> lv.Prediction:
    return family_forecast(small_fit, small_fit.families[0], draws=50)


@pytest.fixture(scope="module")
def odd_fit() -> lv.Fit:
    """Names that are hard to show, no tokens, and few scores."""
    return lv.LatentSkillModel(n_skills=1, features="log_params").fit(odd_panel())


@pytest.fixture(scope="module")
def alone(leaderboard: lv.Panel) -> lv.Fit:
    """A fit in which qwen2 has one model, with three scores."""
    table = leaderboard.select(families=[*leaderboard.families[:8], "qwen2"]).to_frame()
    table = table[(table["family"] != "qwen2") | (table["model"] == "qwen2-7b")]
    own = table["model"] == "qwen2-7b"
    table.loc[own, ["bbh", "gpqa", "ifeval", "musr", "math_lvl5", "mmlu_pro", "gsm8k"]] = None
    table.loc[own, ["arc", "mmlu"]] = None
    model = lv.LatentSkillModel(n_skills=1, features="log_params")
    return model.fit(lv.Panel.from_frame(table))


def test_a_family_is_told_by_its_models_sizes_tokens_and_scores(
    paper_fit: lv.Fit, message: Message
) -> None:
    prose = who_they_are(paper_fit, "bloom")
    text = "5 models, 560 million to 176 billion parameters, trained on 341 billion to 366 billion"
    assert paragraph(prose, "bloom") == f"{text} tokens."
    message(paragraph(prose, "Measured"), "54", "60", "4", "5")
    message(dict(prose.paragraphs))


def test_relatives_are_the_families_of_the_same_lineage(
    paper_fit: lv.Fit, message: Message
) -> None:
    models = paper_fit.panel.models
    others = {*models.loc[models["lineage"] == "qwen2", "family"]} - {"qwen2"}
    text = paragraph(who_they_are(paper_fit, "qwen2"), "Relatives")
    message(text)
    assert all(name in text for name in others)
    message(paragraph(who_they_are(paper_fit, "bloom"), "Relatives"))


def test_a_table_without_lineages_is_not_read_as_one_without_relatives(
    leaderboard: lv.Panel, message: Message
) -> None:
    table = leaderboard.select(families=leaderboard.families[:8]).to_frame()
    model = lv.LatentSkillModel(n_skills=1)
    fit = model.fit(lv.Panel.from_frame(table.drop(columns="lineage")))
    message(paragraph(who_they_are(fit, fit.families[0]), "Relatives"), "lineage")


def test_models_left_out_of_the_fit_are_named_with_the_reason(
    leaderboard: lv.Panel, message: Message
) -> None:
    table = leaderboard.select(families=leaderboard.families[:8]).to_frame()
    first = table["model"].iloc[0]
    table.loc[0, "tokens_t"] = None
    panel = lv.Panel.from_frame(table)
    fit = lv.LatentSkillModel(n_skills=1).fit(panel)
    family = str(panel.models.loc[first, "family"])
    prose = who_they_are(fit, family)
    message(paragraph(prose, "Left out of the fit"), first, "tokens_t")
    message(paragraph(prose, family), "1")
    assert members(fit, family).loc[first, ["tokens (trillions)", "in the fit"]].tolist() == [
        "unknown",
        "no",
    ]


def test_members_and_scores_go_from_the_smallest_model_to_the_largest(
    paper_fit: lv.Fit, message: Message
) -> None:
    table = members(paper_fit, "bloom")
    assert list(table.index) == ["bloom-560m", "bloom-1b1", "bloom-3b", "bloom-7b1", "bloom"]
    message(list(table["scores measured"])[-1], "6", "12")
    scores = measured_scores(paper_fit, "bloom")
    assert list(scores.columns) == list(table.index)
    assert scores.loc["IFEval", "bloom"] == "–"
    assert scores.loc["MMLU", "bloom-3b"] == f"{paper_fit.panel.scores['mmlu']['bloom-3b']:.2f}"


def test_a_standing_is_told_with_rank_interval_and_who_is_surely_below(
    paper_fit: lv.Fit, message: Message
) -> None:
    row = family_places(paper_fit, "qwen2").loc["mathematics"]
    text = paragraph(place_words(paper_fit, "qwen2"), "In mathematics")
    message(
        text,
        f"{row['rank']:.0f}",
        paper_fit.n_families,
        f"{row['standing']:+.1f}",
        f"{row['above']:.0f}",
    )
    table = places_table(paper_fit, "qwen2")
    assert table.loc["mathematics", "surely above"] == row["above"]


def test_the_picture_of_standings_is_said_without_negative_zeros(
    paper_fit: lv.Fit, message: Message
) -> None:
    text = describe_family_place(paper_fit, "opt", level=0.8)
    assert "80% intervals" in text
    message(text, "80%", *family_places(paper_fit, "opt")["rank"].map("{:.0f}".format))
    assert "-0.0" not in text
    assert "+0.0" not in text


def test_what_was_hardly_measured_is_cautioned_against(paper_fit: lv.Fit, message: Message) -> None:
    sd = family_places(paper_fit, "qwen2-instruct").loc["commonsense", "sd"]
    text = paragraph(place_words(paper_fit, "qwen2-instruct"), "Caution")
    message(text, f"{sd:.1f}")
    message(paragraph(place_words(paper_fit, "qwen2"), "Caution"))


def test_a_family_of_one_model_is_cautioned_against(
    alone: lv.Fit, paper_fit: lv.Fit, message: Message
) -> None:
    text = paragraph(place_words(alone, "qwen2"), "Caution")
    assert paragraph(who_they_are(alone, "qwen2"), "qwen2").startswith("1 model, ")
    message(text, "3", "1")
    message(paragraph(place_words(paper_fit, "qwen2"), "Caution"))


def test_the_only_family_has_no_rank(message: Message) -> None:
    from lvkit.reports.family import _place

    row = pd.Series({"standing": 0.0, "lower": -1.0, "upper": 1.0, "above": 0, "below": 0})
    text = _place(row, 1, 0.95)
    message(text, "0.0")


def test_the_nearest_families_are_named_and_relatives_marked(
    paper_fit: lv.Fit, message: Message
) -> None:
    text = paragraph(near_words(paper_fit, "qwen2"), "Nearest")
    assert text.startswith("qwen1.5 (0.4), ")
    message(text, "2.9.2", "0.7")


def test_predictions_are_told_beside_what_was_measured(
    small_fit: lv.Fit, forecast: lv.Prediction, message: Message
) -> None:
    family = small_fit.families[0]
    prose = forecast_words(small_fit, family, forecast)
    present = paragraph(prose, "Its present models")
    message(present)
    ahead = paragraph(prose, "Its next sizes")
    message(ahead)
    message(paragraph(prose, "How far to trust it"), "4")


@pytest.mark.parametrize("family", ["opt", "qwen2"])
def test_a_bend_is_told_where_the_next_sizes_differ_in_tokens_too(
    paper_fit: lv.Fit, family: str, message: Message
) -> None:
    forecast = family_forecast(paper_fit, family, draws=10)
    text = paragraph(forecast_words(paper_fit, family, forecast), "Its next sizes")
    message(text)


def test_the_growth_is_described_with_what_changes_most(
    small_fit: lv.Fit, forecast: lv.Prediction, message: Message
) -> None:
    text = describe_family_growth(small_fit, forecast)
    message(text, "6")


def test_expected_scores_have_a_column_for_each_next_size(
    forecast: lv.Prediction, message: Message
) -> None:
    table = expected_scores(forecast)
    rows = forecast.table.tail(6)
    assert table.shape == (6, 2)
    for cell, row in zip(table.iloc[:, 1], rows.itertuples(), strict=True):
        message(cell, f"{row.median:.2f}", f"{row.lower:.2f}", f"{row.upper:.2f}")


@pytest.mark.parametrize("kind", ["plugin", "calibrated"])
def test_the_kind_of_intervals_is_told(
    small_fit: lv.Fit, forecast: lv.Prediction, kind: str, message: Message
) -> None:
    other = replace(forecast, intervals=kind)
    text = paragraph(forecast_words(small_fit, small_fit.families[0], other), "How far to trust it")
    message(text)


def test_without_tokens_nothing_is_said_of_them(odd_fit: lv.Fit, message: Message) -> None:
    family = ODD[0]
    message(paragraph(who_they_are(odd_fit, family), family))
    assert list(members(odd_fit, family)) == [
        "parameters (billions)",
        "scores measured",
        "in the fit",
    ]
    forecast = family_forecast(odd_fit, family, draws=50)
    text = paragraph(forecast_words(odd_fit, family, forecast), "Its next sizes")
    assert "token" not in text


def test_tokens_that_are_no_feature_are_said_to_be_none(alone: lv.Fit, message: Message) -> None:
    forecast = family_forecast(alone, "qwen2", draws=50)
    text = paragraph(forecast_words(alone, "qwen2", forecast), "Its next sizes")
    message(text)


def test_a_name_with_markup_is_text_in_all_that_is_shown(odd_fit: lv.Fit) -> None:
    family = ODD[0]
    forecast = family_forecast(odd_fit, family, draws=50)
    prose = [
        who_they_are(odd_fit, family),
        place_words(odd_fit, family),
        near_words(odd_fit, family),
        forecast_words(odd_fit, family, forecast),
    ]
    tables = [
        members(odd_fit, family),
        measured_scores(odd_fit, family),
        places_table(odd_fit, family),
        expected_scores(forecast),
    ]
    shown = [each._repr_markdown_() for each in prose] + [t._repr_html_() for t in tables]  # type: ignore[operator]
    assert any("script" in text for text in shown)
    assert [text for text in shown if "<script" in text] == []
