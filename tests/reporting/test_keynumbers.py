from __future__ import annotations

import json

import pytest

import lvkit as lv
from lvkit.reporting.keynumbers import MIME, interpreted, key_numbers


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


def test_key_numbers_show_a_table_and_carry_their_document(selection: lv.Selection) -> None:
    shown = key_numbers(selection, selection.fits[1])._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html", MIME}
    assert "not converged: none" in shown["text/plain"]
    assert shown["text/html"].count("<tr>") == len(shown["text/plain"].splitlines())


def test_key_numbers_name_what_did_not_converge(selection: lv.Selection) -> None:
    doubtful = lv.Selection(selection.fits, selection.table.assign(converged=[True, False]))
    assert "not converged: K = 4" in str(key_numbers(doubtful, selection.fits[1]))


def test_a_missing_package_is_told(
    selection: lv.Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvkit.reporting import keynumbers

    def version(name: str) -> str:
        raise keynumbers.PackageNotFoundError(name)

    monkeypatch.setattr(keynumbers, "version", version)
    assert "scipy not installed" in str(key_numbers(selection, selection.fits[1]))
