"""The panel that a command or a report works on: the user's file, or the embedded leaderboard.

A shell and a notebook's parameters know texts only, so what the library takes as a mapping or a
table comes as the name of a small file beside the scores (:mod:`lvkit.reading.sidecars`), and what
was not given is an empty text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lvkit.errors import LvkitError

if TYPE_CHECKING:
    from lvkit.panel import Panel
    from lvkit.reading.readers import CheckReport


def open_panel(
    data: str | os.PathLike[str] | None = None,
    *,
    family: str | Mapping[str, str] | None = None,
    benchmarks: str | os.PathLike[str] | Mapping[str, float | None] | None = None,
    drop_invalid: bool = False,
    complete: bool = False,
) -> Panel:
    """Return the panel of a user's file or, without one, the embedded leaderboard.

    Parameters
    ----------
    data : path-like, optional
        A table for :func:`lvkit.read_panel`; None or empty for the embedded one.
    family : str or mapping, optional
        ``"from_name"``, a column, a CSV file with the columns model and family, or a mapping; None
        or empty for the column ``family``.
    benchmarks : path-like or mapping, optional
        Benchmarks lvkit does not know: a CSV file with the columns benchmark and chance, or a
        mapping from one to the other; None or empty for none.
    drop_invalid : bool
        Leave out rows with an unusable cell, with a warning that lists them.
    complete : bool
        Keep only the models with every benchmark measured.

    Returns
    -------
    Panel

    Raises
    ------
    LvkitError
        If something is wrong with a file, or `family` or `benchmarks` speak of no file.

    Examples
    --------
    >>> open_panel().n_models, open_panel(complete=True).n_models
    (197, 83)
    """
    from lvkit.data import load_leaderboard
    from lvkit.reading.readers import read_panel

    if data is not None and os.fspath(data):
        panel = read_panel(
            data,
            family=_rule(family),
            benchmarks=benchmarks or None,
            drop_invalid=drop_invalid,
        )
    elif family or benchmarks:
        raise LvkitError(
            "families or benchmarks are given, and no file that they speak of",
            remedy="Give the file, or leave them out.",
        )
    else:
        panel = load_leaderboard()
    return panel.complete() if complete else panel


def check_opened(
    data: str | os.PathLike[str],
    *,
    family: str | Mapping[str, str] | None = None,
    benchmarks: str | os.PathLike[str] | Mapping[str, float | None] | None = None,
    drop_invalid: bool = False,
) -> CheckReport:
    """Return what is in a user's file and what is wrong with it; takes what `open_panel` takes."""
    from lvkit.reading.readers import check_file

    return check_file(
        data, family=_rule(family), benchmarks=benchmarks or None, drop_invalid=drop_invalid
    )


def _rule(family: str | Mapping[str, str] | None) -> str | Mapping[str, str] | None:
    """Return where families come from as the library takes it."""
    from lvkit.reading.sidecars import family_rule

    return family_rule(family or None) if isinstance(family, str | None) else dict(family)
