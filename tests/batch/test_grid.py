from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from golden import Message
from hypothesis import given
from tiny import write_notebook

import lvkit as lv
from lvkit.batch import grid as module
from lvkit.batch.grid import run_names, slug
from lvkit.batch.notebook import Source, open_notebook, open_template
from lvkit.batch.one_run import Run
from lvkit.batch.spec import Spec

CELL = "x: int = 1\nname: str = ''\nrate: float = 0.5\nneeded: str"


def planned_runs(
    source: Source,
    fixed: dict[str, Any] | None = None,
    grid: dict[str, list[Any]] | None = None,
    runs: Iterable[dict[str, Any]] = (),
) -> list[Run]:
    return module.planned_runs(Spec(source, fixed or {}, grid or {}, tuple(runs)))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return open_notebook(write_notebook(tmp_path, parameters=CELL))


def test_every_combination_is_a_run_with_all_values(source: Source) -> None:
    runs = planned_runs(source, {"needed": "y"}, {"x": [1, 2], "rate": [0.1, 3]})
    assert [run.name for run in runs] == [
        "x-1-rate-0-1", "x-1-rate-3", "x-2-rate-0-1", "x-2-rate-3",
    ]  # fmt: skip
    assert runs[3].parameters == {"x": 2, "name": "", "rate": 3, "needed": "y"}
    assert runs[3].chosen == {"x", "rate", "needed"}
    assert runs[3].varied == {"x": 2, "rate": 3}
    assert runs[3].title == "Tiny (x = 2, rate = 3)"


def test_runs_told_one_by_one_are_crossed_with_the_grid(source: Source) -> None:
    rows = [{"needed": "a"}, {"needed": "b", "x": 5}]
    runs = planned_runs(source, {}, {"rate": [0.1, 0.2]}, rows)
    told = [(run.parameters["needed"], run.parameters["x"]) for run in runs]
    assert told == [("a", 1), ("a", 1), ("b", 5), ("b", 5)]


def test_without_lists_there_is_one_run() -> None:
    (run,) = planned_runs(open_template("report"), {"data": "/a/b.csv"})
    assert (run.name, run.title) == ("report", "lvkit report: b.csv")


def test_a_default_that_the_notebook_computes_is_left_to_it(tmp_path: Path) -> None:
    cell = "x = 1\nbudget = 10**22\nsizes = (1, 2)\nnames = {'a'}"
    notebook = open_notebook(write_notebook(tmp_path, parameters=cell))
    assert planned_runs(notebook)[0].parameters == {"x": 1}
    (run,) = planned_runs(notebook, {"budget": 3})
    assert run.parameters == {"x": 1, "budget": 3}


def test_numbers_of_numpy_become_plain_ones(source: Source) -> None:
    (run,) = planned_runs(source, {"needed": "", "rate": np.float64(0.25)})
    assert type(run.parameters["rate"]) is float


@pytest.mark.parametrize(
    ("fixed", "grid", "rows"),
    [
        ({"nmae": "a"}, {}, []),
        ({"x": "1"}, {}, []),
        ({"x": True}, {}, []),
        ({"rate": None}, {}, []),
        (
            {"rate": float("nan")},
            {},
            [],
        ),
        ({"name": datetime.date(2026, 1, 1)}, {}, []),
        ({}, {"x": [1, "2"]}, []),
        ({}, {"x": []}, []),
        ({"x": 1}, {"x": [2]}, []),
        ({}, {"x": [2]}, [{"x": 3}]),
        ({}, {}, [{"y": 3}]),
        ({}, {"x": [1, 2, 1]}, []),
        ({}, {"x": [1, 2]}, [{}, {"name": ""}]),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    fixed: dict[str, Any],
    grid: dict[str, list[Any]],
    rows: list[dict[str, Any]],
    message: Message,
    source: Source,
) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        planned_runs(source, {"needed": "y"} | fixed, grid, rows)
    message(caught.value)


def test_a_parameter_of_another_template_is_told_with_the_template() -> None:
    told = r"The template 'report' has: anchors, .*; the template 'family' has 'about': template="
    with pytest.raises(lv.LvkitError, match=told):
        planned_runs(open_template("report"), grid={"about": ["qwen2"]})
    with pytest.raises(lv.LvkitError, match=r"'family' has: about, .*seed, .*\. Did you mean"):
        planned_runs(open_template("family"), {"sede": 1})


def test_a_notebook_without_a_parameters_cell_is_told_to_need_one(tmp_path: Path) -> None:
    path = write_notebook(tmp_path)
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    told = "no cell tagged 'parameters'; tag the one that assigns x"
    with pytest.raises(lv.LvkitError, match=told):
        planned_runs(open_notebook(path), {"x": 1})


def test_a_value_that_is_missing_is_told(source: Source) -> None:
    told = "'needed': no value, and the notebook has no default; expected a text"
    with pytest.raises(lv.LvkitError, match=told):
        planned_runs(source)
    with pytest.raises(lv.LvkitError, match=told):
        planned_runs(source, runs=[{"needed": "y"}, {"x": 2}])


def test_all_that_is_wrong_is_told_in_one_list_and_once(source: Source) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        planned_runs(source, {"x": "a", "z": 1}, {"rate": ["b", "b"], "name": []})
    places = [problem.where for problem in caught.value.problems]
    assert sorted(places) == [
        "grid, parameter 'name'",
        "parameter 'needed'",
        "parameter 'rate'",
        "parameter 'x'",
        "parameter 'z'",
    ]


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    "value",
    [10**5000, float("inf"), "\ud800", ENDLESS, {"a": ENDLESS}],
    ids=["digits", "inf", "surrogate", "endless", "endless inside"],
)
def test_values_that_cannot_be_written_are_refused_with_all_others(
    value: Any, source: Source
) -> None:
    full = source.in_full({"x": value}, ".")
    with pytest.raises(lv.LvkitError) as caught:
        planned_runs(source, {"y": 1, "needed": ""}, {"x": [1, full["x"]]})
    assert len(caught.value.problems) == 2
    assert len(str(caught.value)) < 1000


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
