from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvkit.data.cells import (
    by_name,
    name_notes,
    name_text,
    no_name,
    number_names,
    plain_name,
)
from lvkit.data.panel import Panel
from lvkit.data.read import check_file, read_panel
from lvkit.data.side_files import read_families
from lvkit.errors import LvkitError, LvkitWarning

NFC, NFD = "café", unicodedata.normalize("NFD", "café")


def table(**columns: Any) -> pd.DataFrame:
    base: dict[str, Any] = {
        "model": ["7", "8", "9"],
        "family": ["1", "1", "2"],
        "params_b": [1.0, 2.0, 3.0],
        "mmlu": [0.3, 0.4, 0.5],
    }
    return pd.DataFrame(base | columns)


def quiet(frame: pd.DataFrame, **options: Any) -> Panel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LvkitWarning)
        return Panel.from_frame(frame, **options)


# -- one name -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("1000", "1000"),
        (1000, "1000"),
        (1000.0, "1000"),
        (np.int64(1000), "1000"),
        (np.float32(1.5), "1.5"),
        ("001", "001"),
        ("1.10", "1.10"),
        ("1e5", "1e5"),
        (1e5, "100000"),
        ("TRUE", "TRUE"),
        (True, "True"),
        (b"ant", "ant"),
        ("Nan-7b", "Nan-7b"),
        ("inf", "inf"),
        ("None", "None"),
    ],
)
def test_a_name_is_the_text_that_was_written(cell: Any, name: str) -> None:
    assert name_text(cell) == name


@pytest.mark.parametrize("cell", ["", " ", "\u200b", "NA", "nan", "NULL", "n/a", None, pd.NA])
def test_what_stands_for_a_missing_value_is_no_name(cell: Any) -> None:
    assert name_text(cell) == ""
    text = no_name(cell, "family")
    written = isinstance(cell, str) and bool(plain_name(cell))
    assert ("missing family" in text, repr(cell) in text) == (written, written)


@pytest.mark.parametrize(
    "text",
    [
        NFD,
        "caf\u00e9\ufeff",
        "\u2060caf\u00e9",
        " caf\u00e9\t",
        "ca\u00adf\u00e9",
        "caf\u00e9\ufe0f",
    ],
)
def test_names_that_look_the_same_are_the_same(text: str) -> None:
    assert plain_name(text) == NFC


@pytest.mark.parametrize(
    "space", ["\u00a0", "  ", " \u3000", "\t", "\u202f\u200b", "\r\n", " \x00 "]
)
def test_any_run_of_spaces_is_one_space(space: str) -> None:
    assert plain_name(f"bee{space}2") == "bee 2"


def test_joiners_stay_between_letters_that_need_them() -> None:
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert plain_name(persian) == persian
    assert plain_name("bee\u200d") == plain_name("b\u200cee") == "bee"


@given(st.text(max_size=12))
def test_a_plain_name_is_plain(text: str) -> None:
    once = plain_name(text)
    assert plain_name(once) == once == once.strip()
    assert unicodedata.is_normalized("NFC", once)


# -- mappings and notes -------------------------------------------------------------------------


def test_two_keys_of_a_mapping_that_are_one_name_have_to_agree() -> None:
    assert by_name({1000: "a", "1000 ": "a"}, "family") == {"1000": "a"}
    with pytest.raises(LvkitError) as caught:
        by_name({1000: "a", "1000": "b"}, "family")
    assert caught.value.problems[0].where == "family"
    assert "1000 and '1000'" in caught.value.problems[0].seen


@pytest.mark.parametrize(
    "pair", [("Qwen", "qwen"), ("bee 2", "bee2"), ("\uff21nt", "ant"), ("stra\u00dfe", "STRASSE")]
)
def test_names_that_differ_only_in_case_or_spaces_get_a_note(pair: tuple[str, str]) -> None:
    (note,) = name_notes("families", pair, pair)
    assert all(repr(name) in note for name in pair)
    assert note.startswith("families that differ only in case or spaces")


@pytest.mark.parametrize("pair", [("1.1", "1.10"), ("bee-2", "bee_2"), ("a", "b"), ("a", "a")])
def test_other_names_get_none(pair: tuple[str, str]) -> None:
    assert list(name_notes("families", pair, pair)) == []


def test_blanks_around_a_name_are_not_worth_a_note() -> None:
    assert list(name_notes("families", [" ant "], ["ant"])) == []


def test_a_name_that_may_stand_for_a_missing_one_gets_a_note() -> None:
    with pytest.warns(LvkitWarning, match="families named 'None'"):
        assert Panel.from_frame(table(family=["None", "None", "2"])).families == ("None", "2")


def test_many_changed_names_are_counted() -> None:
    cells = [f"ant\u200b{at}" for at in range(9)]
    (note,) = name_notes("models", cells, [name_text(cell) for cell in cells])
    assert "'ant\\u200b0' as 'ant0'" in note
    assert note.endswith("and 6 more")


