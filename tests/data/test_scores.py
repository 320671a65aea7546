from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.embedded import known_benchmarks
from lvkit.data.panel import Panel
from lvkit.data.read import check_file, load_leaderboard
from lvkit.data.scores import (
    as_fractions,
    below_chance_notes,
    failed_run_notes,
    percent_signs,
    score_units,
    unit_problem,
)
from lvkit.data.validation import Checked, validated
from lvkit.errors import LvkitError, LvkitWarning

MMLU = [0.27, 0.33, 0.41, 0.35, 0.52, 0.66]
ARC = [0.3, 0.38, 0.44, 0.37, 0.5, 0.59]
GSM8K = [0.02, 0.06, 0.12, 0.1, 0.31, 0.52]
HARD = [0.2, 0.6, 0.9, 0.3, 0.8, 0.4]  # in percent


def table(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "model": [f"ant-{letter}" for letter in "abcdef"],
        "family": "ant",
        "params_b": 1.0,
        "mmlu": MMLU,
        "arc": ARC,
        "gsm8k": GSM8K,
    }
    return pd.DataFrame(columns | changes)


def times(scores: list[float], factor: float) -> list[float]:
    return [score * factor for score in scores]


def refusal(frame: pd.DataFrame, **options: Any) -> LvkitError:
    with pytest.raises(LvkitError) as caught:
        validated(frame, **options)
    return caught.value


def units(**columns: list[float]) -> list[str]:
    chance = {"mmlu": 0.25, "arc": 0.25, "gsm8k": 0.0, "math": 0.0}
    return list(score_units({n: np.array(v) for n, v in columns.items()}, chance).values())


def test_the_whole_table_decides() -> None:
    percent = {"mmlu": times(MMLU, 100), "arc": times(ARC, 100)}
    assert units(mmlu=MMLU, gsm8k=GSM8K) == ["fraction", "fraction"]
    assert units(**percent, gsm8k=times(GSM8K, 100)) == ["percent"] * 3
    assert units(**percent, gsm8k=HARD) == ["percent", "percent", "low"]
    assert units(**percent, gsm8k=[*HARD[:4], 31.0, 52.0])[-1] == "percent"
    assert units(mmlu=MMLU, arc=ARC, gsm8k=[*HARD[:4], 31.0, 52.0])[-1] == "mixed"
    assert units(mmlu=MMLU, arc=percent["arc"])[0] == "fraction"  # far above guessing, in percent
    assert units(mmlu=MMLU, arc=ARC, math=GSM8K, gsm8k=times(GSM8K, 100))[2] == "fraction"
    assert units(**percent, gsm8k=[0.0] * 6)[-1] == "fraction"


def test_failed_runs_do_not_hide_the_percent() -> None:
    assert units(mmlu=[26.0, 41.0, 0.05, 0.02, 35.0, 60.0]) == ["percent"]


def test_a_slip_in_a_column_of_fractions_stays_a_slip() -> None:
    for cell in (41.0, 1.2):
        assert units(mmlu=[cell, *MMLU[1:]]) == ["fraction"]
    assert units(gsm8k=[8.0, *GSM8K[1:]]) == ["fraction"]
    assert units(gsm8k=[1.2, *GSM8K[1:]]) == ["mixed"]  # 1.2 % or 120 %


@pytest.mark.parametrize("drop_invalid", [False, True])
@pytest.mark.parametrize(
    "gsm8k",
    [
        [0.2, 0.6, 31.0, 0.8, 18.0, 52.0],
        [0.2, 0.6, 0.9, 0.8, 0.5, 1.8],
        [0.2, 3.0, None, 0.8, 5.0, 0.0],
    ],
)
def test_a_unit_that_is_open_is_one_problem_that_leaving_rows_out_does_not_solve(
    gsm8k: list[float | None], drop_invalid: bool
) -> None:
    (problem,) = refusal(table(gsm8k=gsm8k), drop_invalid=drop_invalid).problems
    assert problem.where == "column 'gsm8k'"
    assert "may be in percent or in fractions" in problem.seen
    assert "divide the whole column by 100, the scores below 1 too" in problem.remedy


