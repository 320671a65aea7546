from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import lvkit as lv
from lvkit.reporting.keynumbers import MIME, interpreted, key_numbers, open_panel, skill_numbers


@pytest.fixture(scope="module")
def selection(leaderboard: lv.Panel) -> lv.Selection:
    return lv.select_skills(leaderboard.complete(), [1, 4])


def test_without_a_file_the_embedded_panel_is_opened(leaderboard: lv.Panel) -> None:
    assert open_panel() == leaderboard


def test_families_without_a_file_are_refused() -> None:
    with pytest.raises(lv.LvkitError, match="no file that they speak of. Give the file"):
        open_panel(family="from_name")


def test_a_users_file_is_opened(small_file: Path) -> None:
    assert open_panel(str(small_file)) == lv.read_panel(small_file)


@pytest.mark.parametrize("kind", ["file", "mapping"])
def test_families_and_benchmarks_come_from_files_or_mappings(kind: str, tmp_path: Path) -> None:
    data, families, known = (tmp_path / f"{name}.csv" for name in ("data", "families", "known"))
    data.write_text("model,params_b,mine\na-1b,1,0.2\na-2b,2,0.4\nb-1b,1,0.3\n")
    families.write_text("model,family\na-1b,x\na-2b,x\nb-1b,y\n")
    known.write_text("benchmark,chance\nmine,0.1\n")
    rule: str | Mapping[str, str] = str(families)
    chance: str | Mapping[str, float] = str(known)
    if kind == "mapping":
        rule, chance = {"a-1b": "x", "a-2b": "x", "b-1b": "y"}, {"mine": 0.1}
    panel = open_panel(data, family=rule, benchmarks=chance)
    assert panel.families == ("x", "y")
    assert panel.benchmarks.loc["mine", "chance"] == 0.1


def test_no_more_skills_than_benchmarks_are_compared(leaderboard: lv.Panel) -> None:
    assert list(skill_numbers(leaderboard, 3)) == [1, 2, 3]
    assert list(skill_numbers(leaderboard, 70)) == list(range(1, 13))


def test_four_skills_are_read_as_in_the_paper(selection: lv.Selection) -> None:
    fit = interpreted(selection, 4)
    assert fit.skills == ("mathematics", "instruction", "commonsense", "reasoning")
    assert fit.anchors["commonsense"] == "hellaswag"
    assert fit.loglik == selection.fits[4].loglik


def test_another_number_of_skills_keeps_its_anchors(selection: lv.Selection) -> None:
    assert interpreted(selection, 1) is selection.fits[1]


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
