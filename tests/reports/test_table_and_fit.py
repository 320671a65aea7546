from __future__ import annotations

from pathlib import Path

import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.reports.key_numbers import read_through, report_fit, report_panel


@pytest.fixture
def saved(small_fit: lv.Fit, tmp_path: Path) -> str:
    small_fit.save(tmp_path / "fit.lvkit")
    return str(tmp_path / "fit.lvkit")


@pytest.fixture
def model() -> lv.LatentSkillModel:
    return lv.LatentSkillModel(n_skills=1, features="log_params")


def test_a_report_is_about_the_table_it_is_given(small_file: Path, leaderboard: lv.Panel) -> None:
    assert report_panel(str(small_file), complete=True).n_families == 10
    assert report_panel() == leaderboard


def test_a_saved_fit_brings_its_own_table(saved: str, small_panel: lv.Panel) -> None:
    assert report_panel(fit=saved) == small_panel


def test_a_table_and_a_fit_of_another_are_refused(
    saved: str, small_file: Path, small_panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    with refused() as error:
        report_panel(str(small_file), fit=saved)
    message(error)
    small_panel.write_csv(tmp_path / "same.csv")
    assert report_panel(str(tmp_path / "same.csv"), fit=saved) == small_panel


def test_a_saved_fit_is_read_instead_of_fitting(
    saved: str, small_fit: lv.Fit, model: lv.LatentSkillModel
) -> None:
    assert report_fit(small_fit.panel, model, fit=saved).loglik == small_fit.loglik


def test_a_fit_from_the_cache_is_the_fit_without_one(
    small_panel: lv.Panel, model: lv.LatentSkillModel, tmp_path: Path
) -> None:
    alone = report_fit(small_panel, model, seed=1)
    first, second = (report_fit(small_panel, model, cache=str(tmp_path), seed=1) for _ in "ab")
    assert alone.loglik == first.loglik == second.loglik
    assert any(tmp_path.iterdir())


def test_family_slopes_are_fitted_with_the_anchors_of_the_plain_fit(
    small_panel: lv.Panel,
) -> None:
    plain = lv.LatentSkillModel(n_skills=1, features="log_params")
    sloped = lv.LatentSkillModel(n_skills=1, features="log_params", family_slopes="log_params")
    fit = report_fit(small_panel, sloped)
    assert fit.model.family_slopes == "log_params"
    assert fit.anchors == report_fit(small_panel, plain).anchors


def test_four_skills_are_read_as_in_the_paper(paper_fit: lv.Fit) -> None:
    other = lv.LatentSkillModel(n_skills=4).fit(paper_fit.panel)
    assert read_through(other).anchors == paper_fit.anchors
    assert read_through(other).loglik == other.loglik


def test_anchors_that_the_user_chose_and_other_numbers_of_skills_stay(
    paper_fit: lv.Fit, small_fit: lv.Fit
) -> None:
    assert read_through(paper_fit) is paper_fit
    assert read_through(small_fit) is small_fit
