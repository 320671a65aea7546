"""How does the cost grow with the number of models? It should be linear.

python benchmarks/bench_scaling.py      (some minutes; --whole also fits 18,400 models)

The 184 models of the embedded data are fitted, and their families, sizes, tokens and gaps repeated
1, 10 and 100 times with scores drawn from the fit.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import pandas as pd
from common import Clock, machine, markdown, publish

import lvkit as lv
from lvkit.estimation.estimate import objective_for, prepared_for
from lvkit.model.quadrature import make_nodes

TIMES = (1, 10, 100)
SKILLS = (3, 4)
NODES = 64


def repeated(fit: lv.Fit, times: int) -> lv.Panel:
    """Return a simulated panel with the fitted models' families `times` times over."""
    fitted = fit.panel.select(models=list(fit.prepared.models))
    copies, gaps = [], []
    for number in range(times):
        models = fitted.models[["family", "params_b", "tokens_t"]].copy()
        models["family"] += f"+{number}"
        models.index = pd.Index(models.index + f"+{number}", name="model")
        copies.append(models)
        gaps.append(fitted.scores[list(fit.benchmarks)].isna().set_axis(models.index))
    models = pd.concat(copies)
    panel = lv.simulate(fit.params, models, benchmarks=fit.benchmarks, seed=1)
    scores = panel.scores.mask(pd.concat(gaps).loc[panel.scores.index])
    chance = {name: 0.0 for name in fit.benchmarks}
    return lv.Panel.from_frame(models.join(scores).reset_index(), benchmarks=chance)


def measure(n_skills: int, times: int, whole: bool) -> dict[str, float]:
    """Time one evaluation (log-likelihood, gradient and Hessian) and perhaps one fit."""
    model = lv.LatentSkillModel(n_skills=n_skills)
    fit = model.fit(lv.load_leaderboard())
    began = time.perf_counter()
    panel = repeated(fit, times)
    made = time.perf_counter() - began
    prepared = prepared_for(model, panel)
    top = prepared.to_search(fit.frame)
    objective = objective_for(model, prepared, n_skills).recentred(top)
    vector, nodes = objective.chart.vector(top), make_nodes(n_skills, NODES)
    modes = objective.evaluate(vector, nodes).modes
    clock, repeats = Clock(), 9 if times < 100 else 3
    for _ in range(repeats):
        clock.time(lambda: objective.evaluate(vector, nodes, modes))
    found = {
        "skills": n_skills,
        "times": times,
        "models": len(prepared.models),
        "families": len(prepared.families),
        "scores": prepared.table.n_scores,
        "evaluation_cpu_seconds": statistics.median(clock.cpu),
        "panel_seconds": made,
    }
    if whole:
        whole_clock = Clock()
        again = whole_clock.time(lambda: model.fit(panel))
        found["fit_seconds"], found["fit_cpu_seconds"] = whole_clock.medians()
        found["steps"] = int(again.starts["steps"].iloc[0])  # type: ignore[attr-defined]
        found["converged"] = bool(again.converged)  # type: ignore[attr-defined]
    found["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _in_own_process(n_skills: int, times: int, whole: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", str(n_skills), str(times), str(int(whole))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help="fit the 18,400 models too")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one[0], chosen.one[1], bool(chosen.one[2]))))
        return
    where = machine()
    data = [
        _in_own_process(k, times, times <= 10 or (chosen.whole and k == 4))
        for k in SKILLS
        for times in TIMES
    ]
    publish("scaling", where, data, _table(data))


def _table(data: list[dict[str, float]]) -> str:
    rows = []
    for run in data:
        first = next(r for r in data if r["skills"] == run["skills"])
        each = 1e6 * run["evaluation_cpu_seconds"] / run["scores"]
        growth = run["evaluation_cpu_seconds"] / first["evaluation_cpu_seconds"]
        more = run["scores"] / first["scores"]
        fit = "fit_cpu_seconds" in run
        rows.append(
            [
                run["skills"],
                f"{run['models']:,}",
                f"{run['families']:,}",
                f"{run['scores']:,}",
                f"{run['evaluation_cpu_seconds']:.3f} s",
                f"{each:.0f} µs",
                f"{growth / more:.2f}",
                f"{run['fit_cpu_seconds']:.1f} s" if fit else "",
                run["steps"] if fit else "",
                f"{run['memory_mb']:.0f} MB",
            ]
        )
    columns = ["K", "models", "families", "scores", "one evaluation, CPU", "per score"]
    columns += ["growth / size", "one fit, CPU", "steps", "peak memory"]
    return markdown(columns, rows)


if __name__ == "__main__":
    main()
