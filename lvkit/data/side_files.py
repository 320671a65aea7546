"""The two optional files beside a table of scores: families and benchmarks.

One lists the family of each model, for tables that do not; the other gives the chance
level of benchmarks that lvkit does not know. Both are CSV files with a header, short enough to be
written by hand, and therefore likely to contain typing errors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lvkit.data.cells import column_numbers, name_text, text_remedy
from lvkit.data.header import is_feature
from lvkit.data.table_files import Table, open_csv
from lvkit.errors import LvkitError, Problem, nearest


def family_rule(family: str | Mapping[str, str] | None) -> str | dict[str, str] | None:
    """Return a rule for families as the library takes it, from what was typed in a shell.

    Parameters
    ----------
    family : str, mapping or None
        ``from_name``, the name of a column, or the path of a CSV file for :func:`read_families`; a
        mapping is a rule itself.

    Returns
    -------
    str, dict or None
        The content of the file if it is one, otherwise `family`; None where it is empty.

    Examples
    --------
    >>> family_rule("from_name")
    'from_name'
    """
    if isinstance(family, str):
        file = family.lower().endswith(".csv") or os.path.isfile(family)
        return read_families(family) if file else family or None
    return None if family is None else dict(family)


def read_families(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Read which family each model belongs to.

    Parameters
    ----------
    path : path-like
        A CSV file with the columns ``model`` and ``family``; others are ignored.

    Returns
    -------
    dict
        Family by model, to be given as ``family=`` to :func:`lvkit.read_panel`.

    Raises
    ------
    LvkitError
        If the file cannot be read, lacks a column, leaves a cell blank or names a model twice.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "families.csv"
    ...     _ = path.write_text("model,family\ngpt2-large,gpt2\ngpt2-xl,gpt2\n")
    ...     read_families(path)
    {'gpt2-large': 'gpt2', 'gpt2-xl': 'gpt2'}
    """
    table = _read(path, ("model", "family"))
    problems: list[Problem] = []
    families: dict[str, str] = {}
    names = table.frame[["model", "family"]].map(name_text)
    for row, (model, family) in enumerate(names.to_numpy()):
        where = f"'{path}', {table.places.row(row)}"
        if not model or not family:
            problems.append(Problem("a blank cell", where, "a model and its family"))
        elif families.setdefault(model, family) != family:
            seen = f"'{model}' is given the families '{families[model]}' and '{family}'"
            problems.append(Problem(seen, where, "one family", "Keep one of the two rows."))
    if problems:
        raise LvkitError.from_problems(problems)
    return families


def read_benchmarks(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the chance levels of benchmarks.

    Parameters
    ----------
    path : path-like
        A CSV file with the columns ``benchmark`` and ``chance`` (the score of guessing, from 0 to
        1; ``none`` for a column that is a feature and no benchmark) and, if you like, ``label``,
        ``n_items``, ``leaderboard`` and ``what``.

    Returns
    -------
    DataFrame
        Its cells, as text, to be given as ``benchmarks=`` to :func:`lvkit.read_panel`, which
        checks the values.

    Raises
    ------
    LvkitError
        If the file cannot be read, lacks a column, or a chance level or number of items is no
        number.
    """
    table = _read(path, ("benchmark", "chance"))
    frame = table.frame.map(str.strip)
    for name in frame.columns.intersection(["chance", "n_items"]):
        cells = list(frame[name])
        for row in column_numbers(frame[name])[1]:
            if name == "n_items" or not is_feature(cells[row]):
                raise LvkitError(
                    f"got '{cells[row]}'",
                    where=f"'{path}', {table.places.row(row)}, column '{name}'",
                    expected="a number",
                    remedy=text_remedy(cells[row : row + 1]),
                )
    return frame


def _read(path: str | os.PathLike[str], needed: Sequence[str]) -> Table:
    """Return the table in a small CSV file that must have some columns."""
    table = open_csv(Path(path))
    columns = [name_text(name) for name in table.frame.columns]
    for name in needed:
        if columns.count(name) != 1:
            times = f"column '{name}' appears {columns.count(name)} times"
            raise LvkitError(
                times if name in columns else f"no column '{name}'",
                where=f"'{path}', header",
                expected="the columns " + " and ".join(f"'{n}'" for n in needed),
                remedy=nearest(name, columns).strip(),
            )
    if table.frame.empty:
        raise LvkitError("a header and no rows", where=f"'{path}'", expected="one row at least")
    frame = table.frame.set_axis(columns, axis=1)
    return table._replace(frame=frame.loc[:, [bool(name) for name in columns]])
