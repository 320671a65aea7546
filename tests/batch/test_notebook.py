from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny import notebook_text, write_notebook

import lvkit as lv
from lvkit.batch.notebook import (
    COMPUTED,
    NO_DEFAULT,
    TEMPLATES,
    Parameter,
    as_json,
    open_notebook,
    open_template,
    read_parameters,
    templates_with,
)


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


CELL = """import math
n: int = 3  # how many
rate: "float" = 0.5
names: list[str] = ["a", "b"]  # who
more: dict = {}
flag = True
maybe: str | None = None
perhaps: Optional[int] = 2
either: Union[int, str] = 1
where: Path = "x"
limit: float = math.inf
plain = 4
free = None
both = again = "y"
needed: str
"""


def parameter(annotation: str, default: str = "...") -> Parameter:
    (found,) = read_parameters(f"it: {annotation} = {default}")
    return found


def test_a_cell_tells_names_types_defaults_and_help() -> None:
    found = {p.name: p for p in read_parameters(CELL)}
    assert list(found)[:5] == ["n", "rate", "names", "more", "flag"]
    assert found["n"] == Parameter("n", frozenset({"int"}), 3, "how many")
    assert found["rate"].kinds == {"float"}
    assert (found["names"].kinds, found["names"].help) == ({"list"}, "who")
    assert found["more"].default == {}
    assert found["flag"].kinds == {"bool"}
    assert found["both"].default == found["again"].default == "y"


def test_a_type_may_be_one_of_several_or_not_told() -> None:
    found = {p.name: p.kinds for p in read_parameters(CELL)}
    assert found["maybe"] == {"str", "NoneType"}
    assert found["perhaps"] == {"int", "NoneType"}
    assert found["either"] == {"int", "str"}
    assert found["plain"] == {"int", "float"}
    assert found["where"] == found["free"] == frozenset()


def test_a_parameter_without_a_value_is_required_and_a_computed_one_is_not() -> None:
    found = {p.name: p for p in read_parameters(CELL)}
    assert found["needed"].default is NO_DEFAULT
    assert [name for name, p in found.items() if p.is_required] == ["needed"]
    assert found["limit"].default is COMPUTED


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("x = 1", True),
        ("x = None", True),
        ("x = [1, 'a']", True),
        ("x: float", False),
        ("x = 10**22", False),
        ("x = (1, 2)", False),
        ("x = {1, 2}", False),
        ("x = {1: 2}", False),
        ("x = 1e999", False),
    ],
)
def test_a_default_that_json_does_not_bring_back_is_left_to_the_notebook(
    cell: str, plain: bool
) -> None:
    (found,) = read_parameters(cell)
    assert found.has_plain_default is plain


@pytest.mark.parametrize(
    ("annotation", "value", "accepted"),
    [
        ("int", 3, True),
        ("int", 3.0, False),
        ("int", True, False),
        ("float", 3, True),
        ("float", 1e23, True),
        ("float", True, False),
        ("float", "3", False),
        ("bool", True, True),
        ("bool", 1, False),
        ("str", "", True),
        ("str", None, False),
        ("str | None", None, True),
        ("list[int]", [1], True),
        ("dict[str, int]", [1], False),
        ("Anything", [None], True),
    ],
)
def test_values_are_held_against_the_type(annotation: str, value: Any, accepted: bool) -> None:
    assert parameter(annotation).accepts(value) is accepted


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "12", "12"),
        ("str", "a=b", "a=b"),
        ("int", "12", 12),
        ("float", "1e23", 1e23),
        ("float", ".5", 0.5),
        ("bool", "true", True),
        ("bool", "True", True),
        ("str | None", "null", None),
        ("str | None", "some", "some"),
        ("dict", '{"a": "mmlu"}', {"a": "mmlu"}),
        ("list", "['a', 'b']", ["a", "b"]),
        ("int", "many", "many"),
        ("Anything", "3", 3),
        ("Anything", "three", "three"),
    ],
)
def test_what_was_typed_becomes_a_value(annotation: str, text: str, value: Any) -> None:
    assert parameter(annotation).read(text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "values"),
    [
        ("str", "a, b", ["a", "b"]),
        ("str", '["a,b", "c"]', ["a,b", "c"]),
        ("float", "1e22,2", [1e22, 2]),
        ("dict", '[{"a": "b"}, {}]', [{"a": "b"}, {}]),
        ("list", "[1],[2, 3]", [[1], [2, 3]]),
        ("str", " ", []),
    ],
)
def test_what_was_typed_becomes_a_list_of_values(
    annotation: str, text: str, values: list[Any]
) -> None:
    assert parameter(annotation).read_list(text) == values


@pytest.mark.parametrize("text", ['["qwen2","nosuch"', "[not, a list", ' ["a", b]', "[1]2"])
def test_what_begins_as_a_list_and_is_none_is_not_split_at_its_commas(text: str) -> None:
    with pytest.raises(lv.LvkitError, match="grid, parameter 'it': got .* a list in JSON"):
        parameter("str").read_list(text)


def test_what_is_expected_is_told_in_words() -> None:
    assert parameter("float | None").expected == "a number or nothing (null)"
    assert parameter("Anything").expected == "a value of JSON's types"


def test_a_cell_that_is_not_python_is_refused_with_the_remedy() -> None:
    with pytest.raises(lv.LvkitError, match="not plain Python.*Keep magics"):
        read_parameters("%matplotlib inline\nx = 1")


def test_values_are_as_they_come_back_from_json() -> None:
    assert as_json({"a": (1, 2.5)}) == {"a": [1, 2.5]}


@pytest.mark.parametrize("value", [math.nan, math.inf, datetime.date(2026, 1, 1), {1, 2}])
def test_values_that_json_does_not_know_are_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        as_json(value)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [10**5000, [10**5000], {"a": float("inf")}, float("nan"), "\ud800", {"\udcff": 1},
     nested(60), nested(5000), {1}, b"x"],
    ids=["digits", "digits inside", "inf", "nan", "surrogate", "key", "deep", "deeper", "set", "b"],
)  # fmt: skip
def test_a_value_that_cannot_be_written_is_known_at_once(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        as_json(value)


def test_a_number_beyond_floats_is_none_where_floats_are_taken() -> None:
    rate, count, any_number = read_parameters("rate: float = 0.5\ncount: int = 0\nx = 0")
    for value in (10**310, -(10**310)):
        assert not rate.accepts(value)
        assert count.accepts(value)
        assert any_number.accepts(value)
    assert rate.accepts(10**308)


@pytest.mark.parametrize(
    "source",
    ["x = 1\0", f"x = {'(' * 5000}{')' * 5000}", f"x = {'9' * 5000}", f"x = {'-' * 100_000}1"],
    ids=["null byte", "parentheses", "digits", "signs"],
)  # fmt: skip
def test_a_cell_that_python_cannot_read_is_refused(source: str) -> None:
    with pytest.raises(lv.LvkitError, match="parameters cell: the cell is not plain Python"):
        read_parameters(source)


def test_an_annotation_may_be_any_text() -> None:
    (parameter,) = read_parameters("x: 'a number, > 0' = 1")
    assert parameter.kinds == frozenset()
