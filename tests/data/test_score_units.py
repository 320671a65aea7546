from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.read import load_leaderboard
from lvkit.data.score_units import (
    as_fractions,
    below_chance_notes,
    percent_signs,
    score_units,
    unit_problem,
)
from lvkit.data.validation import Checked, validated
from lvkit.errors import LvkitError

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
