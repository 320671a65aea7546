from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data import known_benchmarks
from lvkit.errors import LvkitError
from lvkit.reading.header import (
    asked_benchmarks,
    asked_features,
    benchmark_table,
    header_problems,
)

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
