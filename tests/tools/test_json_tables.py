from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest
from golden import Message, refused

from lvkit.tools.json_tables import (
    Cells,
    Maybe,
    Record,
    Table,
    Value,
    table_from_json,
    table_to_json,
)

TABLE = pd.DataFrame(
    {"a": [0.5, None], "b": [1, 2], "c": [True, False], "d": ["x", None]},
    index=pd.Index(["r", "s"], name="row"),
)
COLUMNS = {
    "a": Cells(float, missing=True, low=0.0, high=1.0),
    "b": Cells(int, low=0),
    "c": Cells(bool),
}
DECLARED = Table("row", None, Cells(str), COLUMNS, {"d": Cells(str, missing=True)})


def as_json(**changes: Any) -> Any:
    """The table as a file holds it, with some of its fields changed."""
    return json.loads(json.dumps(table_to_json(TABLE))) | changes


def test_a_table_comes_back_with_its_types_and_names() -> None:
    pd.testing.assert_frame_equal(table_from_json(as_json()), TABLE)


def test_flags_with_gaps_come_back() -> None:
    table = pd.DataFrame({"flag": pd.Series([True, None], dtype="boolean")})
    text = json.loads(json.dumps(table_to_json(table)))
    pd.testing.assert_frame_equal(table_from_json(text), table, check_index_type=False)


def test_a_table_as_declared_is_accepted() -> None:
    DECLARED.check(as_json(), "t")
    without = as_json()
    without["columns"] = without["columns"][:3]
    DECLARED.check(without, "t")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("a", [0.5, 1.5]),
        ("a", [0.5, math.nan]),
        ("a", [0.5, math.inf]),
        ("a", [0.5, 1]),
        ("a", [0.5, 10**400]),
        ("a", [0.5]),
        ("b", [1, -1]),
        ("b", [1, True]),
        ("b", [1, 2**63]),
        ("b", [1, None]),
        ("c", [True, 1]),
        ("d", ["x", 1]),
        ("d", ["x", ["y"]]),
        ("d", "xy"),
    ],
)
def test_other_cells_are_refused_with_the_name_of_the_column(
    column: str, values: Any, message: Message
) -> None:
    text = as_json()
    next(each for each in text["columns"] if each["name"] == column)["values"] = values
    with refused(kind=ValueError) as error:
        DECLARED.check(text, "t")
    message(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"index": ["r", "r"]},
        {"index": ["r", 1]},
        {"index": {}},
        {"index_name": "other"},
        {"columns_name": "other"},
        {"columns": []},
        {"columns": [[]]},
        {"more": 1},
    ],
)
def test_another_table_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="^t"):
        DECLARED.check(as_json(**changes), "t")


@pytest.mark.parametrize("dtype", ["U1000000000", "complex128", "datetime64[ns]", "category", ""])
def test_other_types_of_columns_are_refused(dtype: str, message: Message) -> None:
    text = as_json()
    text["columns"][3]["dtype"] = dtype
    with refused(kind=ValueError) as error:
        DECLARED.check(text, "t")
    message(error, "d")


def test_an_unknown_column_is_refused_unless_others_are_declared(message: Message) -> None:
    text = as_json()
    text["columns"][3]["name"] = "e"
    with refused(kind=ValueError) as error:
        DECLARED.check(text, "t")
    message(error, "e")
    Table("row", None, Cells(str), COLUMNS, others=Cells(missing=True)).check(text, "t")


def test_a_record_names_what_is_missing_and_what_is_unknown() -> None:
    number = Value("a number", lambda value: isinstance(value, float))
    record = Record({"a": number, "b": Maybe(number)}, frozenset({"b"}))
    record.check({"a": 1.0}, "r")
    record.check({"a": 1.0, "b": None}, "r")
    for value, message in [
        ({}, "r lacks a"),
        ({"a": 1.0, "c": 2}, "r holds the unknown"),
        ({"a": "x"}, "r, a: got 'x'; expected a number"),
        ([], "r: got a list"),
    ]:
        with pytest.raises(ValueError, match=message):
            record.check(value, "r")
