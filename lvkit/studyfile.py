"""The file of a simulation study: what is done already, so that nothing is done twice.

A study of hours is worth interrupting only if it can be taken up again. Its file holds the settings
and the fits that are done, and is written whole each time. Settings that differ are refused: half
a study of one kind and half of another would be a study of nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lvkit.errors import LvkitError
from lvkit.files import write_whole

Task = tuple[int, int]
"""Number of families, and which replication."""

_SCHEMA = 1


class Record(NamedTuple):
    """What came out of a task.

    Attributes
    ----------
    table : DataFrame
        The fit's summary; empty if the fit was refused.
    converged : bool
        Whether the fit converged.
    reason : str
        If not, why.
    """

    table: pd.DataFrame
    converged: bool
    reason: str


@dataclass(eq=False)
class StudyFile:
    """Records by task, and the file they are kept in; make one with :meth:`open`.

    Attributes
    ----------
    path : Path or None
        The file; None keeps nothing.
    settings : dict
        All that the records depend on, as JSON can tell it.
    records : dict
        The tasks that are done.
    """

    path: Path | None
    settings: dict[str, Any]
    records: dict[Task, Record]

    @classmethod
    def open(cls, path: str | PathLike[str] | None, settings: dict[str, Any]) -> StudyFile:
        """Read a study's file, or begin one.

        Parameters
        ----------
        path : path-like, optional
            The file, which need not exist; None keeps nothing.
        settings : dict
            The study's settings.

        Raises
        ------
        LvkitError
            If the file cannot be read, or is that of a study with other settings.
        """
        if path is None:
            return cls(None, settings, {})
        path = Path(path)
        if not path.exists():
            new = cls(path, settings, {})
            new.save()  # a place that cannot be written to is refused now, not hours later
            return new
        kept = _read(path)
        try:
            records = {(n, r): _from_json(kept["names"], rest) for n, r, *rest in kept["records"]}
            found, schema = kept["settings"], kept["schema"]
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _damaged(path) from error
        _check_settings(path, {"schema": _SCHEMA, **settings}, {"schema": schema, **found})
        return cls(path, settings, records)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        names: dict[str, int] = {}
        rows = [[*task, *_to_json(record, names)] for task, record in sorted(self.records.items())]
        text = {
            "schema": _SCHEMA, "settings": self.settings, "names": list(names), "records": rows
        }  # fmt: skip
        write_whole(self.path, json.dumps(text))


def _to_json(record: Record, names: dict[str, int]) -> list[Any]:
    """Return a record as lists; its parameters are numbered by the order they are first met in."""
    rows = [names.setdefault(name, len(names)) for name in record.table.index]
    columns = {
        name: [None if np.isnan(value) else value for value in column.tolist()]
        for name, column in record.table.drop(columns="determined", errors="ignore").items()
    }
    return [record.converged, record.reason, rows, columns]


def _from_json(names: list[str], row: list[Any]) -> Record:
    """Return the record of :func:`_to_json`."""
    converged, reason, rows, columns = row
    index = pd.Index([names[at] for at in rows], name="parameter")
    table = pd.DataFrame(columns, index, dtype=float)
    if not (isinstance(converged, bool) and isinstance(reason, str)):
        raise TypeError
    return Record(table, converged, reason)


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise LvkitError(f"cannot be read ({error.strerror})", where=f"'{path}'") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(kept, dict):
        raise _damaged(path)
    return kept


def _damaged(path: Path) -> LvkitError:
    return LvkitError(
        "damaged, or no file of a study",
        where=f"'{path}'",
        expected="a file that simulation_study(..., resume=path) wrote",
        remedy="Give the name of a new file, or delete this one.",
    )


def _check_settings(path: Path, asked: dict[str, Any], found: dict[str, Any]) -> None:
    """Name the settings that differ."""
    other = [name for name in asked if found.get(name) != asked[name]]
    if not other:
        return
    short = ", ".join(
        f"{name} ({found.get(name)!r}, not {asked[name]!r})" if name != "params" else name
        for name in other
    )
    raise LvkitError(
        f"the file is of another study: it differs in {short}",
        where=f"'{path}'",
        expected="a file of a study with the same settings",
        remedy="Give the same settings, the name of a new file, or delete this one.",
    )
