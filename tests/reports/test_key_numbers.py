from __future__ import annotations

import json
import re

import pytest
from golden import Message
from pictures import ODD, odd_panel

import lvkit as lv
from lvkit.fit.standings import family_forecast
from lvkit.reports.key_numbers import (
    MIME,
    KeyNumbers,
    family_numbers,
    interpreted,
    key_numbers,
)
from lvkit.reports.plans import family_evaluations, plan_family


@pytest.fixture(scope="module")
def selection(leaderboard: lv.Panel) -> lv.Selection:
    return lv.select_skills(leaderboard.complete(), [1, 4])


def test_four_skills_are_read_as_in_the_paper(selection: lv.Selection) -> None:
    fit = interpreted(selection, 4)
    assert fit.skills == ("mathematics", "instruction", "commonsense", "reasoning")
    assert fit.anchors["commonsense"] == "hellaswag"
    assert fit.loglik == selection.fits[4].loglik


def test_another_number_of_skills_keeps_its_anchors(selection: lv.Selection) -> None:
    assert interpreted(selection, 1) is selection.fits[1]


def test_anchors_that_the_user_chose_stay(small_panel: lv.Panel) -> None:
    chosen = {"general": "mmlu", "instruction": "ifeval"}
    model = lv.LatentSkillModel(anchors=chosen, features="log_params")
    found = lv.select_skills(small_panel, [2], model)
    assert interpreted(found, 2) is found.fits[2]
    assert found.fits[2].anchors == chosen


def test_family_slopes_are_fitted_with_the_same_anchors(small_panel: lv.Panel) -> None:
    found = lv.select_skills(small_panel, [1], lv.LatentSkillModel(features="log_params"))
    fit = interpreted(found, 1, family_slopes="log_params")
    assert fit.model.family_slopes == "log_params"
    assert fit.anchors == found.fits[1].anchors
    assert fit.loglik > found.fits[1].loglik


def test_anchors_that_do_not_span_the_skills_are_not_forced(
    selection: lv.Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: lv.Fit, anchors: object) -> lv.Fit:
        raise lv.LvkitError("condition number 1e9")

    monkeypatch.setattr(lv.Fit, "reanchor", refuse)
    assert interpreted(selection, 4) is selection.fits[4]


def test_key_numbers_are_json_and_say_how_they_were_made(selection: lv.Selection) -> None:
    fit = interpreted(selection, 4)
    numbers = key_numbers(selection, fit)
    document = json.loads(json.dumps(numbers.document, allow_nan=False))
    assert document["fit"]["loglik"] == fit.loglik
    assert document["fit"]["panel"]["digest"] == fit.panel.digest
    assert document["fit"]["anchors"] == fit.anchors
    assert list(document["selection"]) == ["1", "4"]
    assert document["best"]["aic"] == 4
    assert document["versions"]["lvkit"] == lv.__version__


def line(text: str, start: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found


def test_key_numbers_show_a_table_and_carry_their_document(
    selection: lv.Selection, message: Message
) -> None:
    shown = key_numbers(selection, selection.fits[1])._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html", MIME}
    message(line(shown["text/plain"], "not converged"))
    assert shown["text/html"].count("<tr>") == len(shown["text/plain"].splitlines())


def test_key_numbers_name_what_did_not_converge(selection: lv.Selection, message: Message) -> None:
    doubtful = lv.Selection(selection.fits, selection.table.assign(converged=[True, False]))
    message(line(str(key_numbers(doubtful, selection.fits[1])), "not converged"), "4")


def test_a_missing_package_is_told(
    selection: lv.Selection, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    from lvkit.reports import as_json

    def version(name: str) -> str:
        raise as_json.PackageNotFoundError(name)

    monkeypatch.setattr(as_json, "version", version)
    message(re.search("scipy [a-z ]+", str(key_numbers(selection, selection.fits[1])))[0])


def test_the_lowest_criterion_at_the_edge_is_told(
    selection: lv.Selection, message: Message
) -> None:
    text = str(key_numbers(selection, selection.fits[1]))
    message(line(text, "lowest AIC"), "4")
    alone = lv.Selection({1: selection.fits[1]}, selection.table.loc[[1]])
    message(line(str(key_numbers(alone, selection.fits[1])), "lowest AIC"), "1")


def test_highlights_are_for_comparing_reports(selection: lv.Selection) -> None:
    fit = selection.fits[4]
    numbers = key_numbers(selection, fit, more={"extra": [1]}, highlights={"error": 3.5})
    shown = numbers.document["highlights"]
    assert shown == {"K": 4, "AIC": round(fit.aic, 1), "lowest AIC at K": 4, "error": 3.5}
    assert numbers.document["extra"] == [1]
    assert "error: 3.5" in str(numbers)


@pytest.fixture(scope="module")
def odd_numbers() -> KeyNumbers:
    """Key numbers of a family whose name is a script, from a table without tokens."""
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(odd_panel())
    return family_numbers(
        fit,
        ODD[0],
        forecast=family_forecast(fit, ODD[0], draws=50),
        plans=plan_family(fit, ODD[0], 1e23),
        evaluations=family_evaluations(fit, ODD[0]),
    )


def test_a_familys_numbers_are_json_with_standings_and_forecast(odd_numbers: KeyNumbers) -> None:
    document = json.loads(json.dumps(odd_numbers.document, allow_nan=False))
    assert document["family"] == ODD[0]
    (skill,) = document["standings"]
    assert document["highlights"] == {
        f"standing in {skill}": round(document["standings"][skill]["standing"], 2)
    }
    assert document["plans"] == []
    assert len(document["forecast"]) == 5
    assert set(document["forecast"][f"{ODD[0]}-1b"]["mmlu"]) == {"median", "lower", "upper"}
    assert document["evaluations"]["order"]


def test_plans_are_among_a_familys_numbers(paper_fit: lv.Fit) -> None:
    numbers = family_numbers(
        paper_fit,
        "opt",
        forecast=family_forecast(paper_fit, "opt", draws=20),
        plans=plan_family(paper_fit, "opt", 1e23, target="reasoning"),
        evaluations=family_evaluations(paper_fit, "opt"),
    )
    (plan,) = numbers.document["plans"]
    assert plan["target"] == "reasoning"
    assert set(numbers.document["highlights"]) == {
        *(f"standing in {skill}" for skill in paper_fit.skills),
        "best for reasoning",
    }


def test_names_are_text_in_the_table_of_key_numbers(odd_numbers: KeyNumbers) -> None:
    shown = odd_numbers._repr_mimebundle_()["text/html"]
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