def test_a_hard_benchmark_beside_columns_in_percent_is_asked_about() -> None:
    error = refusal(table(mmlu=times(MMLU, 100), arc=times(ARC, 100), gsm8k=HARD))
    assert [p.where for p in error.problems] == [f"column '{n}'" for n in ("mmlu", "arc", "gsm8k")]
    assert "'mmlu', 'arc'" in error.problems[-1].seen
    assert "divide it by 100 as well" in error.problems[-1].remedy


def test_numbers_that_are_no_scores_are_one_problem() -> None:
    (problem,) = refusal(table(mmlu=times(MMLU, 2000))).problems
    assert problem.seen == "6 of 6 scores are above 100: not fractions, not percent"


@pytest.mark.parametrize("drop_invalid", [False, True])
def test_percent_signs_are_one_problem(drop_invalid: bool) -> None:
    cells = [f"{100 * score:g} %" for score in MMLU]
    (problem,) = refusal(table(mmlu=cells), drop_invalid=drop_invalid).problems
    assert problem.where == "column 'mmlu'"
    assert "27 % is 0.27" in problem.remedy
    assert percent_signs(pd.Series(["41%", 0.4, 0.5, "x"]), [0, 3]) is None


def test_rounding_errors_at_either_end_are_scores() -> None:
    high = [1.0000000000000002, 0.97, *MMLU[2:]]
    frame = table(mmlu=high, gsm8k=[-1e-17, *GSM8K[1:]])
    result: Checked = validated(frame)
    assert result.scores["mmlu"].max() == 1.0
    assert result.scores["gsm8k"].min() == 0.0
    assert result.notes == ()
    (problem,) = refusal(table(mmlu=[1.0000001, *MMLU[1:]])).problems
    assert problem.seen == "got 1.0000001"


def test_rounding_errors_in_percent_give_no_further_problem() -> None:
    percent = [100.00000000000001, *times(MMLU[1:], 100)]
    (problem,) = refusal(table(mmlu=percent)[["model", "family", "params_b", "mmlu"]]).problems
    assert problem.remedy == "Divide the column by 100."
    np.testing.assert_array_equal(as_fractions(np.array([-1e-15, 50.0]), "percent"), [0.0, 0.5])


def test_good_columns_have_no_problem() -> None:
    assert unit_problem("fraction", np.array(MMLU), [], str) is None


# -- scores below chance -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scores", "chance"),
    [
        ("mmlu", [0.003, 0.007, 0.0085, 0.004, 0.006, 0.009], 0.25),  # in hundredths of a percent
        ("arc", [0.02, 0.05, 0.31, 0.1, 0.04, 0.2], 0.25),  # corrected for guessing
    ],
)
def test_scores_mostly_far_below_chance_get_a_note(
    name: str, scores: list[float], chance: float
) -> None:
    (note,) = validated(table(**{name: scores})).notes
    low = sum(score < chance / 2 for score in scores)
    assert note.startswith(f"{low} of 6 scores in '{name}' are below half the chance level")


@pytest.mark.parametrize("scores", [[0.24, 0.22, 0.26, 0.2, 0.3, 0.25], [0.02, 0.27, 0.3, 0.4]])
def test_scores_near_chance_and_single_low_ones_get_none(scores: list[float]) -> None:
    assert list(below_chance_notes(pd.DataFrame({"mmlu": scores}), {"mmlu": 0.25})) == []


def test_the_embedded_table_is_not_below_chance() -> None:
    panel = load_leaderboard()
    chance = panel.benchmarks["chance"].to_dict()
    assert list(below_chance_notes(panel.scores, chance)) == []


# -- failed runs --------------------------------------------------------------------------------