def test_only_numbers_with_decimals_are_doubtful_names() -> None:
    assert "such as 1.5" in number_names(pd.Series([2.0, 1.5, np.nan]))
    assert number_names(pd.Series([1.0, 2.0])) == number_names(pd.Series(["1.5"])) == ""


# -- tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("1000", "1001", "1002"), ("001", "01", "1"), ("1.1", "1.10", "2")]
)
def test_names_of_digits_in_a_csv_file_stay_as_written(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    frame = table(model=names, family=names, lineage=names, clan=names)
    frame.to_csv(path, index=False)
    for family in (None, "clan"):
        panel = read_panel(path, family=family)
        assert tuple(panel.models.index) == panel.families == names
        assert tuple(panel.models["lineage"]) == names


@pytest.mark.parametrize("kind", [int, float, str])
def test_names_of_digits_in_a_parquet_file_are_text(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    ids = [kind(1000 + at) for at in range(3)]
    table(model=ids, family=[kind(1), kind(1), kind(2)]).to_parquet(path)
    panel = read_panel(path)
    assert list(panel.models.index) == ["1000", "1001", "1002"]
    assert panel.families == ("1", "2")


@pytest.mark.parametrize("ids", [["7", "8", "9"], [7, 8, 9], [7.0, 8.0, 9.0]])
@pytest.mark.parametrize("rule", [{7: "a", 8: "a", 9: "b"}, {"7": "a", "8 ": "a", 9.0: "b"}])
def test_a_mapping_to_families_matches_names_of_digits(ids: list[Any], rule: Any) -> None:
    assert quiet(table(model=ids), family=rule).families == ("a", "b")


def test_a_family_file_matches_names_of_digits_and_other_spellings(tmp_path: Path) -> None:
    scores, families = tmp_path / "scores.csv", tmp_path / "families.csv"
    table(model=["0010", NFC, "c d"]).drop(columns="family").to_csv(scores, index=False)
    families.write_text(f"model,family\n0010,1.10\n{NFD},1.1\nc\u00a0d,1.1\n", "utf-8")
    assert read_panel(scores, family=read_families(families)).families == ("1.10", "1.1")


def test_names_that_came_as_numbers_with_decimals_get_a_note() -> None:
    with pytest.warns(LvkitWarning, match="column 'family': the names are numbers, such as 1.5"):
        assert Panel.from_frame(table(family=[1.5, 1.5, 2.0])).families == ("1.5", "2")


def test_families_that_look_the_same_are_one_and_that_is_reported() -> None:
    with pytest.warns(LvkitWarning, match=r"families read without .* as 'caf\xe9'"):
        assert Panel.from_frame(table(family=[NFD, NFC, f"{NFC}\u200b"])).n_families == 1


def test_models_that_look_the_same_are_reported_with_both_rows() -> None:
    with pytest.raises(LvkitError) as caught:
        quiet(table(model=["ant 1", "ant\u00a01", "bee"]))
    (problem,) = caught.value.problems
    assert problem.where == "row 3 (model 'ant 1'), column 'model'"
    assert problem.seen == "named already in row 2 (written 'ant 1' there, 'ant\\xa01' here)"


def test_a_missing_name_is_reported_as_it_was_written() -> None:
    with pytest.raises(LvkitError) as caught:
        quiet(table(family=["NA", "1", "null"], model=["7", None, "9"]))
    assert [problem.seen for problem in caught.value.problems] == [
        "got no name",
        "got 'NA', which stands for a missing family",
        "got 'null', which stands for a missing family",
    ]


@pytest.mark.parametrize("mark", ["\ufeff", "\u00a0", "\u200b"])
def test_headers_match_without_their_invisible_characters(mark: str) -> None:
    text = table().to_csv(index=False).replace("params_b", f"params_b{mark}", 1)
    report = check_file("mine.csv", content=text.replace("mmlu", f"{mark}mmlu", 1).encode())
    assert report.panel is not None
    assert list(report.panel.scores) == ["mmlu"]


def test_two_headers_that_look_the_same_are_one_name_twice() -> None:
    with pytest.raises(LvkitError, match="column 'mmlu' appears 2 times"):
        quiet(table(**{"mmlu\u200b": 0.5}))


def test_columns_and_benchmarks_of_digits_are_names_too() -> None:
    panel = quiet(table().rename(columns={"mmlu": 2024}), benchmarks={2024.0: 0.25})
    assert list(panel.scores) == ["2024"]
    named = quiet(table(**{"ours\u00a01": [0.1, 0.2, 0.3]}), benchmarks={"ours 1": 0})
    assert list(named.scores) == ["mmlu", "ours 1"]
    assert named.select(models=[7, 8.0]).n_models == 2
