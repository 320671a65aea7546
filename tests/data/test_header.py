from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.embedded import known_benchmarks
from lvkit.data.header import (
    asked_benchmarks,
    asked_features,
    benchmark_table,
    header_problems,
    without_unnamed,
)
from lvkit.errors import LvkitError

KNOWN = list(known_benchmarks().index)


def frame(*columns: str, rows: int = 2) -> pd.DataFrame:
    return pd.DataFrame([[0.5] * len(columns)] * rows, columns=list(columns))


def told(
    *columns: str, family: Any = None, asked: tuple[str, ...] = (), rows: int = 2
) -> list[str]:
    """What is said about a header."""
    table = frame(*columns, rows=rows)
    return [str(p) for p in header_problems(table, family, [*KNOWN, *asked], list(asked))]


# -- benchmarks of the user's own -------------------------------------------------------------


def test_no_benchmarks_of_the_users_own_is_the_rule() -> None:
    assert asked_benchmarks(None) == {}


def test_a_mapping_gives_chance_levels() -> None:
    assert asked_benchmarks({" ours ": 0.25}) == {"ours": {"chance": 0.25}}


def test_a_table_says_more_and_its_blanks_say_nothing() -> None:
    table = pd.DataFrame(
        {"benchmark": ["ours"], "chance": [0.2], "n_items": [np.nan], "label": ["Ours"]}
    )
    assert asked_benchmarks(table) == {"ours": {"chance": 0.2, "label": "Ours"}}
    assert asked_benchmarks(table.set_index("benchmark")) == asked_benchmarks(table)


@pytest.mark.parametrize("count", [0, -3, np.inf, "many"])
def test_an_impossible_number_of_items_is_refused(count: Any) -> None:
    table = pd.DataFrame({"benchmark": ["ours"], "chance": [0.2], "n_items": [count]})
    with pytest.raises(LvkitError, match=r"'ours': n_items .*; expected a positive number"):
        asked_benchmarks(table)


def test_all_that_is_wrong_with_benchmarks_is_told_together() -> None:
    table = pd.DataFrame({"benchmark": ["a", "a", "b"], "chance": [0.2, 0.2, 1.0]})
    with pytest.raises(LvkitError) as caught:
        asked_benchmarks(table)
    assert len(caught.value.problems) == 2


def test_the_users_word_is_laid_over_what_lvkit_knows() -> None:
    table = benchmark_table({"mmlu": {"chance": 0.1}, "ours": {"chance": 0.2}})
    assert table.loc["mmlu", "chance"] == 0.1
    assert table.loc["mmlu", "label"] == known_benchmarks().loc["mmlu", "label"]
    assert table.loc["ours", ["label", "leaderboard"]].tolist() == ["ours", ""]


def test_a_column_may_be_called_a_feature() -> None:
    said = {"ours": 0.25, " dose ": None}
    assert asked_benchmarks(said) == {"ours": {"chance": 0.25}}
    assert asked_features(said) == ("dose",)
    assert asked_features(None) == ()


def test_a_table_calls_a_column_a_feature_by_a_word() -> None:
    table = pd.DataFrame({"benchmark": ["ours", "dose"], "chance": ["0.25", "None"]})
    assert asked_features(table) == ("dose",)
    assert asked_benchmarks(table) == {"ours": {"chance": "0.25"}}


def test_a_benchmark_that_lvkit_knows_is_no_feature() -> None:
    with pytest.raises(LvkitError, match="'mmlu': no chance level.*Rename the column"):
        asked_benchmarks({"mmlu": None})


def test_a_blank_chance_level_does_not_make_a_feature() -> None:
    table = pd.DataFrame({"benchmark": ["ours"], "chance": [np.nan]})
    with pytest.raises(LvkitError, match="chance level nan"):
        asked_benchmarks(table)


# -- columns ----------------------------------------------------------------------------------


def test_of_a_good_header_nothing_is_said() -> None:
    assert told("model", "family", "params_b", "tokens_t", "mmlu", "my_note") == []


def test_each_missing_column_is_told_with_its_meaning() -> None:
    model, size = told("family", "mmlu")
    assert "no column 'model' (the model's name)" in model
    assert "no column 'params_b' (its parameters, in billions)" in size


