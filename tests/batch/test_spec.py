from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from golden import Message
from tiny import write_notebook

import lvkit as lv
from lvkit.batch.notebook import open_notebook, open_template
from lvkit.batch.spec import PlanFile, Spec, chosen_source, read_plan, typed


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
    ("template", "notebook", "plan"),
    [
        ("report", "x.ipynb", PlanFile()),
        ("report", None, PlanFile(notebook="/x.ipynb")),
        ("report", None, PlanFile(template="family")),
        (None, "x.ipynb", PlanFile(template="family")),
    ],
)
def test_words_that_do_not_agree_are_refused(
    template: str | None, notebook: str | None, plan: PlanFile, message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        chosen_source(template, notebook, plan)
    message(caught.value)


def test_what_is_said_on_the_spot_comes_on_top_of_the_plan(tmp_path: Path) -> None:
    source = open_template("report")
    plan = PlanFile(
        parameters={"seed": 1, "clip": 0.01, "data": "a.csv"},
        grid={"n_skills": [1, 2]},
        folder=tmp_path,
    )
    wishes = Spec.from_plan(source, plan).plus({"seed": 2}, {"floor": ("none", "chance")}, [])
    assert wishes.fixed == {"seed": 2, "clip": 0.01, "data": str(tmp_path / "a.csv")}
    assert wishes.grid == {"n_skills": [1, 2], "floor": ["none", "chance"]}


@pytest.mark.parametrize(
    ("plan", "grid", "runs"),
    [
        (PlanFile(grid={"seed": [1]}), {"seed": [2]}, []),
        (PlanFile(parameters={"seed": 1}), {"seed": [2]}, []),
        (PlanFile(runs=({"seed": 1},)), {}, [{"seed": 2}]),
        (PlanFile(), {"floor": "none"}, []),
        (PlanFile(), {"seed": 3}, []),
    ],
)
def test_lists_that_are_told_twice_or_are_none_are_refused(
    plan: PlanFile, grid: dict[str, Any], runs: list[dict[str, Any]], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        Spec.from_plan(open_template("report"), plan).plus({}, grid, runs)
    message(caught.value)


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
            Spec.from_plan(source, plan)
        assert caught.value.problems[0].where == "plan, parameter 'cache'"
    by_hand = Spec.from_plan(source, PlanFile(folder=folder)).plus({"cache": place}, {}, [])
    assert "cache" in by_hand.fixed
    assert [*tmp_path.rglob("fits")] == []


@pytest.mark.parametrize("place", ["fits", "deep/er/fits", "./fits", "inside/fits", "..fits"])
def test_a_plan_file_may_keep_fits_beside_it(place: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "inside").symlink_to(tmp_path / "real")
    for plan in plans_with("cache", place, tmp_path):
        Spec.from_plan(open_template("report"), plan)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["data", "benchmarks", "fit", "family"])
def test_a_plan_file_names_no_device_and_no_pipe(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in ("pipe", os.devnull):
        for plan in plans_with(name, place, tmp_path):
            with pytest.raises(lv.LvkitError, match=f"plan, parameter '{name}': got .*a file"):
                Spec.from_plan(open_template("family"), plan)
    for place in ("none.csv", "a\0b", "from_name"):
        for plan in plans_with(name, place, tmp_path):
            Spec.from_plan(open_template("family"), plan)


def test_a_value_for_what_is_a_list_in_the_plan_is_refused_as_such() -> None:
    told = "^parameter 'seed': got a value here, and a list in the plan's grid"
    with pytest.raises(lv.LvkitError, match=told):
        Spec.from_plan(open_template("report"), PlanFile(grid={"seed": [1]})).plus(
            {"seed": 2}, {}, []
        )


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


TOML = """
template = "family"
[parameters]
data = "scores.csv"
level = 0.9
[grid]
about = ["gemma-2", "qwen2.5"]
budget = [1e22, 1e23]
[[runs]]
n_skills = 3
"""
YAML = """
template: family
parameters: {data: scores.csv, level: 0.9}
grid:
  about: [gemma-2, qwen2.5]
  budget: [1e22, 1e+23]
runs:
  - n_skills: 3
"""


def written(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "name"), [(TOML, "p.toml"), (YAML, "p.yaml"), (YAML, "p.YML")])
def test_toml_and_yaml_say_the_same(text: str, name: str, tmp_path: Path) -> None:
    assert read_plan(written(tmp_path, text, name)) == PlanFile(
        template="family",
        parameters={"data": "scores.csv", "level": 0.9},
        grid={"about": ["gemma-2", "qwen2.5"], "budget": [1e22, 1e23]},
        runs=[{"n_skills": 3}],
        folder=tmp_path,
    )


@pytest.mark.parametrize("name", ["p.toml", "p.yaml"])
def test_the_mark_that_windows_begins_a_text_with_is_passed_over(name: str, tmp_path: Path) -> None:
    text = "\ufeff" + (TOML if name == "p.toml" else YAML)
    assert read_plan(written(tmp_path, text, name)).template == "family"


def test_a_notebook_is_found_from_where_the_plan_is(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, 'notebook = "mine.ipynb"', "p.toml"))
    assert plan.notebook == str(tmp_path / "mine.ipynb")


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("gird = {}", "p.toml", "gird: unknown key.*Did you mean 'grid'"),
        ('output = "/etc"', "p.toml", "output: unknown key"),
        ("template = 3", "p.toml", "template: got 3; expected a text"),
        ("grid = [1]", "p.toml", r"grid: got \[1\]; expected a table of parameters"),
        ('[grid]\nabout = "a,b"', "p.toml", "grid, about: got 'a,b'; expected a list of values"),
        ("runs = [3]", "p.toml", "runs, number 1: got 3; expected a table"),
        ('template = "report"\nnotebook = "x"', "p.toml", "got both template and notebook"),
        ("[grid]\na = [1]\na = [2]", "p.toml", "cannot read the plan .*overwrite"),
        ("grid:\n  a: [1]\n  a: [2]", "p.yaml", "the key 'a' comes twice"),
        ("a: [", "p.yaml", "cannot read the plan"),
        ("!!python/object/apply:os.system ['true']", "p.yaml", "cannot read the plan"),
        ("parameters:\n  x: &a [*a]", "p.yaml", "a plan has no aliases"),
        ("parameters: {x: " + "[" * 9999, "p.yaml", "cannot read the plan"),
        ("- 1", "p.yaml", "the plan has no keys"),
        ("x", "p.json", "got the ending '.json'; expected .toml"),
    ],
)
def test_a_faulty_plan_is_refused_with_what_is_wrong(
    text: str, name: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(lv.LvkitError, match=told):
        read_plan(written(tmp_path, text, name))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        read_plan(written(tmp_path, "gird = 1\nruns = 2\ntemplate = 3", "p.toml"))
    assert len(caught.value.problems) == 3


def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError, match="cannot read the plan"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "p.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(lv.LvkitError, match="not text in UTF-8"):
        read_plan(tmp_path / "p.toml")


def test_without_pyyaml_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(lv.LvkitError, match="or write the plan in TOML"):
        read_plan(written(tmp_path, YAML, "p.yaml"))


@pytest.mark.parametrize(
    "value", ["!!int ''", "!!float ''", "!!int '-'", "!!bool maybe", "!!timestamp monday"]
)
def test_a_value_that_is_not_what_its_tag_says_is_refused(value: str, tmp_path: Path) -> None:
    plan = written(tmp_path, f"parameters: {{seed: {value}}}", "p.yaml")
    with pytest.raises(lv.LvkitError, match=r"cannot read the plan \(.*its tag"):
        read_plan(plan)
