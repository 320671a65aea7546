"""Names are text: one spelling for each name, wherever it comes from.

Names of models, families, lineages and benchmarks are compared letter by letter. Two names that
look the same on the screen must therefore be the same text. :func:`name_text` turns a cell into a
name: 1000 and 1000.0 become ``"1000"``, accents are composed (NFC), runs of spaces become one
space, and invisible characters are removed. Whatever that changes is reported. Names that differ
in more than this, but only in case or spaces, stay different and are reported too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lvkit.data.cells import is_blank
from lvkit.errors import LvkitError, Problem

_SHOWN = 3

_HIDDEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Characters without a shape that Unicode counts as letters, marks or symbols."""

_JOINERS = "\u200c\u200d"
_JOINER_IN_SCRIPT = re.compile(f"(?<=[^\x00-\x7f\\s])[{_JOINERS}](?=[^\x00-\x7f\\s])")
"""A joiner between letters of a script that needs it, such as Persian or Hindi, or in an emoji."""


def plain_name(text: str) -> str:
    r"""Return a name in its one spelling.

    Accents are composed (NFC), runs of spaces of any kind become one space, spaces at the ends and
    invisible characters (zero-width, control and format characters) are removed.

    Examples
    --------
    >>> plain_name(" cafe\u0301\u00a0 one\u200b")
    'café one'
    """
    if "  " not in text and text.isprintable() and (text.isascii() or _is_plain(text)):
        return text.strip()
    text = " ".join(text.split())
    kept = {match.start() for match in _JOINER_IN_SCRIPT.finditer(text)}
    visible = (
        letter
        for at, letter in enumerate(text)
        if at in kept or unicodedata.category(letter) not in ("Cc", "Cf")
    )
    text = unicodedata.normalize("NFC", _HIDDEN.sub("", "".join(visible)))
    return " ".join(text.split())


def _is_plain(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text) and not _HIDDEN.search(text)


def name_text(cell: Any) -> str:
    """Return a cell as a name, an empty text where it is missing.

    Blanks are missing, and so are the texts that stand for missing values in all columns, such as
    ``NA``, ``nan`` and ``null``.

    Examples
    --------
    >>> name_text(1000.0), name_text("1.10"), name_text(" NA ")
    ('1000', '1.10', '')
    """
    if isinstance(cell, str):
        text = plain_name(cell)
        return "" if len(text) < 5 and is_blank(text) else text
    if is_blank(cell):
        return ""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    if isinstance(cell, bytes):
        return plain_name(cell.decode("utf-8", "replace"))
    return plain_name(str(cell))


def no_name(cell: Any, what: str = "name") -> str:
    """Return what a cell holds that is no name.

    Examples
    --------
    >>> no_name("NA", "family"), no_name(None)
    ("got 'NA', which stands for a missing family", 'got no name')
    """
    if isinstance(cell, str) and plain_name(cell):
        return f"got {cell!r}, which stands for a missing {what}"
    return f"got no {what}"


def by_name(mapping: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return a mapping with names as keys.

    Raises
    ------
    LvkitError
        If two keys are one name and say different things.

    Examples
    --------
    >>> by_name({1000: "ant", "b ": "bee"}, "family")
    {'1000': 'ant', 'b': 'bee'}
    """
    out: dict[str, Any] = {}
    written: dict[str, Any] = {}
    problems = []
    for key, value in mapping.items():
        name = name_text(key)
        if name in out and str(out[name]) != str(value):
            problems.append(
                Problem(
                    f"got {written[name]!r} and {key!r}, which are one name ('{name}'), with "
                    f"different values ({out[name]!r} and {value!r})",
                    where,
                    "each name once",
                    "Delete one of the two.",
                )
            )
        out.setdefault(name, value)
        written.setdefault(name, key)
    if problems:
        raise LvkitError.from_problems(problems)
    return out


def name_notes(kind: str, cells: Sequence[Any], names: Sequence[str]) -> Iterator[str]:
    """Yield what a reader of a table may want to know about its names.

    Parameters
    ----------
    kind : str
        What is named, in the plural: ``"families"``.
    cells : sequence
        The names as they were written.
    names : sequence of str
        The same as :func:`name_text` returns them.

    Yields
    ------
    str
        One note on names whose spelling was changed, one on a name that may be Python's word for a
        missing value, and one on names that differ only in case or spaces.

    Examples
    --------
    >>> list(name_notes("families", ["Ant", "ant"], ["Ant", "ant"]))
    ["families that differ only in case or spaces: 'Ant' and 'ant'; they are different families"]
    """
    changed = {
        cell: name
        for cell, name in zip(cells, names, strict=True)
        if isinstance(cell, str) and name and cell != name and cell.strip(" \t") != name
    }
    if changed:
        shown = [f"{cell!a} as '{name}'" for cell, name in changed.items()]
        yield (
            f"{kind} read without invisible characters, repeated spaces or split accents: "
            f"{_first(shown)}"
        )
    if "None" in names:
        yield f"{kind} named 'None': leave the cell blank if the name is missing"
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(_folded(name), []).append(name)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if alike:
        rule = f"{kind} that differ only in case or spaces"
        yield f"{rule}: {_first(alike)}; they are different {kind}"


def _folded(name: str) -> str:
    """Return a name without case, spaces and joiners, full-width letters as plain ones."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
        for joiner in _JOINERS:
            name = name.replace(joiner, "")
    return name.replace(" ", "").casefold()


def _first(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def number_names(column: pd.Series) -> str:
    """Return a note on names that came as numbers with decimals, or an empty text.

    As a number 1.10 is 1.1, and two names may have become one before lvkit could see them.

    Examples
    --------
    >>> number_names(pd.Series([1.5, 2.0], name="family"))
    "column 'family': the names are numbers, such as 1.5, ...; give them as text"
    """
    if not pd.api.types.is_float_dtype(column):
        return ""
    split = [cell for cell in column.dropna().unique() if not float(cell).is_integer()]
    if not split:
        return ""
    return (
        f"column '{column.name}': the names are numbers, such as {split[0]:g}, so 1.1 and 1.10 are "
        "one name; give them as text"
    )