def test_a_benchmark_the_user_described_has_to_be_there() -> None:
    (text,) = told("model", "family", "params_b", "mmlu", "our", asked=("ours",))[:1]
    assert "no column 'ours'" in text
    assert "Did you mean 'our'?" in text


def test_a_benchmark_of_the_users_own_may_be_misspelt_too() -> None:
    texts = told("model", "family", "params_b", "mmlu", "our_own_tst", asked=("our_own_test",))
    assert any("column 'our_own_tst' is not one that lvkit knows" in text for text in texts)


def test_no_benchmark_is_suggested_twice() -> None:
    texts = told("model", "family", "params_b", "gsm8k", "hellaswog", "helaswag")
    assert sum("Did you mean 'hellaswag'?" in text for text in texts) == 1


@pytest.mark.parametrize("name", ["Winograd", "XWinograd", "CMMLU", "ARC-E", "GSM1k"])
def test_a_benchmark_of_its_own_is_not_a_misspelt_one(name: str) -> None:
    assert told("model", "family", "params_b", "ifeval", name) == []


def test_the_remedy_for_a_misspelt_benchmark_names_the_other_ways() -> None:
    (text,) = told("model", "family", "params_b", "mmlu", "winogrand")
    assert "Did you mean 'winogrande'?" in text
    assert "benchmarks={'winogrand': 0.5}" in text
    assert "benchmarks={'winogrand': None}" in text
    assert "--benchmarks" in text
    (other,) = told("model", "family", "params_b", "mmlu", "token_t")
    assert "0.25" not in other
    assert "benchmarks={'token_t': None}" in other


@pytest.mark.parametrize("name", ["", "Unnamed: 0", None])
@pytest.mark.parametrize("cells", [[0, 1, 2], ["1", "2", "3"], [7.0, 3.0, 5.0]])
def test_a_first_column_of_row_numbers_is_left_out_with_a_note(name: Any, cells: Any) -> None:
    table = pd.DataFrame({name: cells, "model": ["a", "b", "c"]})
    left, (note,) = without_unnamed(table)
    assert list(left) == ["model"]
    assert "row numbers" in note
    assert "index=False" in note


def test_unnamed_columns_are_left_out_only_if_nothing_is_in_them() -> None:
    table = pd.DataFrame(
        [["a", "", 1, None, "x"]] * 2, columns=["model", "", "n", "Unnamed: 3", ""]
    )
    left, notes = without_unnamed(table)
    assert (list(left), notes) == (["model", "n", ""], ())
    for cells in (["a", "b"], [0, 0], [0, 0.5], [-1, 0]):
        assert list(without_unnamed(pd.DataFrame({"": cells}))[0]) == [""]


def test_a_column_without_a_name_is_reported_with_its_place() -> None:
    (text,) = told("model", "family", "params_b", "mmlu", "")
    assert "a column without a name (after 'mmlu')" in text
    texts = told("", "family", "params_b", "mmlu")
    assert any("(at the start)" in text and "call it 'model'" in text for text in texts)


def test_a_feature_the_user_spoke_of_has_to_be_there_and_is_not_misspelt() -> None:
    assert told("model", "family", "params_b", "mmlu", "mmlu_pr", asked=("mmlu_pr",)) == []
    assert "no column 'dose'" in told("model", "family", "params_b", "mmlu", asked=("dose",))[0]


@pytest.mark.parametrize("name", ["Params_B", "Family"])
def test_a_required_column_in_other_letters_is_told_once(name: str) -> None:
    columns = {"model", "family", "params_b", "mmlu"} - {name.lower()}
    (text,) = told(*columns, name)
    assert f"Did you mean '{name}'?" in text


def test_a_known_column_beside_its_like_is_a_feature() -> None:
    assert told("model", "family", "params_b", "mmlu", "mmlu_2") == []


def test_a_rule_for_families_needs_no_column() -> None:
    for rule in ("from_name", {"a": "b"}, str.lower):
        assert told("model", "params_b", "mmlu", family=rule) == []


def test_a_header_alone_is_no_table() -> None:
    (text,) = told("model", "family", "params_b", "mmlu", rows=0)
    assert text == "a header and no rows; expected one row per model."
