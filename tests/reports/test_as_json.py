from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import lvkit as lv
from lvkit.reports.as_json import fit_document, panel_document, plain


def test_numbers_that_are_not_finite_become_null() -> None:
    assert plain({"a": np.inf, "b": [np.nan, 1.0], "c": pd.NaT}) == {
        "a": None,
        "b": [None, 1.0],
        "c": None,
    }


def test_what_json_does_not_know_becomes_text() -> None:
    assert plain(pd.Timestamp("2024-05-16")) == "2024-05-16 00:00:00"


def test_a_document_of_a_panel_names_its_content(leaderboard: lv.Panel) -> None:
    document = panel_document(leaderboard)
    assert document["digest"] == leaderboard.digest
    assert (document["n_models"], document["n_scores"]) == (197, 1680)
    assert document["families"][0] == leaderboard.families[0]


def test_a_document_of_a_fit_is_json_and_holds_its_numbers(small_fit: lv.Fit) -> None:
    document = json.loads(json.dumps(plain(fit_document(small_fit)), allow_nan=False))
    assert document["loglik"] == small_fit.loglik
    assert document["loadings"]["bbh"] == pytest.approx(small_fit.loadings.loc["bbh"].to_dict())
    assert document["correlation"][small_fit.skills[0]][small_fit.skills[0]] == pytest.approx(1.0)
    assert len(document["starts"]) == 1
