"""Checks of arguments, with the same messages everywhere.

Each function returns the value in the type the code works with, or raises an
:class:`~lvkit.errors.LvkitError` that says what was seen and what was expected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

import numpy as np

from lvkit.errors import LvkitError, nearest, show_value


def check_whole(value: object, name: str, least: int = 1) -> int:
    """Return a whole number of at least `least`.

    Examples
    --------
    >>> check_whole(3, "starts")
    3
    >>> check_whole(True, "starts")
    Traceback (most recent call last):
    lvkit.errors.LvkitError: starts: got True; expected a whole number from 1.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or int(value) < least:  # type: ignore[call-overload]
        raise LvkitError(
            f"got {show_value(value)}", where=name, expected=f"a whole number from {least}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number, which neither True nor False is.

    Examples
    --------
    >>> is_number(3), is_number(float("nan")), is_number(True), is_number("3")
    (True, False, False, False)
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    return number and not isinstance(value, bool) and bool(-np.inf < value < np.inf)  # type: ignore[operator]


def check_choice(value: object, choices: Iterable[str], name: str) -> str:
    """Return one of several texts.

    Examples
    --------
    >>> check_choice("aic", ("aic", "bic"), "criterion")
    'aic'
    >>> check_choice("aci", ("aic", "bic"), "criterion")
    Traceback (most recent call last):
    lvkit.errors.LvkitError: criterion: got 'aci'; expected 'aic' or 'bic'. Did you mean 'aic'?
    """
    names = list(choices)
    if isinstance(value, str) and value in names:
        return value
    listed = [repr(each) for each in names]
    raise LvkitError(
        f"got {show_value(value)}",
        where=name,
        expected=" or ".join(listed) if len(listed) < 3 else f"one of {', '.join(listed)}",
        remedy=nearest(str(value), names).strip(),
    )


def check_level(level: object, name: str = "level") -> float:
    """Return the probability that an interval shall hold, strictly between 0 and 1.

    Examples
    --------
    >>> check_level(0.95)
    0.95
    >>> check_level(95)
    Traceback (most recent call last):
    lvkit.errors.LvkitError: level: got 95; expected a number between 0 and 1, such as 0.95.
    """
    number = isinstance(level, int | float | np.integer | np.floating)
    if not number or not 0.0 < level < 1.0:  # type: ignore[operator]
        raise LvkitError(
            f"got {show_value(level)}",
            where=name,
            expected="a number between 0 and 1, such as 0.95",
        )
    return float(level)  # type: ignore[arg-type]


def check_workers(n_jobs: object) -> int | None:
    """Return a number of workers as joblib understands it: None, or any whole number but zero."""
    if n_jobs is None:
        return None
    whole = isinstance(n_jobs, int | np.integer) and not isinstance(n_jobs, bool)
    if not whole or n_jobs == 0:
        raise LvkitError(
            f"got {show_value(n_jobs)}",
            where="n_jobs",
            expected="a number of workers: 1, 2, ...; or -1 for all cores",
        )
    return int(n_jobs)  # type: ignore[call-overload, no-any-return]


def check_names(names: object, where: str, example: str) -> dict[str, str]:
    """Return a mapping of names to names, not empty, none of them blank."""
    if not isinstance(names, Mapping) or not names:
        raise LvkitError(f"got {show_value(names)}", where=where, expected=f"a mapping {example}")
    for key, value in names.items():
        if not (isinstance(key, str) and key.strip() and isinstance(value, str) and value.strip()):
            raise LvkitError(
                f"got {show_value(key)}: {show_value(value)}",
                where=where,
                expected=f"names, in a mapping {example}",
            )
    return dict(names)


def check_path(data: object) -> str:
    """Return the path of a table; None is the empty path.

    Examples
    --------
    >>> check_path("scores.csv"), check_path(None)
    ('scores.csv', '')
    >>> check_path({})
    Traceback (most recent call last):
    lvkit.errors.LvkitError: data: got a dict; expected the path of a table.
    """
    if data is None or isinstance(data, str | os.PathLike):
        return os.fspath(data or "")
    kind = type(data).__name__
    writes = {
        "Panel": "data.write_csv('scores.csv')",
        "DataFrame": "data.to_csv('scores.csv', index=False)",
    }
    remedy = f"Write the table with {writes[kind]}." if kind in writes else ""
    raise LvkitError(
        f"got a {kind}",
        where="data",
        expected="the path of a table",
        remedy=remedy,
    )


def checked_names(names: Sequence[str], held: Sequence[str], *, what: str = "family") -> list[str]:
    """Return the names, or say which is not held."""
    for name in names:
        if name not in held:
            raise LvkitError(
                f"no {what} '{name}'", expected=f"one of {len(held)}",
                remedy=nearest(name, held).strip(),
            )  # fmt: skip
    return list(names)


_QUOTED = re.compile(r"""(?<![^\s,=:])("[^"]*"|'[^']*')""")
"""A quoted name; quotation marks inside a name, as in ``o'brien``, are letters."""


def split_quoted(text: str, separator: str) -> list[str]:
    """Split a text at a separator, except between quotation marks, which stay.

    Parameters
    ----------
    text : str
        The text. A quotation mark opens a quoted part at the text's beginning and behind a space, a
        comma, a colon or an equals sign; the same mark closes it.
    separator : str
        One character.

    Returns
    -------
    list of str
        At least one.

    Examples
    --------
    >>> split_quoted('a="acc,none",b=mmlu', ",")
    ['a="acc,none"', 'b=mmlu']
    """
    pieces = [""]
    for at, part in enumerate(_QUOTED.split(text)):
        if at % 2:  # what stood between quotation marks
            pieces[-1] += part
        else:
            first, *rest = part.split(separator)
            pieces[-1] += first
            pieces += rest
    return pieces


def unquoted(text: str) -> str:
    """Return a name without the spaces and the quotation marks around it.

    Examples
    --------
    >>> unquoted(' "acc,none" '), unquoted("o'brien")
    ('acc,none', "o'brien")
    """
    text = text.strip()
    quoted = len(text) > 1 and text[0] in "\"'" and text.find(text[0], 1) == len(text) - 1
    return text[1:-1] if quoted else text
