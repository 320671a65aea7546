from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import notebook_text, write_notebook

import lvkit as lv
from lvkit.batch.source import TEMPLATES, open_notebook, open_template, templates_with


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_can_be_opened_and_says_what_it_takes(name: str) -> None:
    source = open_template(name)
    assert source.own
    assert {"data", "seed", "cache"} <= {parameter.name for parameter in source.parameters}
    assert all(parameter.kinds and parameter.help for parameter in source.parameters)
    assert not any(parameter.is_required for parameter in source.parameters)


@pytest.mark.parametrize("name", ["famly", "../report", "00_start_here", ""])
def test_what_is_no_template_is_refused(name: str) -> None:
    with pytest.raises(lv.LvkitError, match="expected one of report, family"):
        open_template(name)


def test_the_nearest_template_is_told() -> None:
    with pytest.raises(lv.LvkitError, match="Did you mean 'family'"):
        open_template("famly")


def test_a_notebook_of_the_users_is_opened_without_being_run(tmp_path: Path) -> None:
    source = open_notebook(write_notebook(tmp_path, "1 / 0", name="my analysis"))
    assert (source.name, source.title, source.own) == ("my analysis", "Tiny", False)
    assert [parameter.name for parameter in source.parameters] == ["x"]
    assert source.n_cells == 3
    assert source.is_tagged


def test_templates_are_found_by_their_parameters() -> None:
    assert templates_with("about") == ["family"]
    assert templates_with("seed") == [*TEMPLATES]
    assert templates_with("nonsense") == []


def test_a_notebook_without_a_parameters_cell_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "bare.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["x = 1"]}]}))
    source = open_notebook(path)
    assert source.parameters == ()
    assert not source.is_tagged
    assert source.title == "bare"


def in_another_language() -> str:
    document = json.loads(notebook_text())
    document["metadata"]["kernelspec"] = {"name": "ir", "language": "R"}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "the file is not JSON; expected a Jupyter notebook in Python"),
        ("[]", "the file has no cells"),
        ('{"cells": [1]}', "the file has no cells"),
        (in_another_language(), "written in R"),
        (notebook_text(parameters="!ls"), r"parameters cell: the cell is not plain Python"),
    ],
    ids=["no JSON", "no notebook", "no cells", "another language", "no Python"],
)
def test_what_is_no_notebook_in_python_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_text(text)
    with pytest.raises(lv.LvkitError, match=f"mine.ipynb'.*{told}"):
        open_notebook(path)


def test_a_notebook_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError, match="cannot read the notebook"):
        open_notebook(tmp_path / "none.ipynb")


def test_files_are_told_in_full_and_other_texts_are_left(tmp_path: Path) -> None:
    for name in ("scores.csv", "gemma"):
        (tmp_path / name).write_text("")
    values = {"data": "scores.csv", "about": "gemma", "family": "from_name", "fit": ""}
    report, mine = open_template("report"), open_notebook(write_notebook(tmp_path))
    full = str(tmp_path / "scores.csv")
    assert report.in_full(values, tmp_path) == values | {"data": full}
    assert report.in_full({"data": "none.csv"}, tmp_path) == {"data": str(tmp_path / "none.csv")}
    assert mine.in_full({"y": ["scores.csv", "a\0b", 3]}, tmp_path) == {"y": [full, "a\0b", 3]}
    assert mine.in_full({"y": {"a": "scores.csv"}}, tmp_path) == {"y": {"a": full}}
    assert report.in_full({"cache": "fits"}, tmp_path) == {"cache": str(tmp_path / "fits")}
    assert report.in_full({"anchors": {"a": "gemma"}}, tmp_path) == {"anchors": {"a": "gemma"}}


def changed(**parts: object) -> str:
    return json.dumps(json.loads(notebook_text()) | parts)


def with_cell(**parts: object) -> str:
    document = json.loads(notebook_text())
    document["cells"][1] |= parts
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (changed(metadata=None), "its metadata are not a mapping"),
        (changed(metadata=[1]), "its metadata are not a mapping"),
        (changed(metadata={"kernelspec": "python3"}), "its metadata are not a mapping"),
        (changed(metadata={"language_info": [1]}), "its metadata are not a mapping"),
        (changed(nbformat="4"), "its nbformat is not a number"),
        (changed(cells=None), "the file has no cells"),
        (changed(cells={"a": 1}), "the file has no cells"),
        (with_cell(metadata=None), "cell 2: its metadata are not a mapping"),
        (with_cell(metadata={"tags": None}), "cell 2: its tags are not a list of texts"),
        (with_cell(metadata={"tags": "parameters"}), "cell 2: its tags are not a list of texts"),
        (with_cell(metadata={"tags": [1, {}]}), "cell 2: its tags are not a list of texts"),
        (with_cell(source=None), "cell 2: its source is neither a text"),
        (with_cell(source=[1]), "cell 2: its source is neither a text"),
        (with_cell(cell_type=None), "cell 2: it has no cell_type"),
        (with_cell(outputs=[None]), "cell 2: its outputs are not a list of mappings"),
        (with_cell(outputs="x"), "cell 2: its outputs are not a list of mappings"),
        ("[" * 100_000, "the file is not JSON"),
        (changed(x=1).replace('"x": 1', '"x": ' + "9" * 5000), "the file is not JSON"),
        ("null", "the file has no cells"),
    ],
)
def test_a_malformed_notebook_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_text(text)
    with pytest.raises(lv.LvkitError, match=f"mine.ipynb'.*{told}.*expected a Jupyter notebook"):
        open_notebook(path)


def test_a_notebook_without_any_metadata_can_be_opened(tmp_path: Path) -> None:
    document = json.loads(notebook_text())
    del document["metadata"]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(document))
    assert open_notebook(path).parameters
