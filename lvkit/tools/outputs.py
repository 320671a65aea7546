"""Checks of outputs: which files lvkit may replace, and whether it can write there.

A file that somebody made is worth more than any result, and an hour of computing should not end
with a folder that does not exist. So an output is checked before the work begins. It must not be
one of the inputs, it must be new or something that lvkit wrote itself, recognised by its content,
and its place must be one that can be written to.
"""

from __future__ import annotations

import csv
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from lvkit.errors import LvkitError

_LONGEST_SELECTION = 1_000_000
_SELECTION = ["K", "loglik", "n_params", "aic", "bic"]


def check_output(
    path: str | os.PathLike[str],
    *,
    kind: str,
    ours: Callable[[Path], bool],
    inputs: Iterable[object] = (),
    argument: str = "",
) -> None:
    """Refuse an output that would destroy something or that cannot be written.

    Parameters
    ----------
    path : path-like
        The output, a file.
    kind : str
        What is written, with its article: "a saved fit".
    ours : callable
        Whether an existing file is of that kind and may be replaced. Empty files always may.
    inputs : iterable
        What the work reads. Those that are no paths of files count for nothing.
    argument : str
        The name of the argument that the path comes from, for the error.

    Raises
    ------
    LvkitError
        If the output is an input, under whatever name; if it exists and is of another kind; or if
        it cannot be written: no such folder, no permission, a folder of that name.

    Notes
    -----
    To see whether it can be written, an empty file is made and removed. Devices and named pipes are
    not tried.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     thesis = Path(folder) / "thesis.txt"
    ...     _ = thesis.write_text("Chapter 1")
    ...     try:
    ...         check_output(thesis, kind="a saved fit", ours=is_saved_fit)
    ...     except LvkitError as error:
    ...         print(error.problems[0].seen)
    the file exists and is not a saved fit
    """
    target, where = Path(path), f"{argument} '{path}'".strip()
    try:
        if any(_is_same(target, each) for each in inputs):
            raise LvkitError(
                f"the file is also an input, which writing {kind} would destroy",
                where=where,
                remedy="Choose another name for the output.",
            )
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISREG(mode) and target.stat().st_size and not ours(target):
            raise LvkitError(
                f"the file exists and is not {kind}",
                where=where,
                expected=f"a new file, or {kind}",
                remedy="Choose another name for the output, or move the file.",
            )
        _try(target, mode)
    except (OSError, ValueError) as error:
        if isinstance(error, LvkitError):
            raise
        raise LvkitError(
            f"cannot write the file ({getattr(error, 'strerror', None) or error})",
            where=where,
            remedy=_remedy(target),
        ) from error


def _is_same(target: Path, other: object) -> bool:
    """Tell whether a path is that of a file, by any of its names and links."""
    if not isinstance(other, str | os.PathLike) or not os.fspath(other):
        return False
    try:
        return os.path.samefile(target, os.fspath(other))
    except (OSError, ValueError):  # one of them is not there
        return False


def _try(target: Path, mode: int | None) -> None:
    """Raise what writing a file would raise; leave nothing behind."""
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    if mode is not None and not stat.S_ISREG(mode):
        return
    real = Path(os.path.realpath(target))
    if mode is not None:
        if not os.access(real, os.W_OK):
            raise PermissionError(0, "it is read-only")
        real = real.with_name(f".lvkit-{secrets.token_hex(8)}.tmp")
    with open(real, "xb"):
        pass
    real.unlink()


def _remedy(target: Path) -> str:
    """Say what to do about an output that cannot be written."""
    try:
        if target.is_dir():
            return "Give the name of a file in the folder."
        if not target.parent.is_dir():
            return f"Create the folder '{target.parent}' first, or choose another."
    except (OSError, ValueError):
        return "Choose a shorter name."
    return "Choose a place that you may write to."


def is_saved_fit(path: Path) -> bool:
    """Tell whether a file begins as a saved fit does; it may be damaged further on."""
    with open(path, "rb") as file:
        head = file.read(38)
    named = head[26:28] == b"\x08\x00" and head[30:] == b"fit.json"
    return head[:4] == b"PK\x03\x04" and named


def is_selection_table(path: Path) -> bool:
    """Tell whether a file is a table of numbers of skills, with nothing added to it."""
    rows = _rows(path) if path.stat().st_size < _LONGEST_SELECTION else []
    return (
        rows[:1] != []
        and rows[0][: len(_SELECTION)] == _SELECTION
        and all(len(row) == len(rows[0]) and all(map(_is_number_or_flag, row)) for row in rows[1:])
    )


def is_panel_table(path: Path) -> bool:
    """Tell whether a file is a CSV table with the columns that every panel has."""
    rows = _rows(path, most=1)
    return bool(rows) and {"model", "family", "params_b"} <= set(rows[0])


def _rows(path: Path, most: int | None = None) -> list[list[str]]:
    """Return the first rows of a CSV file; none where it is not one."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return [row for row, _ in zip(csv.reader(file), range(most or 10**6), strict=False)]
    except (UnicodeDecodeError, csv.Error):
        return []


def _is_number_or_flag(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell in ("", "True", "False")
    return True
