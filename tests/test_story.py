"""One story from a user's file to an answer, as a user would live it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lvkit as lv


def test_from_a_file_to_a_fit_that_is_kept_and_compared(small_file: Path, tmp_path: Path) -> None:
    # A file of my own: ten families, six benchmarks.
    panel = lv.read_panel(small_file)
    assert (panel.n_families, panel.n_benchmarks) == (10, 6)

    # How many skills are there in it? The table says, and keeps every candidate.
    settings = lv.LatentSkillModel(features="log_params + log_tokens")
    selection = lv.select_skills(panel, range(1, 4), settings)
    fit = selection.best("aic")
    assert fit.converged
    assert fit.aic == selection.table["aic"].min()

    # I fit two skills with anchors whose names mean something to me.
    anchors = {"knowledge": "mmlu", "sense": "hellaswag"}
    model = lv.LatentSkillModel(anchors=anchors, features="log_params + log_tokens")
    mine = model.fit(panel)
    assert mine.skills == ("knowledge", "sense")
    assert abs(mine.loglik - selection.table.loc[2, "loglik"]) < 0.05

    # Larger models of a family know more, and the fit follows what was measured.
    assert mine.slopes.loc["knowledge", "log_params"] > 0.0
    observed = panel.scores.loc[mine.fitted_scores.index, mine.fitted_scores.columns]
    assert (mine.fitted_scores - observed).abs().mean(axis=None) < 0.04

    # Which anchors would be easier to read? I look through the best set and go back.
    best = mine.suggest_anchors().best
    there = mine.reanchor(best)
    assert there.loglik == mine.loglik
    np.testing.assert_allclose(there.reanchor(anchors).loadings, mine.loadings, atol=1e-9)

    # I keep it, and next month it is all there: data, settings and numbers.
    mine.save(tmp_path / "mine.fit")
    kept = lv.load_fit(tmp_path / "mine.fit")
    assert kept.panel == panel
    assert kept.summary().equals(mine.summary())

    # Would a floor at the chance level have been better? One table answers.
    floor = lv.LatentSkillModel(
        anchors=anchors, features="log_params + log_tokens", floor="chance"
    ).fit(panel)
    table = lv.compare([kept, floor])
    assert table["floor"].tolist() == ["none", "chance"]
    assert table["weight"].sum() > 0.999
