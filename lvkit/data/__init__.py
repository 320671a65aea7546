"""The figures that come with lvkit: 197 open language models on 12 benchmarks.

Two tables in lvkit's own layout, small enough to live in the package, so that everything works
offline and every example speaks about the same models. ``PROVENANCE.md`` beside them says where the
numbers come from and what was corrected; ``sha256.json`` holds the sums checked on loading.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from importlib import resources
from typing import TYPE_CHECKING

from lvkit.errors import LvkitError

if TYPE_CHECKING:
    import pandas as pd

    from lvkit.panel import Panel

__all__ = ["known_benchmarks", "load_leaderboard"]


@functools.cache
def load_leaderboard() -> Panel:
    """Return the embedded panel: 197 open language models, 12 benchmarks.

    Returns
    -------
    Panel
        The same immutable object on every call. 184 of the models have their size, their training
        tokens and at least one score: 67 families and 1,566 scores.

    Raises
    ------
    LvkitError
        If a table in the installed package is not the one that was released.

    Notes
    -----
    Source: the public Open LLM Leaderboard, v1 and v2, to August 2024; see ``PROVENANCE.md``.

    Examples
    --------
    >>> panel = load_leaderboard()
    >>> panel.n_models, panel.n_benchmarks
    (197, 12)
    """
    from lvkit.reading.readers import panel_from_csv

    return panel_from_csv(_verified("scores.csv"))


def known_benchmarks() -> pd.DataFrame:
    """Return what lvkit knows about benchmarks: label, chance, n_items, leaderboard, what.

    Returns
    -------
    DataFrame
        One row per benchmark, indexed by its name in lvkit's layout; ``chance`` is the score of
        guessing, from 0 to 1, and ``n_items`` the number of questions.

    Examples
    --------
    >>> float(known_benchmarks().loc["mmlu", "chance"])
    0.25
    """
    return _benchmarks().copy()


@functools.cache
def _benchmarks() -> pd.DataFrame:
    import pandas as pd

    table = pd.read_csv(io.StringIO(_verified("benchmarks.csv"))).set_index("benchmark")
    table["n_items"] = table["n_items"].astype(float)
    return table[["label", "chance", "n_items", "leaderboard", "what"]]


def _verified(name: str) -> str:
    """Return the text of an embedded table whose sum agrees with ``sha256.json``."""
    folder = resources.files(__name__)
    content = (folder / name).read_bytes()
    sums = json.loads((folder / "sha256.json").read_text("ascii"))
    seen = hashlib.sha256(content).hexdigest()
    if seen != sums.get(name):
        raise LvkitError(
            f"sha256 {seen}",
            where=f"embedded table {name}",
            expected=f"{sums.get(name)}",
            remedy="The installed file was changed; install lvkit again.",
        )
    return content.decode("utf-8")