def rising_scores(rows: int = 20) -> pd.DataFrame:
    """Scores that rise from model to model, in two multiple-choice and two free benchmarks."""
    rise = np.linspace(0.0, 0.5, rows)
    own = pd.DataFrame({"mmlu": 0.27 + rise, "arc": 0.28 + rise, "gsm8k": rise, "ifeval": rise})
    own.loc[0, ["gsm8k", "ifeval"]] = 0.01
    return own


def failed(table: pd.DataFrame) -> list[str]:
    known = known_benchmarks().loc[list(table)]
    return list(failed_run_notes(table, known, lambda row: row + 2))


def test_the_embedded_table_has_no_failed_run() -> None:
    panel = load_leaderboard()
    assert (panel.scores == 0).to_numpy().sum() > 20
    assert list(failed_run_notes(panel.scores, panel.benchmarks, int)) == []


def test_other_scores_get_no_note() -> None:
    assert failed(rising_scores()) == []


@pytest.mark.parametrize("rows", [[3], [4, 10], [0, 19]])
def test_a_zero_where_guessing_scores_more_gets_a_note(rows: list[int]) -> None:
    table = rising_scores()
    table.loc[rows, "arc"] = 0.0
    (note,) = failed(table)
    assert note.startswith("0 in 'arc' (row")
    assert ", ".join(str(row + 2) for row in rows) in note
    assert "where guessing gives 0.25" in note
    assert "blank" in note


def test_a_low_score_is_no_failed_run() -> None:
    table = rising_scores()
    table.loc[3, "mmlu"] = 0.001
    assert failed(table) == []


def test_where_guessing_may_score_nothing_a_zero_is_no_surprise() -> None:
    table, known = rising_scores(), known_benchmarks().loc[list(rising_scores())]
    table.loc[3, "arc"] = 0.0
    for chance, items in ((0.01, np.nan), (0.25, 10.0)):
        known.loc["arc", ["chance", "n_items"]] = [chance, items]
        assert list(failed_run_notes(table, known, int)) == []


def test_many_zeros_may_be_scores_corrected_for_guessing() -> None:
    table = rising_scores()
    table.loc[:9, "arc"] = 0.0
    (note,) = failed(table)
    assert "and 5 more" in note
    assert "benchmarks={'arc': 0}" in note


@pytest.mark.parametrize("row", [12, 15, 19])
def test_a_zero_in_free_answers_gets_a_note_where_weaker_models_score(row: int) -> None:
    table = rising_scores()
    table.loc[row, "gsm8k"] = 0.0
    (note,) = failed(table)
    assert note.startswith(f"0 in 'gsm8k' (row {row + 2})")


def test_zeros_of_weak_models_in_free_answers_are_rising_scores() -> None:
    table = rising_scores()
    table.loc[:8, "gsm8k"] = 0.0
    assert failed(table) == []


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
    table = rising_scores()
    table.loc[5] = 0.0
    assert failed(table) == ["all scores are 0 in row 7: a failed run? Delete the row"]
    assert failed(rising_scores()[["gsm8k", "ifeval"]].assign(ifeval=0.0, gsm8k=0.0)) == []


def test_a_perfect_score_far_above_all_others_gets_a_note() -> None:
    table = rising_scores()
    table.loc[4, "mmlu"] = 1.0
    (note,) = failed(table)
    assert note.startswith("1 in 'mmlu' (row 6), where the next highest score is 0.77")
    table["mmlu"] += np.where(table["mmlu"] < 1, 0.2, 0.0)
    assert failed(table) == []


def test_a_table_of_failed_runs_is_read_with_a_warning() -> None:
    table = rising_scores().assign(model=[f"m{i}" for i in range(20)], family="f", params_b=1.0)
    table.loc[4, "mmlu"] = 0.0
    with pytest.warns(LvkitWarning, match=r"0 in 'mmlu' \(row 6\)"):
        Panel.from_frame(table)
    text = "\n\n" + table.to_csv(index=False)
    assert any("'mmlu' (row 8)" in n for n in check_file("a.csv", content=text.encode()).notes)
