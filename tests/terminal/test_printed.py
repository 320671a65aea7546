from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import lvkit as lv
from lvkit.terminal.printed import fit_document, fit_text, panel_document, panel_text, plain, table


@pytest.fixture(scope="module")
def fit(leaderboard: lv.Panel) -> lv.Fit:
    small = leaderboard.select(
        families=leaderboard.complete().families[:8], benchmarks=["mmlu", "arc", "gsm8k", "bbh"]
    )
    return lv.LatentSkillModel(n_skills=2).fit(small)


def test_what_is_missing_is_left_blank_and_no_line_ends_in_blanks() -> None:
    text = table(pd.DataFrame({"maths": [1.0, np.nan]}, index=["gsm8k", "mmlu"]))
    assert text.splitlines() == ["         maths", "  gsm8k   1.00", "  mmlu"]


def test_numbers_that_are_not_finite_become_null() -> None:
    assert plain({"a": np.inf, "b": [np.nan, 1.0], "c": pd.NaT}) == {
        "a": None,
        "b": [None, 1.0],
        "c": None,
    }


def test_what_json_does_not_know_becomes_text() -> None:
    assert plain(pd.Timestamp("2024-05-16")) == "2024-05-16 00:00:00"


def test_a_panel_is_told_in_one_line(leaderboard: lv.Panel) -> None:
    assert panel_text(leaderboard) == "197 models in 71 families, 12 benchmarks, 1,680 scores"
    assert panel_document(leaderboard)["digest"] == leaderboard.digest


def test_a_fit_is_told_with_its_loadings_slopes_and_correlation(fit: lv.Fit) -> None:
    text = fit_text(fit)
    for word in ("Log-likelihood", "Converged: yes", "Loadings", "features", "Correlation"):
        assert word in text
    for name in (*fit.skills, *fit.benchmarks, *fit.feature_names):
        assert name in text


def test_a_document_of_a_fit_is_json_and_holds_its_numbers(fit: lv.Fit) -> None:
    document = json.loads(json.dumps(plain(fit_document(fit)), allow_nan=False))
    assert document["loglik"] == fit.loglik
    assert document["loadings"]["bbh"] == pytest.approx(fit.loadings.loc["bbh"].to_dict())
    assert document["correlation"][fit.skills[0]][fit.skills[0]] == pytest.approx(1.0)
    assert len(document["starts"]) == 1
