from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.cells import Places
from lvkit.data.model_names import size_in_name
from lvkit.data.sizes import (
    OWN_UNITS,
    header_units,
    misread_column,
    raw_count,
    read_sizes,
    smaller_unit,
    too_large,
    unusual_ratio,
)
from lvkit.data.validation import Checked, validated
from lvkit.errors import LvkitError

SIZES = [1.0, 3.0, 7.0, 0.56, 1.5, 13.0, 8.0, 70.0]
TOKENS = [0.3, 0.3, 0.3, 1.4, 1.4, 15.0, 15.0, 15.0]


def table(named: bool = True, **changes: Any) -> pd.DataFrame:
    n = len(SIZES)
    names = [
        f"ant{i}-{size:g}b" if named else f"ant-{'abcdefgh'[i]}" for i, size in enumerate(SIZES)
    ]
    columns: dict[str, Any] = {
        "model": names,
        "family": ["ant", "bee"] * (n // 2),
        "params_b": SIZES,
        "tokens_t": TOKENS,
        "mmlu": np.linspace(0.3, 0.8, n),
    } | changes
    return pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})


def times(numbers: list[float], factor: float) -> list[float]:
    return [number * factor for number in numbers]


def checked(frame: pd.DataFrame, **options: Any) -> Checked:
    return validated(frame, places=Places(range(2, len(frame) + 2)), **options)


def refusal(frame: pd.DataFrame, **options: Any) -> LvkitError:
    with pytest.raises(LvkitError) as caught:
        checked(frame, **options)
    return caught.value


@pytest.mark.parametrize("drop_invalid", [False, True])
@pytest.mark.parametrize(
    ("changes", "named", "unit", "divisor"),
    [
        ({"tokens_t": times(TOKENS, 1e3)}, True, "billions", "1,000,"),
        ({"tokens_t": times(TOKENS, 1e6)}, True, "millions", "1,000,000,"),
        ({"tokens_t": times(TOKENS, 1e12)}, True, "raw counts", "1,000,000,000,000,"),
        (
            {"tokens_t": [20.0, 26.0, 52.0, 80.0, 300.0, 60.0, 30.0, 40.0]},
            True,
            "billions",
            "1,000,",
        ),
        ({"params_b": times(SIZES, 1e3)}, True, "millions", "1,000,"),
        ({"params_b": times(SIZES, 1e9)}, True, "raw counts", "1,000,000,000,"),
        ({"params_b": times(SIZES, 1e6)}, True, "thousands", "1,000,000,"),
        ({"params_b": times(SIZES, 1e9)}, False, "raw counts", "1,000,000,000,"),
        ({"params_b": [7e3, 13e3, 65e3, 7e3, 13e3, 65e3, 7e3, 3e3]}, False, "millions", "1,000,"),
    ],
)
def test_a_column_in_another_unit_is_one_problem_for_the_whole_column(
    changes: dict[str, Any], named: bool, unit: str, divisor: str, drop_invalid: bool
) -> None:
    (problem,) = refusal(table(named, **changes), drop_invalid=drop_invalid).problems
    (column,) = changes
    assert problem.where == f"column '{column}'"
    assert f"look like {unit}" in problem.seen
    assert f"divide it by {divisor} the whole column" in problem.remedy


def test_sizes_that_are_too_small_are_compared_with_the_names() -> None:
    (problem,) = refusal(table(params_b=times(SIZES, 1e-3))).problems
    assert "multiply it by 1,000" in problem.remedy
    assert checked(table(named=False, params_b=times(SIZES, 1e-3))).notes != ()


def test_sizes_off_by_another_factor_are_one_note() -> None:
    (note,) = checked(table(params_b=times(SIZES, 2.0))).notes
    assert "about 2 times those in the models' names" in note
    assert "row 2 (model 'ant0-1b'): got 2, the name states 1" in note


