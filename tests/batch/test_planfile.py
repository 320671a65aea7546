from __future__ import annotations

from pathlib import Path

import pytest

import lvkit as lv
from lvkit.batch.planfile import PlanFile, read_plan

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
        runs=({"n_skills": 3},),
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
