from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.panel import Panel
from lvkit.data.read import check_file
from lvkit.data.unknown_columns import date_notes, unknown_column_notes
from lvkit.errors import LvkitWarning

PERCENT = [12.5, 33.3, 41.0, 80.1, 64.25]


def notes(name: str, cells: list[Any], settled: tuple[str, ...] = ()) -> list[str]:
    return list(unknown_column_notes(pd.DataFrame({name: cells}), settled))


@pytest.mark.parametrize("name", ["chess", "my_bench", "BoolQ", "MATH-500"])
def test_scores_in_percent_get_a_note_with_both_remedies(name: str) -> None:
    (note,) = notes(name, [*PERCENT, None])
    assert note.startswith(f"column '{name}': numbers from 0 to 100 but no chance level")
    for remedy in (
        f"benchmarks={{'{name}': 0.25}}",
        f"benchmarks={{'{name}': None}}",
        "--benchmarks",
    ):
        assert remedy in note
    assert notes(name, PERCENT, (name,)) == []


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("layers", [12, 24, 32, 80, 96]),
        ("cost_usd", PERCENT),
        ("CO\u2082 cost (kg)", PERCENT),
        ("active_params_b", PERCENT),
        ("score", [1.5, 2.5, 3.1, 7.2]),
        ("score", [12.5, 33.3, 41.1]),
        ("score", [*PERCENT, 100.5]),
        ("score", [*PERCENT, -0.5]),
        ("open", [True, False, True, True]),
        ("year", [2023.5, 2024.1, 2024.2, 2024.6]),
    ],
)
def test_other_numbers_are_features(name: str, cells: list[Any]) -> None:
    assert notes(name, cells) == []


@pytest.mark.parametrize("name", ["mmlu_stderr", "acc_stderr,none", "chess se", "BBH (std)"])
@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_standard_errors_are_not_advised_to_be_benchmarks(name: str, scale: float) -> None:
    (note,) = notes(name, [0.3 * scale, 0.4 * scale, 21.5 * scale, 0.2 * scale])
    assert "standard error" in note
    assert "0.25" not in note
    assert f"benchmarks={{{name!r}: None}}" in note


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["45,1", "12,5", "80,2", "33,1"], "'45,1'"),
        (["45.1%", "12.5 %", "80.2%", "33%"], "'45.1%'"),
        (["45.1", "12.5", "80.2", "33.1", "n/a*"], "'n/a*'"),
    ],
)
def test_numbers_that_became_text_get_a_note(cells: list[str], shown: str) -> None:
    (note,) = notes("chess", cells)
    assert f"such as {shown}, cannot be read as a number" in note


@pytest.mark.parametrize(
    "cells", [["a", "b", "1", "2"], ["7", "x", "", "y"], ["1", "2"], list("abcd")]
)
def test_text_is_a_feature(cells: list[str]) -> None:
    assert notes("note", cells) == []


# -- dates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "2023-05",
        "2024-02-29",
        "2024/2/29",
        "2024-02-29T08:00:00Z",
        "29.02.2024",
        "2/29/24",
        "Feb 2024",
        "february 29, 2024",
        "29 Feb 2024",
        "29-Feb-24",
        "Sept. 2023",
        "2024Q1",
        "Q1 2024",
        20240229.0,
    ],
)
def test_a_column_of_dates_gets_a_note(cell: Any) -> None:
    (note,) = date_notes(pd.DataFrame({"released": [cell, None]}), ())
    assert note.startswith("column 'released': dates, such as ")
    assert "such as the year" in note
    assert list(date_notes(pd.DataFrame({"released": [cell]}), ("released",))) == []


@pytest.mark.parametrize(
    "cell",
    ["1.2.24", "2023", 2023.0, "2024-13", "v2024-05", "mar", "1/2", "llama-2", 12345678.0, True],
)
def test_other_cells_are_no_dates(cell: Any) -> None:
    assert list(date_notes(pd.DataFrame({"own": [cell, cell]}), ())) == []


def table() -> pd.DataFrame:
    rows = range(5)
    columns = {"model": [f"m{i}" for i in rows], "family": "f", "params_b": 1.0, "mmlu": 0.5}
    return pd.DataFrame({**columns, "chess": PERCENT}, index=rows)


def test_a_table_with_scores_in_percent_is_read_with_a_warning() -> None:
    with pytest.warns(LvkitWarning, match="column 'chess': numbers from 0 to 100"):
        assert "chess" in Panel.from_frame(table()).models
    assert Panel.from_frame(table(), benchmarks={"chess": None}).n_benchmarks == 1


@pytest.mark.parametrize(
    "date", ["2024-01-31", datetime.date(2024, 1, 31), np.datetime64("2024-01-31")]
)
def test_check_reports_dates(date: Any) -> None:
    text = table().drop(columns="chess").assign(released=date).to_csv(index=False).encode()
    report = check_file("mine.csv", content=text)
    assert any("column 'released': dates, such as '2024-01-31'" in note for note in report.notes)
    quiet = check_file("mine.csv", content=text, benchmarks={"released": None})
    assert not any("dates" in note for note in quiet.notes)


# -- numbers from 0 to 1 ------------------------------------------------------------------------


def doubted(*cells: Any) -> bool:
    return any("numbers from 0 to 1 but" in note for note in notes("own", list(cells)))


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
    (note,) = unknown_column_notes(frame, {"own"})
    assert note.startswith("column 'other': ")


def test_several_columns_are_told_in_one_note() -> None:
    (note,) = unknown_column_notes(pd.DataFrame({"a": [0.2, 0.4], "b": [0.2, 0.4]}), ())
    assert note.startswith("columns 'a', 'b': numbers from 0 to 1")
    assert "benchmarks={'a': 0.25, 'b': 0.25}" in note
    assert "benchmarks={'a': None, 'b': None}" in note


def test_many_columns_are_counted() -> None:
    frame = pd.DataFrame({f"c{i}": [0.2, 0.4] for i in range(9)})
    (note,) = unknown_column_notes(frame, ())
    assert "'c4' and 4 more" in note
    assert "c5" not in note
