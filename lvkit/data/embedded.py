"""The tables that come with lvkit: what it knows about benchmarks, and the leaderboard's scores.

``scores.csv`` and ``benchmarks.csv`` are in lvkit's own layout, small enough to live in the
package, so that everything works offline and every example uses the same models. ``PROVENANCE.md``
beside them says where the numbers come from and what was corrected; ``sha256.json`` holds the sums
checked on loading.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from importlib import resources

import pandas as pd

from lvkit.errors import LvkitError


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
    table = pd.read_csv(io.StringIO(embedded_table("benchmarks.csv"))).set_index("benchmark")
    table["n_items"] = table["n_items"].astype(float)
    return table[["label", "chance", "n_items", "leaderboard", "what"]]


def embedded_table(name: str) -> str:
    """Return the text of an embedded table whose sum agrees with ``sha256.json``."""
    folder = resources.files("lvkit.data")
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
