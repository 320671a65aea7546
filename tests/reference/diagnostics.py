"""Makes diagnostics.csv: R-hat and effective sample sizes by ArviZ of the chains in the tests.

Needs arviz-stats[xarray]; run it in this folder.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Compute the figures with ArviZ and store them."""
    from arviz_stats.base import array_stats

    sys.path.insert(0, str(HERE.parent))
    from test_diagnostics import CASES

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
    (HERE / "diagnostics.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
