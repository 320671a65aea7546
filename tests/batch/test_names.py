from __future__ import annotations

import re
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lvkit.batch.names import run_names, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gemma-2 IT", "gemma-2-it"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("../../x", "x"),
        ("C:\\con", "c-con"),
        ("Qwen2.5/éà", "qwen2-5-ea"),
        ("模型", ""),
        ("..", ""),
    ],
)
def test_a_slug_is_letters_digits_and_hyphens(text: str, expected: str) -> None:
    assert slug(text) == expected


values = st.one_of(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


@given(st.lists(st.dictionaries(st.text(min_size=1), values, max_size=3), unique_by=repr))
def test_names_are_short_different_and_never_a_path(runs: list[dict[str, Any]]) -> None:
    names = run_names(runs, "../me")
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?", name) for name in names)
    distinct = {repr(sorted(run.items())) for run in runs}
    assert len({*names}) == len(distinct)


def test_names_do_not_depend_on_the_other_runs_unless_they_are_alike() -> None:
    alone = run_names([{"about": "gemma", "budget": 1e23}], "family")
    among = run_names([{"about": "opt", "budget": 1e23}, {"about": "gemma", "budget": 1e23}], "")
    assert alone == ["about-gemma-budget-1e23"] == among[1:]


def test_a_file_is_called_by_its_own_name() -> None:
    assert run_names([{"data": "/some/where/Scores 1.csv"}], "") == ["data-scores-1-csv"]


def test_a_run_of_which_nothing_is_told_has_the_notebooks_name() -> None:
    assert run_names([{}], "My notebook") == ["my-notebook"]
    assert run_names([{}], "模型") == ["run"]


def test_long_names_are_cut_and_marked() -> None:
    one, other = run_names([{"a": "x" * 99}, {"a": "x" * 98 + "y"}], "")
    assert len(one) == len(other) == 60
    assert one[:40] == other[:40]
    assert one != other
