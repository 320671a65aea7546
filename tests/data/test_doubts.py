from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lvkit.data.doubts import doubtful_features, note_on_doubts, raw_count


def doubted(*cells: Any) -> bool:
    return list(doubtful_features(pd.DataFrame({"own": list(cells)}), ())) == ["own"]


@pytest.mark.parametrize(
    "cells",
    [
        (0.2, 0.4, 0.9),
        (0.2, None, 1.0),
        (0, 0.5, 1),
        (1, "0.5", None),
        ("0.25", "NA", " 0.5 "),
        (1.0000000000000002, 0.5, -1e-17),
    ],
)
def test_numbers_from_0_to_1_look_like_a_benchmark(cells: tuple[Any, ...]) -> None:
    assert doubted(*cells)


@pytest.mark.parametrize(
    "cells",
    [
        (True, False, True),
        (0, 1, 1),
        (0.0, 1.0, None),
        (1.0, 1.0, 1.0),
        (2023.0, 2024.0, 0.5),
        (-0.1, 0.5, 0.6),
        (0.5, "x", 0.7),
        (None, None, None),
        ("a", "b", "c"),
    ],
    ids=str,
)
def test_flags_text_and_other_numbers_do_not(cells: tuple[Any, ...]) -> None:
    assert not doubted(*cells)


def test_what_is_settled_is_not_doubted() -> None:
    frame = pd.DataFrame({"own": [0.2, 0.4], "other": [0.2, 0.4]})
    assert list(doubtful_features(frame, {"own"})) == ["other"]


def test_several_columns_are_told_in_one_note() -> None:
    note = note_on_doubts(["a", "b"])
    assert note.startswith("columns 'a', 'b': numbers from 0 to 1")
    assert "benchmarks={'a': 0.25, 'b': 0.25}" in note
    assert "benchmarks={'a': None, 'b': None}" in note


def test_many_columns_are_counted() -> None:
    note = note_on_doubts([f"c{i}" for i in range(9)])
    assert "'c4' and 4 more" in note
    assert "c5" not in note


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
