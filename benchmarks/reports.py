"""How much do reports gain from company? Twelve families by two budgets, in one batch.

python benchmarks/reports.py      (about five minutes of two cores)

One family report alone, its fit included, is the measure; then all 24 with two kernels at once and
one fit between them; then the same command with ``--resume``, when nothing is left to do. Each is
the command line from its start to its end, in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import machine, markdown, publish

import lvkit as lv

FAMILIES, BUDGETS, ALONE = 12, ("1e23", "1e24"), 3


def largest_families() -> list[str]:
    """Return the families with most models that have token counts."""
    models = lv.load_leaderboard().models
    counts = models.loc[models["tokens_t"].notna(), "family"].value_counts()
    return sorted(counts.index[:FAMILIES])


def seconds_of(output: Path, *options: str) -> float:
    """Run ``lvkit report`` for the family template and return its seconds."""
    command = [sys.executable, "-m", "lvkit", "report", "--template", "family"]
    began = time.perf_counter()
    subprocess.run([*command, "--output", str(output), *options], check=True, capture_output=True)
    return time.perf_counter() - began


def measure(place: Path, families: Sequence[str]) -> dict[str, float]:
    """Time a report alone, the batch, and the batch resumed."""
    alone = [
        seconds_of(place / f"alone-{n}", "--set", f"about={name}", "--set", "budget=1e23")
        for n, name in enumerate(families[:ALONE])
    ]
    grid = ["--grid", f"about={json.dumps(families)}", "--grid", f"budget={','.join(BUDGETS)}"]
    batch = seconds_of(place / "batch", *grid, "--jobs", "2")
    resumed = seconds_of(place / "batch", *grid, "--jobs", "2", "--resume")
    manifest = json.loads((place / "batch" / "manifest.json").read_text("utf-8"))
    done = [run for run in manifest["runs"] if run["status"] == "done" and run["kept"]]
    return {
        "alone_seconds": statistics.median(alone),
        "runs": len(manifest["runs"]),
        "done_and_kept": len(done),
        "batch_seconds": batch,
        "resumed_seconds": resumed,
        "run_seconds_median": statistics.median(run["seconds"] for run in manifest["runs"]),
    }


def main() -> None:
    """Measure and publish."""
    where = machine()
    with tempfile.TemporaryDirectory() as place:
        found = measure(Path(place), largest_families())
    one_by_one = found["runs"] * found["alone_seconds"]
    rows = [
        ["one report alone (median of three)", f"{found['alone_seconds']:.1f} s", ""],
        [f"{found['runs']} times that", f"{one_by_one:.0f} s", "1"],
        [
            f"{found['runs']} reports, two kernels at once",
            f"{found['batch_seconds']:.0f} s",
            f"{found['batch_seconds'] / one_by_one:.2f}",
        ],
        [
            f"again with `--resume` ({found['done_and_kept']} kept)",
            f"{found['resumed_seconds']:.1f} s",
            f"{found['resumed_seconds'] / one_by_one:.3f}",
        ],
    ]
    publish("reports", where, found, markdown(["what", "wall time", "ratio"], rows))


if __name__ == "__main__":
    main()
