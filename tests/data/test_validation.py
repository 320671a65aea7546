from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.cells import Places
from lvkit.data.validation import validated
from lvkit.errors import LvkitError


def table(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "model": ["ant-1b", "ant-3b", "bee-2b"],
        "family": ["ant", "ant", "bee"],
        "params_b": [1.0, 3.0, 2.0],
        "mmlu": [0.26, 0.41, 0.35],
        "gsm8k": [0.02, None, 0.1],
    }
    return pd.DataFrame(columns | changes)


def refusal(frame: pd.DataFrame, **options: Any) -> LvkitError:
    with pytest.raises(LvkitError) as caught:
        validated(frame, **options)
    return caught.value


def test_a_good_table_is_parted_into_scores_models_and_benchmarks() -> None:
    checked = validated(table(note=["x", "y", "z"]))
    assert checked.scores.shape == (3, 2)
    assert list(checked.models) == ["family", "lineage", "params_b", "note"]
    assert list(checked.benchmarks.index) == list(checked.scores.columns) == ["mmlu", "gsm8k"]
    assert checked.notes == ()


def test_the_table_that_is_looked_at_is_left_as_it_was() -> None:
    frame = table(mmlu=["0.26", " 0.41", "NA"]).rename(columns={"mmlu": " mmlu "})
    before = frame.copy(deep=True)
    validated(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_the_index_of_the_table_means_nothing() -> None:
    checked = validated(table().set_axis([7, 7, 7]))
    assert list(checked.scores.index) == ["ant-1b", "ant-3b", "bee-2b"]


def test_places_tell_where_a_cell_stands_in_its_file() -> None:
    places = Places([5, 8, 13], {"mmlu": "MMLU Raw"})
    error = refusal(table(mmlu=[0.2, "half", 0.3]), places=places)
    assert error.problems[0].where == "row 8 (model 'ant-3b'), column 'MMLU Raw'"


def test_only_who_reads_a_file_is_told_of_the_option_for_files() -> None:
    frame = table(params_b=[1.0, None, 2.0])
    assert "drop_invalid" not in str(refusal(frame))
    assert "drop_invalid=True" in str(refusal(frame, places=Places([2, 3, 4])))


def test_left_out_rows_are_told_each_with_one_reason() -> None:
    frame = table(mmlu=[0.2, "half", 0.3], params_b=[1.0, -3.0, 2.0])
    checked = validated(frame, drop_invalid=True)
    assert list(checked.scores.index) == ["ant-1b", "bee-2b"]
    (note,) = checked.notes
    assert note.startswith("left out 1 unusable row: row 3 (model 'ant-3b'): got ")


def test_of_two_rows_of_one_name_the_first_stays() -> None:
    frame = table(model=["ant-1b", "ant-1b", "bee-2b"])
    checked = validated(frame, drop_invalid=True)
    assert checked.scores["mmlu"].tolist() == [0.26, 0.35]


def test_a_column_that_is_empty_without_the_rows_left_out_is_refused() -> None:
    frame = table(gsm8k=[None, 0.2, None], params_b=[1.0, -1.0, 2.0])
    error = refusal(frame, drop_invalid=True)
    assert "column 'gsm8k': the column has no score" in str(error)


def test_a_wrong_cell_in_a_column_in_percent_is_told_as_it_is_written() -> None:
    models = [f"ant-{size}b" for size in range(1, 7)]
    scores = [26.0, 41.0, 35.0, 50.0, 61.0, -3.0]
    frame = pd.DataFrame({"model": models, "family": "ant", "params_b": 1.0, "mmlu": scores})
    percent, wrong = refusal(frame).problems
    assert "the column is in percent" in percent.seen
    assert wrong.seen == "got -3"


def test_a_misspelt_column_does_not_hide_a_wrong_cell() -> None:
    frame = table(gsm8k=[0.1, 7000, 0.2]).rename(columns={"mmlu": "mmmlu"})
    assert len(refusal(frame).problems) == 2


def test_cells_are_not_read_where_rows_cannot_be_told_apart() -> None:
    error = refusal(table(mmlu=["x", "y", "z"]).drop(columns="model"))
    assert len(error.problems) == 1


def test_infinite_features_are_refused_and_missing_ones_are_not() -> None:
    assert "got inf" in str(refusal(table(depth=[1.0, np.inf, 3.0])))
    assert validated(table(depth=[1.0, None, 3.0])).models["depth"].isna().sum() == 1


@pytest.mark.parametrize(
    ("lineages", "first", "second"),
    [(["insects", "hive", "hive"], "insects", "hive"), (["insects", None, None], "insects", "ant")],
)
def test_a_family_of_two_lineages_is_refused_with_both_models(
    lineages: list[str | None], first: str, second: str
) -> None:
    (problem,) = refusal(table(lineage=lineages)).problems
    assert problem.where == "row 3 (model 'ant-3b'), column 'lineage'"
    assert problem.seen == (
        f"got lineage '{second}' for family 'ant', which is of lineage '{first}' in row 2 "
        "(model 'ant-1b')"
    )
    assert problem.expected == "one lineage for all models of a family"