def test_sizes_that_contradict_a_name_are_noted_with_row_name_and_size() -> None:
    frame = table(params_b=[*SIZES[:2], 70.0, *SIZES[3:6], 80.0, 70.0])
    (note,) = checked(frame).notes
    assert "row 4 (model 'ant2-7b'): got 70, the name states 7" in note
    assert "row 8 (model 'ant6-8b'): got 80, the name states 8" in note


def test_many_contradictions_are_counted() -> None:
    n = 40
    sizes = [7.0] * 30 + [3.0 + i for i in range(10)]
    frame = pd.DataFrame(
        {"model": [f"m{i}-7b" if i < 30 else f"m{i}-1b" for i in range(n)], "family": "f"}
    ).assign(params_b=sizes, mmlu=0.5)
    (note,) = checked(frame).notes
    assert note.startswith("10 sizes in params_b contradict the models' names: row 32")
    assert note.endswith("; and 5 more; check them")


def test_sizes_that_agree_with_their_names_give_no_note() -> None:
    assert checked(table()).notes == ()
    assert checked(table(named=False)).notes == ()


def test_a_few_large_cells_are_reported_each_and_may_be_left_out() -> None:
    frame = table(tokens_t=[0.3, 1500.0, *TOKENS[2:]])
    (problem,) = refusal(frame).problems
    assert problem.where == "row 3 (model 'ant1-3b'), column 'tokens_t'"
    assert "in billions, divide it by 1,000" in problem.remedy
    assert len(checked(frame, drop_invalid=True).scores) == len(SIZES) - 1


def test_a_header_with_a_unit_is_converted_with_a_note() -> None:
    frame = table(params_b=None, tokens_t=None).assign(
        **{"Params (M)": times(SIZES, 1e3), "tokens_b": times(TOKENS, 1e3)}
    )
    result = checked(frame)
    np.testing.assert_allclose(result.models["params_b"], SIZES)
    np.testing.assert_allclose(result.models["tokens_t"], TOKENS)
    assert list(result.models) == ["family", "lineage", "params_b", "tokens_t"]
    assert result.notes == (
        "column 'Params (M)' is in millions: read as params_b, in billions",
        "column 'tokens_b' is in billions: read as tokens_t, in trillions",
    )


def test_a_wrong_cell_under_such_a_header_is_reported_as_it_is_written() -> None:
    frame = table(params_b=None).assign(params_m=[-1000.0, *times(SIZES[1:], 1e3)])
    (problem,) = refusal(frame).problems
    assert problem.where == "row 2 (model 'ant0-1b'), column 'params_m'"
    assert problem.seen == "got -1000"
    assert "its parameters in millions" in problem.expected


@pytest.mark.parametrize(
    ("header", "column", "factor"),
    [
        ("tokens_b", "tokens_t", 1e-3),
        ("training_tokens_B", "tokens_t", 1e-3),
        ("Pretraining Data Size (T)", "tokens_t", 1.0),
        ("tokens (billions)", "tokens_t", 1e-3),
        ("n_tokens_m", "tokens_t", 1e-6),
        ("params_m", "params_b", 1e-3),
        ("num_params_k", "params_b", 1e-6),
        ("Parameters in millions", "params_b", 1e-3),
        ("model_size_b", "params_b", 1.0),
        ("#Params (B)", "params_b", 1.0),
    ],
)
def test_headers_that_state_a_unit(header: str, column: str, factor: float) -> None:
    units, notes = header_units(["model", header, "mmlu"], ())
    assert list(units) == [column]
    assert units[column].factor == pytest.approx(factor)
    assert f"'{header}'" in notes[0]


@pytest.mark.parametrize(
    "header", ["params_b", "tokens_t", "params", "size", "size_gb", "active_params_b", "team", "mb"]
)
def test_other_headers_state_none(header: str) -> None:
    assert header_units(["model", header], ()) == ({}, ())


def test_a_second_column_of_sizes_is_noted_and_stays_a_feature() -> None:
    result = checked(table(params_m=times(SIZES, 1e3)))
    assert result.notes == ("read as features, not as params_b: 'params_m'",)
    assert "params_m" in result.models
    assert checked(table(params_m=1.0), benchmarks={"params_m": None}).notes == ()


