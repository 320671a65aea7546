from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lvkit.data.embedded import known_benchmarks
from lvkit.data.failed_runs import failed_run_notes
from lvkit.data.panel import Panel
from lvkit.data.read import check_file, load_leaderboard
from lvkit.errors import LvkitWarning


def scores(rows: int = 20) -> pd.DataFrame:
    """Scores that rise from model to model, in two multiple-choice and two free benchmarks."""
    rise = np.linspace(0.0, 0.5, rows)
    own = pd.DataFrame({"mmlu": 0.27 + rise, "arc": 0.28 + rise, "gsm8k": rise, "ifeval": rise})
    own.loc[0, ["gsm8k", "ifeval"]] = 0.01
    return own


def notes(table: pd.DataFrame) -> list[str]:
    known = known_benchmarks().loc[list(table)]
    return list(failed_run_notes(table, known, lambda row: row + 2))


def test_the_embedded_table_has_no_failed_run() -> None:
    panel = load_leaderboard()
    assert (panel.scores == 0).to_numpy().sum() > 20
    assert list(failed_run_notes(panel.scores, panel.benchmarks, int)) == []


def test_other_scores_get_no_note() -> None:
    assert notes(scores()) == []


@pytest.mark.parametrize("rows", [[3], [4, 10], [0, 19]])
def test_a_zero_where_guessing_scores_more_gets_a_note(rows: list[int]) -> None:
    table = scores()
    table.loc[rows, "arc"] = 0.0
    (note,) = notes(table)
    assert note.startswith("0 in 'arc' (row")
    assert ", ".join(str(row + 2) for row in rows) in note
    assert "where guessing gives 0.25" in note
    assert "blank" in note


def test_a_low_score_is_no_failed_run() -> None:
    table = scores()
    table.loc[3, "mmlu"] = 0.001
    assert notes(table) == []


def test_where_guessing_may_score_nothing_a_zero_is_no_surprise() -> None:
    table, known = scores(), known_benchmarks().loc[list(scores())]
    table.loc[3, "arc"] = 0.0
    for chance, items in ((0.01, np.nan), (0.25, 10.0)):
        known.loc["arc", ["chance", "n_items"]] = [chance, items]
        assert list(failed_run_notes(table, known, int)) == []


def test_many_zeros_may_be_scores_corrected_for_guessing() -> None:
    table = scores()
    table.loc[:9, "arc"] = 0.0
    (note,) = notes(table)
    assert "and 5 more" in note
    assert "benchmarks={'arc': 0}" in note


@pytest.mark.parametrize("row", [12, 15, 19])
def test_a_zero_in_free_answers_gets_a_note_where_weaker_models_score(row: int) -> None:
    table = scores()
    table.loc[row, "gsm8k"] = 0.0
    (note,) = notes(table)
    assert note.startswith(f"0 in 'gsm8k' (row {row + 2})")


def test_zeros_of_weak_models_in_free_answers_are_scores() -> None:
    table = scores()
    table.loc[:8, "gsm8k"] = 0.0
    assert notes(table) == []


def test_zeros_of_strong_models_in_the_embedded_table_are_noticed() -> None:
    panel = load_leaderboard()
    table = panel.scores
    strong = table.index.get_loc("qwen2-72b")
    for name in ("gsm8k", "ifeval", "math_lvl5", "mmlu"):
        changed = table.copy()
        changed.iloc[strong, changed.columns.get_loc(name)] = 0.0
        (note,) = failed_run_notes(changed, panel.benchmarks, int)
        assert note.startswith(f"0 in '{name}' (row {strong})")


def test_a_row_of_zeros_is_reported_once() -> None:
    table = scores()
    table.loc[5] = 0.0
    assert notes(table) == ["all scores are 0 in row 7: a failed run? Delete the row"]
    assert notes(scores()[["gsm8k", "ifeval"]].assign(ifeval=0.0, gsm8k=0.0)) == []


def test_a_perfect_score_far_above_all_others_gets_a_note() -> None:
    table = scores()
    table.loc[4, "mmlu"] = 1.0
    (note,) = notes(table)
    assert note.startswith("1 in 'mmlu' (row 6), where the next highest score is 0.77")
    table["mmlu"] += np.where(table["mmlu"] < 1, 0.2, 0.0)
    assert notes(table) == []


def test_a_table_of_failed_runs_is_read_with_a_warning() -> None:
    table = scores().assign(model=[f"m{i}" for i in range(20)], family="f", params_b=1.0)
    table.loc[4, "mmlu"] = 0.0
    with pytest.warns(LvkitWarning, match=r"0 in 'mmlu' \(row 6\)"):
        Panel.from_frame(table)
    text = "\n\n" + table.to_csv(index=False)
    assert any("'mmlu' (row 8)" in n for n in check_file("a.csv", content=text.encode()).notes)
