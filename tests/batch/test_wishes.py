from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tiny import write_notebook

import lvkit as lv
from lvkit.batch.planfile import PlanFile
from lvkit.batch.source import open_notebook, open_template
from lvkit.batch.wishes import Wishes, chosen_source, typed


def test_without_a_word_it_is_the_usual_report() -> None:
    assert chosen_source(None, None, PlanFile()).name == "report"
    assert chosen_source(None, None, PlanFile(template="family")).name == "family"
    assert chosen_source("family", None, PlanFile(template="family")).name == "family"


def test_a_notebook_that_only_the_plan_names_is_not_run(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path)
    plan = PlanFile(notebook=str(notebook))
    told = "not lvkit's own. Running a notebook runs its author's code .* notebook='"
    with pytest.raises(lv.LvkitError, match=told):
        chosen_source(None, None, plan)
    assert chosen_source(None, notebook, plan).name == "tiny"


def test_another_notebook_than_the_plans_is_refused(tmp_path: Path) -> None:
    plan = PlanFile(notebook=str(write_notebook(tmp_path)))
    other = write_notebook(tmp_path, name="other")
    with pytest.raises(lv.LvkitError, match="expected the same notebook"):
        chosen_source(None, other, plan)


@pytest.mark.parametrize(
    ("template", "notebook", "plan", "told"),
    [
        ("report", "x.ipynb", PlanFile(), "both a template and a notebook"),
        ("report", None, PlanFile(notebook="/x.ipynb"), "the plan names a notebook"),
        ("report", None, PlanFile(template="family"), "got 'report', and the plan says 'family'"),
        (None, "x.ipynb", PlanFile(template="family"), "the plan is for the template 'family'"),
    ],
)
def test_words_that_do_not_agree_are_refused(
    template: str | None, notebook: str | None, plan: PlanFile, told: str
) -> None:
    with pytest.raises(lv.LvkitError, match=told):
        chosen_source(template, notebook, plan)


def test_what_is_said_on_the_spot_comes_on_top_of_the_plan(tmp_path: Path) -> None:
    source = open_template("report")
    plan = PlanFile(
        parameters={"seed": 1, "clip": 0.01, "data": "a.csv"},
        grid={"n_skills": [1, 2]},
        folder=tmp_path,
    )
    wishes = Wishes.gathered(source, plan, {"seed": 2}, {"floor": ("none", "chance")}, [])
    assert wishes.fixed == {"seed": 2, "clip": 0.01, "data": str(tmp_path / "a.csv")}
    assert wishes.grid == {"n_skills": [1, 2], "floor": ["none", "chance"]}


@pytest.mark.parametrize(
    ("plan", "grid", "runs", "told"),
    [
        (PlanFile(grid={"seed": [1]}), {"seed": [2]}, [], "'seed': got two lists"),
        (PlanFile(parameters={"seed": 1}), {"seed": [2]}, [], "a list here, and a value in the"),
        (PlanFile(runs=({"seed": 1},)), {}, [{"seed": 2}], "got runs here and in the plan"),
        (PlanFile(), {"floor": "none"}, [], "'floor': got 'none'; expected a list of values"),
        (PlanFile(), {"seed": 3}, [], "'seed': got 3; expected a list of values"),
    ],
)
def test_lists_that_are_told_twice_or_are_none_are_refused(
    plan: PlanFile, grid: dict[str, Any], runs: list[dict[str, Any]], told: str
) -> None:
    with pytest.raises(lv.LvkitError, match=told):
        Wishes.gathered(open_template("report"), plan, {}, grid, runs)


def plans_with(name: str, value: str, folder: Path) -> list[PlanFile]:
    return [
        PlanFile(parameters={name: value}, folder=folder),
        PlanFile(grid={name: ["", value]}, folder=folder),
        PlanFile(runs=({}, {name: value}), folder=folder),
    ]


@pytest.mark.parametrize(
    "place",
    [
        "/elsewhere/fits",
        "..",
        "../fits",
        "fits/../../fits",
        "fits/../fits",
        "link",
        "link/fits",
    ],
)
@pytest.mark.parametrize("own", [True, False], ids=["template", "notebook"])
def test_a_plan_file_has_nothing_written_outside_its_folder(
    own: bool, place: str, tmp_path: Path
) -> None:
    folder = tmp_path / "plans"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    mine = open_notebook(write_notebook(tmp_path, parameters="cache: str = ''"))
    source = open_template("family") if own else mine
    for plan in plans_with("cache", place, folder):
        with pytest.raises(lv.LvkitError, match="leads out of the plan file's folder") as caught:
            Wishes.gathered(source, plan, {}, {}, [])
        assert caught.value.problems[0].where == "plan, parameter 'cache'"
    typed_by_the_user = Wishes.gathered(source, PlanFile(folder=folder), {"cache": place}, {}, [])
    assert "cache" in typed_by_the_user.fixed
    assert [*tmp_path.rglob("fits")] == []


@pytest.mark.parametrize("place", ["fits", "deep/er/fits", "./fits", "inside/fits", "..fits"])
def test_a_plan_file_may_keep_fits_beside_it(place: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "inside").symlink_to(tmp_path / "real")
    for plan in plans_with("cache", place, tmp_path):
        Wishes.gathered(open_template("report"), plan, {}, {}, [])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["data", "benchmarks", "fit", "family"])
def test_a_plan_file_names_no_device_and_no_pipe(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in ("pipe", os.devnull):
        for plan in plans_with(name, place, tmp_path):
            with pytest.raises(lv.LvkitError, match=f"plan, parameter '{name}': got .*a file"):
                Wishes.gathered(open_template("family"), plan, {}, {}, [])
    for place in ("none.csv", "a\0b", "from_name"):
        for plan in plans_with(name, place, tmp_path):
            Wishes.gathered(open_template("family"), plan, {}, {}, [])


def test_a_value_for_what_is_a_list_in_the_plan_is_refused_as_such() -> None:
    told = "^parameter 'seed': got a value here, and a list in the plan's grid"
    with pytest.raises(lv.LvkitError, match=told):
        Wishes.gathered(open_template("report"), PlanFile(grid={"seed": [1]}), {"seed": 2}, {}, [])


def test_a_list_without_its_bracket_is_refused_with_its_parameter() -> None:
    with pytest.raises(lv.LvkitError, match=r"grid, parameter 'unknown': got '\[\"a\"'"):
        typed(open_template("report"), [("unknown", '["a"')], lists=True)


def test_what_was_typed_is_read_by_the_notebooks_types() -> None:
    source = open_template("report")
    pairs = [("seed", "3"), ("family", "3"), ("anchors", '{"a": "mmlu"}'), ("unknown", "4")]
    found = typed(source, pairs)
    assert found == {"seed": 3, "family": "3", "anchors": {"a": "mmlu"}, "unknown": 4}


def test_a_parameter_that_is_typed_twice_is_refused() -> None:
    with pytest.raises(lv.LvkitError, match="'seed': given twice"):
        typed(open_template("report"), [("seed", "1,2"), ("seed", "3")], lists=True)
