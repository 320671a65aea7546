from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

import lvkit as lv
from lvkit.batch.parameters import COMPUTED, NO_DEFAULT, Parameter, as_json, read_parameters

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
