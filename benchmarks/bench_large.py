"""What does one machine hold? Large panels, drawn from the model and fitted on all its cores.

python benchmarks/bench_large.py            (10,000 models; a minute or two)
python benchmarks/bench_large.py --whole    (and 100,000 models, within 4 GB)

The truth is the fit of three skills to the embedded data. Each panel is made and fitted in a
process of its own, whose memory is limited. Rows of sizes that were not run are kept. Drawn scores
are not rounded, so they are hardly clipped: with the default clip the precision of a benchmark
with many scores near zero is off by fifteen standard errors of 10,000 models.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import HERE, Clock, machine, markdown, publish

import lvkit as lv

FAMILIES = {10_000: 500, 100_000: 5_000}
SKILLS = 3
CLIP = 1e-12
LIMIT = 4 * 2**30
"""Most memory, in bytes, that a process may ask for."""


def peak() -> float:
    """Return the largest memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(n_models: int, n_jobs: int) -> dict[str, object]:
    """Make a panel, fit it, and hold the estimates against the truth."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    small, making, fitting, errors = Clock(), Clock(), Clock(), Clock()
    embedded = lv.load_leaderboard()
    reference = lv.LatentSkillModel(n_skills=SKILLS).fit(embedded)
    small.time(lambda: lv.LatentSkillModel(n_skills=SKILLS).fit(embedded))
    families = FAMILIES[n_models]
    models = lv.simulate_models(families, n_models // families, seed=1)
    names, truth = reference.benchmarks, reference.params
    panel = making.time(lambda: lv.simulate(truth, models, benchmarks=names, seed=1))
    model = lv.LatentSkillModel(anchors=reference.anchors, clip=CLIP)
    before = peak()
    fit = fitting.time(lambda: model.fit(panel, n_jobs=n_jobs))  # type: ignore[arg-type]
    at_fit = peak()
    table = errors.time(fit.summary)  # type: ignore[attr-defined]
    expected = fit.free_parameters.values(truth)  # type: ignore[attr-defined]
    away = ((table["estimate"] - expected) / table["std_error"]).to_numpy()  # type: ignore[index]
    return {
        "models": n_models,
        "families": families,
        "scores": fit.n_scores,  # type: ignore[attr-defined]
        "skills": SKILLS,
        "n_jobs": n_jobs,
        "panel_seconds": making.wall[0],
        "panel_cpu_seconds": making.cpu[0],
        "fit_seconds": fitting.wall[0],
        "fit_cpu_seconds": fitting.cpu[0],
        "errors_seconds": errors.wall[0],
        "errors_cpu_seconds": errors.cpu[0],
        "memory_before_mb": before,
        "memory_fit_mb": at_fit,
        "memory_mb": peak(),
        "loglik": fit.loglik,  # type: ignore[attr-defined]
        "converged": fit.converged,  # type: ignore[attr-defined]
        "message": fit.message,  # type: ignore[attr-defined]
        "steps": len(fit.trace),  # type: ignore[attr-defined]
        "steps_on_parts": int(fit.trace["loglik"].isna().sum()),  # type: ignore[attr-defined]
        "parameters": len(away),
        "largest_error": float(np.abs(away).max()),
        "mean_square_error": float(np.mean(np.square(away))),
        "small_cpu_per_score": small.cpu[0] / reference.n_scores,
    }


def _in_own_process(n_models: int, n_jobs: int) -> dict[str, object]:
    where, began = machine(), time.time()
    command = [sys.executable, __file__, "--one", str(n_models), "--jobs", str(n_jobs)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    load = round(os.getloadavg()[0], 2)
    return {**found, "whole_seconds": time.time() - began, "load_after": load, "machine": where}


def _kept() -> dict[int, dict[str, object]]:
    """Return the rows that earlier runs left, by their number of models."""
    path = Path(HERE) / "results" / "large.json"
    rows = json.loads(path.read_text())["results"] if path.exists() else []
    return {row["models"]: row for row in rows}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help="fit 100,000 models too")
    parser.add_argument("--only-whole", action="store_true", help="fit 100,000 models alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="threads (all cores)")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.jobs)))
        return
    where, rows = machine(), _kept()
    sizes = [100_000] if chosen.only_whole else list(FAMILIES)[: 2 if chosen.whole else 1]
    for n_models in sizes:
        rows[n_models] = _in_own_process(n_models, chosen.jobs)
        data = [rows[size] for size in sorted(rows)]
        publish("large", where, data, _table(data))


def _table(data: list[dict[str, object]]) -> str:
    rows = []
    for run in data:
        each = run["fit_cpu_seconds"] / run["scores"]
        rows.append(
            [
                f"{run['models']:,}",
                f"{run['families']:,}",
                f"{run['scores']:,}",
                f"{run['panel_cpu_seconds']:.1f} s",
                f"{run['fit_seconds']:.0f} s",
                f"{run['fit_cpu_seconds']:.0f} s",
                f"{1e6 * each:.0f} µs",
                f"{each / run['small_cpu_per_score']:.2f}",
                f"{run['steps_on_parts']} + {run['steps'] - run['steps_on_parts']}",
                f"{run['errors_cpu_seconds']:.0f} s",
                f"{run['memory_mb']:.0f} MB",
                f"{run['largest_error']:.1f}",
                f"{run['mean_square_error']:.2f}",
                f"{run['machine']['load_before']} to {run['load_after']}",
            ]
        )
    columns = ["models", "families", "scores", "panel, CPU", "fit, wall", "fit, CPU", "per score"]
    columns += ["beside 184 models", "steps", "standard errors, CPU", "peak memory"]
    columns += ["largest error / SE", "mean square of it", "load"]
    return markdown(columns, rows)


if __name__ == "__main__":
    main()