@pytest.mark.parametrize(
    ("column", "cell", "number"),
    [
        ("params_b", "7B", 7.0),
        ("params_b", "560M", 0.56),
        ("params_b", " 1.5 B ", 1.5),
        ("params_b", "1.75T", 1750.0),
        ("params_b", "7 billion parameters", 7.0),
        ("tokens_t", "300B tokens", 0.3),
        ("tokens_t", "2T", 2.0),
        ("tokens_t", "1.4 trillion", 1.4),
        ("params_b", "large", None),
        ("params_b", "8x7B", None),
        ("params_b", "1,5B", None),
        ("params_b", "-7B", None),
        ("params_b", "7 GB", None),
        ("params_b", True, None),
    ],
)
def test_cells_with_a_unit(column: str, cell: Any, number: float | None) -> None:
    (value,), text, _ = read_sizes(column, pd.Series([cell]), OWN_UNITS[column])
    assert text == ([0] if number is None else [])
    assert value == pytest.approx(math.nan if number is None else number, nan_ok=True)


def test_sizes_with_units_are_read_with_one_note() -> None:
    cells = [f"{size:g}B" if size >= 1 else f"{1000 * size:g}M" for size in SIZES]
    result = checked(table(params_b=cells))
    np.testing.assert_allclose(result.models["params_b"], SIZES)
    assert result.notes == (
        "column 'params_b': sizes with a unit are read in billions ('1B' as 1)",
    )
    (problem,) = refusal(table(params_b=["big", *cells[1:]])).problems
    assert problem.seen == "got 'big'"


def test_numbers_beside_cells_with_a_unit_keep_the_unit_of_the_column() -> None:
    values, text, _ = read_sizes("params_b", pd.Series([7.0, "560M", None]), OWN_UNITS["params_b"])
    np.testing.assert_allclose(values, [7.0, 0.56, np.nan])
    assert text == []


def test_a_table_of_one_model_is_not_compared_with_its_name() -> None:
    stated = [size_in_name("ant-7b")]
    assert misread_column("params_b", np.array([0.007]), stated) is None
    assert misread_column("params_b", np.array([math.nan]), stated) is None


def test_what_is_too_large_is_finite() -> None:
    large = too_large("tokens_t", np.array([36.0, 1500.0, math.inf, math.nan]))
    assert large.tolist() == [False, True, False, False]
    assert "1e12" in smaller_unit("tokens_t", 2e13)


def test_tokens_per_parameter_nobody_has_trained_with_are_noted() -> None:
    few = table(named=False, params_b=times(SIZES, 0.01), tokens_t=[20.0] * len(SIZES))
    (note,) = checked(few).notes
    assert "tokens per parameter" in note
    assert "less than" in unusual_ratio(np.array([124.0, 774.0]), np.array([0.01, 0.01]))
    assert unusual_ratio(np.array([0.6]), np.array([36.0])) == ""  # the most there is
    assert unusual_ratio(np.array([1.0]), np.array([math.nan])) == ""


@pytest.mark.parametrize(
    ("column", "number", "told"),
    [
        ("params_b", 7e9, "params_b is in billions, so divide by 1e9"),
        ("params_b", 1.1e5, "billions"),
        ("tokens_t", 1.5e13, "tokens_t is in trillions, so divide by 1e12"),
    ],
)
def test_a_raw_count_is_told_with_its_unit(column: str, number: float, told: str) -> None:
    assert told in raw_count(column, number)


@pytest.mark.parametrize(
    ("column", "number"),
    [
        ("params_b", 1e5),
        ("params_b", float("nan")),
        ("params_b", float("inf")),
        ("tokens_t", 36.0),
        ("year", 2e9),
    ],
)
def test_other_numbers_are_no_raw_counts(column: str, number: float) -> None:
    assert raw_count(column, number) == ""
