"""Tables as JSON, and declarations of what JSON from a file may hold.

A file can hold anything. What is read from one is compared with a declaration first: a
:class:`Record` for a mapping, a :class:`Table` for a table, a :class:`Value` for anything else.
What does not agree is refused with a ValueError that names the place.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

_KINDS: dict[str, type] = {
    "float64": float,
    "int64": int,
    "bool": bool,
    "boolean": bool,
    "str": str,
    "object": str,
    "string": str,
}
"""What the columns of each pandas type hold in JSON."""


class Check(Protocol):
    """A declaration of what a value may be."""

    def check(self, value: Any, where: str) -> None:
        """Raise a ValueError, which names `where`, for a value that does not agree."""


@dataclass(frozen=True)
class Value:
    """A value that a condition holds for.

    Attributes
    ----------
    expected : str
        The condition in words.
    holds : callable
        The condition.
    """

    expected: str
    holds: Callable[[Any], bool]

    def check(self, value: Any, where: str) -> None:
        """Raise a ValueError for a value that the condition does not hold for."""
        if not self.holds(value):
            raise ValueError(f"{where}: got {reprlib.repr(value)}; expected {self.expected}")


@dataclass(frozen=True)
class Maybe:
    """A value that may be missing."""

    rest: Check

    def check(self, value: Any, where: str) -> None:
        """Check a value unless it is None."""
        if value is not None:
            self.rest.check(value, where)


@dataclass(frozen=True)
class Record:
    """A mapping with fixed keys.

    Attributes
    ----------
    fields : mapping of str to Check
        What each key stands for.
    optional : frozenset of str
        Keys that may be absent.
    """

    fields: Mapping[str, Check]
    optional: frozenset[str] = frozenset()

    def check(self, value: Any, where: str) -> None:
        """Raise a ValueError for missing or foreign keys and for values that do not agree."""
        if not isinstance(value, dict):
            raise ValueError(f"{where}: got a {type(value).__name__}; expected a mapping")
        missing, foreign = self.fields.keys() - value - self.optional, value.keys() - self.fields
        if missing or foreign:
            what = f"lacks {', '.join(sorted(missing))}" if missing else ""
            more = f"holds the unknown {reprlib.repr(sorted(foreign))}" if foreign else ""
            raise ValueError(f"{where} {' and '.join(filter(None, (what, more)))}")
        for name, each in value.items():
            self.fields[name].check(each, f"{where}, {name}" if where != "the text" else name)


@dataclass(frozen=True)
class Cells:
    """What the cells of a column may be.

    Attributes
    ----------
    kind : type, optional
        ``float``, ``int``, ``bool`` or ``str``; None for any of them.
    missing : bool
        Whether a cell may be missing.
    low, high : float
        The range of numbers.
    """

    kind: type | None = None
    missing: bool = False
    low: float = -math.inf
    high: float = math.inf
    finite: bool = True

    def check_column(self, dtype: object, values: list[Any], where: str) -> None:
        """Raise a ValueError for a column that holds other cells."""
        kind = _KINDS.get(dtype) if isinstance(dtype, str) else None
        if kind is None or self.kind not in (None, kind):
            raise ValueError(f"{where}: its type is {reprlib.repr(dtype)}")
        present = [value for value in values if value is not None]
        if len(present) < len(values) and not self.missing:
            raise ValueError(f"{where}: a cell is missing")
        if set(map(type, present)) - {kind}:
            raise ValueError(f"{where}: not every cell is a {kind.__name__}")
        if kind is float and not all(
            self.low <= value <= self.high and (math.isfinite(value) or not self.finite)
            for value in present
        ):
            raise ValueError(f"{where}: a number is out of range")
        if kind is int and not all(
            max(self.low, -(2**63)) <= value <= min(self.high, 2**63 - 1) for value in present
        ):
            raise ValueError(f"{where}: a number is out of range")


@dataclass(frozen=True)
class Table:
    """A table as :func:`table_to_json` writes it.

    Attributes
    ----------
    index_name, columns_name : str, optional
        The names of its axes.
    index : Cells
        What its index holds; every label is there once.
    columns : mapping of str to Cells
        The columns that it has, whatever their order.
    optional : mapping of str to Cells
        Columns that it may have.
    others : Cells, optional
        What all further columns hold; None if there may be none.
    """

    index_name: str | None
    columns_name: str | None
    index: Cells
    columns: Mapping[str, Cells] = field(default_factory=dict)
    optional: Mapping[str, Cells] = field(default_factory=dict)
    others: Cells | None = None

    def check(self, value: Any, where: str) -> None:
        """Raise a ValueError for something else than such a table."""
        _TABLE.check(value, where)
        labels, names = value["index"], (value["index_name"], value["columns_name"])
        if names != (self.index_name, self.columns_name):
            raise ValueError(f"{where}: its axes are named {reprlib.repr(names)}")
        dtype = "int64" if self.index.kind is int else "str"
        self.index.check_column(dtype, labels, f"{where}, index")
        if len(set(labels)) < len(labels):
            raise ValueError(f"{where}: a row is there twice")
        for column in value["columns"]:
            _COLUMN.check(column, f"{where}, a column")
        listed = [column["name"] for column in value["columns"]]
        if len(set(listed)) < len(listed) or self.columns.keys() - set(listed):
            raise ValueError(f"{where}: its columns are {reprlib.repr(listed)}")
        known = {**self.optional, **self.columns}
        for column in value["columns"]:
            place, cells = f"{where}, column {column['name'][:60]!r}", column["values"]
            rule = known.get(column["name"], self.others)
            if rule is None or len(cells) != len(labels):
                raise ValueError(f"{place}: it has {len(cells)} cells for {len(labels)} rows")
            rule.check_column(column["dtype"], cells, place)


_TEXT = Value("a text", lambda value: type(value) is str)
_LIST = Value("a list", lambda value: type(value) is list)
_TABLE = Record(
    {"index": _LIST, "index_name": Maybe(_TEXT), "columns_name": Maybe(_TEXT), "columns": _LIST}
)
_COLUMN = Record({"name": _TEXT, "dtype": _TEXT, "values": _LIST})


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return a DataFrame as plain lists, with the types of its columns, for JSON."""
    return {
        "index": table.index.tolist(),
        "index_name": table.index.name,
        "columns_name": table.columns.name,
        "columns": [
            {"name": name, "dtype": str(column.dtype), "values": _plain(column)}
            for name, column in table.items()
        ],
    }


def _plain(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in column.tolist()]


def table_from_json(table: dict[str, Any]) -> pd.DataFrame:
    """Return the table of :func:`table_to_json`."""
    index = pd.Index(table["index"], name=table["index_name"])
    columns = {}
    for column in table["columns"]:
        values, dtype = column["values"], _here(column["dtype"])
        if dtype.startswith("float"):
            values = [np.nan if value is None else value for value in values]
        columns[column["name"]] = pd.Series(values, index=index, dtype=dtype)
    frame = pd.DataFrame(columns, index=index)
    frame.columns.name = table["columns_name"]
    return frame


def _here(dtype: str) -> str:
    """Return a column's type in this version of pandas, whose text was ``object`` before 3."""
    return "object" if dtype == "str" and pd.Series(["a"]).dtype == object else dtype
