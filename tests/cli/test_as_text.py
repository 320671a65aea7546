from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.cli.as_text import fit_text, table


@pytest.fixture(scope="module")
def fit(leaderboard: lv.Panel) -> lv.Fit:
    small = leaderboard.select(
        families=leaderboard.complete().families[:8], benchmarks=["mmlu", "arc", "gsm8k", "bbh"]
    )
    return lv.LatentSkillModel(n_skills=2).fit(small)


def test_what_is_missing_is_left_blank_and_no_line_ends_in_blanks() -> None:
    text = table(pd.DataFrame({"maths": [1.0, np.nan]}, index=["gsm8k", "mmlu"]))
    assert text.splitlines() == ["         maths", "  gsm8k   1.00", "  mmlu"]


def test_a_panel_is_told_in_one_line(leaderboard: lv.Panel, message: Message) -> None:
    message(leaderboard, "197", "71", "12", "1,680")


def test_a_fit_is_told_with_its_loadings_slopes_and_correlation(fit: lv.Fit) -> None:
    text = fit_text(fit)
    for word in ("Log-likelihood", "Converged: yes", "Loadings", "features", "Correlation"):
        assert word in text
    for name in (*fit.skills, *fit.benchmarks, *fit.feature_names):
        assert name in text
