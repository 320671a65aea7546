from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.cells import (
    Places,
    column_flags,
    column_numbers,
    first_few,
    is_blank,
    parse_number,
    show_cell,
    show_number,
    text_remedy,
    without_rounding,
)
from lvkit.data.header import close_name
from lvkit.data.panel import content_digest

# -- where cells stand ------------------------------------------------------------------------


def test_the_first_row_stands_below_the_header() -> None:
    assert Places().row(0) == "row 2"


def test_rows_stand_where_the_file_says() -> None:
    assert Places([4, 9]).row(1, "ant-1b") == "row 9 (model 'ant-1b')"


def test_columns_are_told_under_the_names_of_the_file() -> None:
    places = Places(columns={"mmlu": "MMLU Raw"})
    assert (places.column("mmlu"), places.column("arc")) == ("column 'MMLU Raw'", "column 'arc'")


# -- what cells say ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", [None, np.nan, pd.NA, pd.NaT, np.float32("nan"), np.datetime64("NaT", "D"), " NA ", ""]
)
def test_whatever_says_that_nothing_is_there_is_blank(cell: Any) -> None:
    assert is_blank(cell)


@pytest.mark.parametrize("cell", [0, 0.0, False, "0", "none", "-", np.inf])
def test_zeros_false_and_words_are_not_blank(cell: Any) -> None:
    assert not is_blank(cell)


@pytest.mark.parametrize("cell", [0.5, np.float32(0.5), " 0.5 ", "5e-1", ".5"])
def test_a_number_is_read_from_whatever_holds_one(cell: Any) -> None:
    assert parse_number(cell) == 0.5


def test_a_missing_number_is_nan() -> None:
    number = parse_number("n/a")
    assert number is not None
    assert math.isnan(number)


@pytest.mark.parametrize("cell", ["0,5", "50%", "1_000", True, np.True_, 1j, 10**400, object()])
def test_what_is_no_number_is_not_made_one(cell: Any) -> None:
    assert parse_number(cell) is None


def test_a_flag_is_true_false_or_neither() -> None:
    cells = pd.Series([True, " FALSE ", 1, 0.0, "yes", "", None], dtype=object)
    flags, other = column_flags(cells)
    assert flags[:4].tolist() == [True, False, True, False]
    assert flags[4:].isna().all()
    assert other == [4]


def test_flags_with_gaps_keep_the_gaps() -> None:
    assert column_flags(pd.Series([True, False]))[0].dtype == bool
    assert column_flags(pd.Series([True, None]))[0].isna().tolist() == [False, True]


def test_a_number_with_a_unit_is_read_where_units_are_known() -> None:
    units = {"m": 1e-3, "b": 1.0}
    assert parse_number(" 560 M ", units) == 0.56
    assert parse_number("7 billion", units) == 7
    assert parse_number("7b") is None
    numbers, text = column_numbers(pd.Series(["560M", "2", "many"]), units)
    assert (numbers[:2].tolist(), text) == ([0.56, 2.0], [2])


# -- how messages speak of cells --------------------------------------------------------------


def test_letter_case_and_separators_do_not_hide_a_name() -> None:
    assert close_name("MATH Lvl-5", ["math_lvl5", "mmlu"]) == "math_lvl5"


def test_a_name_that_is_like_none_is_close_to_none() -> None:
    assert close_name("release_date", ["math_lvl5", "mmlu"]) == ""


def test_a_long_cell_is_cut() -> None:
    assert show_cell("half") == "'half'"
    assert len(show_cell("x" * 99)) == 40


def test_a_number_is_shown_without_a_tail() -> None:
    assert (show_number(12.0), show_number(1 / 3)) == ("12", "0.333333")


@pytest.mark.parametrize(
    ("cells", "remedy"),
    [
        (["0,5"], "Write decimals with a point."),
        (["50%"], "Write fractions, not percent."),
        (["half", True], "Correct the cell or leave it blank."),
    ],
)
def test_the_remedy_is_read_from_the_cells(cells: list[Any], remedy: str) -> None:
    assert text_remedy(cells) == remedy


# -- the digest -------------------------------------------------------------------------------


def test_the_digest_depends_on_content_and_on_names() -> None:
    table = pd.DataFrame({"mmlu": [0.5, np.nan]}, index=["a", "b"])
    others = [table.fillna(0.1), table.rename(index={"a": "c"}), table.rename(columns=str.upper)]
    assert content_digest([table]) == content_digest([table.copy()])
    assert len({content_digest([each]) for each in [table, *others]}) == 4


def test_the_digest_sees_no_sign_of_zero_and_one_kind_of_gap() -> None:
    one = pd.DataFrame({"x": [0.0, 1.0], "note": ["y", None]})
    same = pd.DataFrame({"x": [-0.0, 1.0], "note": ["y", np.nan]}, dtype=None)
    assert content_digest([one]) == content_digest([same])


def test_numbers_of_a_column_and_the_rows_that_are_none() -> None:
    for column in ([1, 2], [0.5, None], pd.array([1, None], dtype="Int64")):
        numbers, text = column_numbers(pd.Series(column))
        assert numbers.dtype == float
        assert text == []
    numbers, text = column_numbers(pd.Series([True, "1_0", "x", " 2 ", None], dtype=object))
    assert text == [0, 1, 2]
    np.testing.assert_array_equal(numbers, [np.nan] * 3 + [2.0, np.nan])
    assert column_numbers(pd.Series([True, False]))[1] == [0, 1]


@pytest.mark.parametrize("most", [1.0, 100.0])
def test_rounding_errors_at_either_end_are_undone(most: float) -> None:
    scores = np.array([-1e-17, 0.5, 1.0000000000000002, 1 + 1e-10, 1.001, -1e-3, np.nan, np.inf])
    clean = np.array([0.0, 0.5, 1.0, 1.0, 1.001, -1e-3, np.nan, np.inf])
    np.testing.assert_array_equal(without_rounding(scores * most, most), clean * most)


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.00000002, "1.00000002"), (1.0, "1"), (1 / 3, "0.333333"), (-1e-8, "-1e-08")],
)
def test_a_number_is_not_shown_as_a_score_that_it_is_not(number: float, text: str) -> None:
    assert show_number(number) == text


def test_the_first_of_a_list_are_shown_and_the_others_counted() -> None:
    assert first_few("ab", 2) == "a, b"
    assert first_few("abc", 2) == "a, b and 1 more"
    assert first_few("abc", 2, "; ") == "a; b; and 1 more"
