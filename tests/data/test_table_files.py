from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lvkit.data.table_files import is_parquet, open_table, parse_csv, with_types
from lvkit.errors import LvkitError

# -- CSV --------------------------------------------------------------------------------------


def test_cells_of_a_csv_file_stay_text() -> None:
    table = parse_csv("model,mmlu\na-1b,0.50\nb-2b,\n")
    assert table.frame.to_numpy().tolist() == [["a-1b", "0.50"], ["b-2b", ""]]


def test_each_row_keeps_the_line_it_begins_on() -> None:
    text = 'model,note\n\na-1b,"two\nlines"\n , \nb-2b,one\n'
    table = parse_csv(text)
    assert [table.places.line(i) for i in range(2)] == [3, 6]


def test_blanks_after_commas_and_empty_cells_at_the_end_are_let_pass() -> None:
    assert parse_csv('model, mmlu\na-1b, "0.5",,\n').frame.loc[0].tolist() == ["a-1b", "0.5"]


def test_a_header_may_name_a_column_twice_and_leave_the_complaint_to_others() -> None:
    assert list(parse_csv("a,a\n1,2\n").frame.columns) == ["a", "a"]


def test_of_many_rows_of_the_wrong_length_the_first_ten_are_told() -> None:
    with pytest.raises(LvkitError) as caught:
        parse_csv("a,b\n" + "1\n" * 25)
    problems = caught.value.problems
    assert len(problems) == 11
    assert problems[0].where == "row 2"
    assert problems[10].seen == "15 more rows of the wrong length"


def test_a_file_of_blanks_is_empty() -> None:
    with pytest.raises(LvkitError, match="the file is empty"):
        parse_csv(" , \n,\n")


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "answer"), [("a.parquet", True), ("a.PQ", True), ("a.csv", False), ("pq", False)]
)
def test_parquet_is_known_by_its_name(name: str, answer: bool) -> None:
    assert is_parquet(Path(name)) is answer


def test_every_problem_of_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1\n2\n")
    with pytest.raises(LvkitError) as caught:
        open_table(path)
    assert [p.where for p in caught.value.problems] == [f"'{path}', row 2", f"'{path}', row 3"]


def test_the_mark_that_spreadsheets_put_first_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbfmodel\na-1b\n")
    assert list(open_table(path).frame.columns) == ["model"]


def test_a_parquet_index_named_model_is_the_column(tmp_path: Path) -> None:
    path = tmp_path / "mine.pq"
    pd.DataFrame({"mmlu": [0.5]}, index=pd.Index(["a-1b"], name="model")).to_parquet(path)
    table = open_table(path)
    assert table.frame.to_dict("records") == [{"model": "a-1b", "mmlu": 0.5}]
    assert table.places.line(0) == 1


# -- types ------------------------------------------------------------------------------------


def typed(*cells: object) -> pd.Series:
    return with_types(pd.DataFrame({"x": pd.Series(cells, dtype=object)}))["x"]


def test_text_that_is_all_numbers_becomes_numbers_with_gaps() -> None:
    np.testing.assert_array_equal(typed("1", " 2.5", "NA").to_numpy(), [1.0, 2.5, np.nan])


def test_text_that_is_all_true_or_false_becomes_flags_with_gaps() -> None:
    assert typed("TRUE", "false").tolist() == [True, False]
    assert typed("true", "").isna().tolist() == [False, True]


@pytest.mark.parametrize("cells", [("1", "one"), ("", "NA"), (1, "one")])
def test_any_other_column_stays_as_it_is(cells: tuple[object, ...]) -> None:
    assert typed(*cells).tolist() == list(cells)


def test_columns_of_one_name_are_typed_each_for_itself() -> None:
    table = pd.DataFrame([["1", "x"]], columns=["a", "a"], dtype=object)
    assert with_types(table).iloc[0].tolist() == [1.0, "x"]


# -- separators, ends of lines, lengths ---------------------------------------------------------

COLUMNS = ["model", "family", "params_b", "mmlu"]


def lines(mark: str, ends: str = "") -> list[str]:
    rows = [COLUMNS, ["a-1b", "a", "1", "0.5"], ["b-2b", "b, c", "2", "0.25"]]
    return [f"{ends}{mark.join(row)}{ends}" for row in rows]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\n".join(lines("|")), "|"),
        ("\n".join(lines(" | ", "|")), "|"),
        ("\n".join(["# Results", "", *lines("|", "|")]), "|"),
        ("\n".join(lines(";")).replace("0.5", "0,5"), "semicolons"),
        ("sep=;\n" + "\n".join(lines(";")), "semicolons"),
        ("\n".join(lines("\t")).replace("params_b", "params_b, billions"), "tabs"),
        ("\n".join(lines("  ")), "spaces"),
    ],
)
def test_a_separator_that_is_no_comma_is_named(text: str, name: str) -> None:
    with pytest.raises(LvkitError) as caught:
        parse_csv(text)
    (problem,) = caught.value.problems
    assert problem.seen == f"the columns are separated by {name}"
    assert problem.expected == "commas"


def test_column_names_may_hold_other_separators() -> None:
    header = "model,family,params_b,leaderboard|arc:challenge|25,leaderboard|mmlu|5,a;b;c"
    assert len(parse_csv(f"{header}\na,b,1,2,3,4\n").frame.columns) == 6


def test_empty_columns_at_the_end_are_left_out() -> None:
    table = parse_csv("model,mmlu,,\na-1b,0.5,,\nb-2b,0.5\nc-3b,0.5, ,,\n")
    assert list(table.frame.columns) == ["model", "mmlu"]
    assert table.frame["model"].tolist() == ["a-1b", "b-2b", "c-3b"]
    assert list(parse_csv("model,\na-1b,0.5\n").frame.columns) == ["model", ""]


@pytest.mark.parametrize(
    ("row", "seen", "advice"),
    [
        ("chess,0,25", "3 cells", "'0,25' is one number, write 0.25, with a decimal point"),
        ("chess,1,319", "3 cells", "write 1319 without a thousands separator, or 1.319"),
        ("go,x,y", "3 cells", "quotes around a cell that holds a comma"),
        ("1,30,0,25", "4 cells", "'0,25' is one number"),
        ("chess", "1 cell", "a comma for each blank cell"),
    ],
)
def test_a_row_of_another_length_gets_the_likely_cause(row: str, seen: str, advice: str) -> None:
    with pytest.raises(LvkitError) as caught:
        parse_csv(f"a,b\n1,2\n{row}\n")
    (problem,) = caught.value.problems
    assert (problem.where, problem.seen) == ("row 3", seen)
    assert problem.expected == "2, as in the header"
    assert advice in problem.remedy


def test_columns_of_names_stay_text() -> None:
    table = pd.DataFrame([["001", "2"]], columns=["model ", "a"], dtype=object)
    assert with_types(table, ("model",)).iloc[0].tolist() == ["001", 2.0]
