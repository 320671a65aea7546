"""Makes diagnostics.csv: R-hat and effective sample sizes by ArviZ of the chains in the tests.

Needs arviz-stats[xarray]; run it in this folder.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from arviz_stats.base import array_stats

here = Path(__file__).parent
sys.path.insert(0, str(here.parent))

from test_diagnostics import CASES  # noqa: E402

lines = ["case,r_hat,ess_bulk,ess_tail,arviz_stats"]
for name, chains in CASES.items():
    axes = {"chain_axis": 0, "draw_axis": 1}
    found = (
        array_stats.rhat(chains, **axes),
        array_stats.ess(chains, method="bulk", **axes),
        array_stats.ess(chains, method="tail", prob=(0.05, 0.95), **axes),
    )
    figures = ",".join(f"{float(value):.6g}" for value in found)
    lines.append(f"{name},{figures},{version('arviz-stats')}")
(here / "diagnostics.csv").write_text("\n".join(lines) + "\n")
