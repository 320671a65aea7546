"""How do the two estimators compare: log-likelihood, estimates, time and memory?

python benchmarks/bench_estimators.py        (about two minutes)

Each climb runs in a process of its own, from the same start, on one thread.
"""

from __future__ import annotations

import json

from common import ANCHORS, REFERENCE, fresh, machine, markdown, publish

SEEDS = (0, 1, 2, 3)

CLIMB = """
import json, resource, sys, time
import pandas as pd
import lvkit as lv
from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.psga import ProjectedStochasticAscent
from lvkit.estimation.starts import principal
from lvkit.estimation.estimate import climb_from, make_fit, objective_for, prepared_for

which, method, seed, reference, anchors = sys.argv[1:]
estimator = {"mml": MarginalNewton(), "psga": ProjectedStochasticAscent()}[method]
panel = lv.load_leaderboard()
panel = panel.complete() if which == "complete" else panel
model = lv.LatentSkillModel(anchors=json.loads(anchors))
prepared = prepared_for(model, panel)
objective = objective_for(model, prepared, 4)
start = principal(objective.table, 4)
objective.measure(start, 64)  # so that lazy imports are done
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
wall, cpu = time.perf_counter(), time.process_time()
climbs = list(climb_from(objective, [("start", start)], estimator, seed=int(seed), n_jobs=1))
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
fit = lv.Fit.of(make_fit(
    model, panel, prepared, objective, climbs, best=climbs[0], method=method, seed=int(seed)
))
table = pd.read_csv(reference, index_col="parameter")
apart = (fit.summary()["estimate"] - table["estimate"]).abs() / table["std_error"]
trace = climbs[0].ascent.trace
print(json.dumps({
    "models": fit.n_models, "loglik": fit.loglik, "converged": fit.converged,
    "message": fit.message, "iterations": trace[-1].iteration, "seconds": wall,
    "cpu_seconds": cpu, "memory_mb": after, "memory_before_mb": before,
    "loadings_apart": float(apart[apart.index.str.startswith("loading")].max()),
    "all_apart": float(apart.max()),
    "trace": [[step.iteration, step.loglik, step.expected_gain] for step in trace],
}))
"""


def climb(which: str, method: str, seed: int) -> dict[str, object]:
    """Run one climb."""
    reference = str(REFERENCE / f"tmb_{which}.csv")
    return fresh(CLIMB, which, method, str(seed), reference, json.dumps(ANCHORS))


def main() -> None:
    """Measure and publish."""
    where = machine()
    data = {}
    for which in ("complete", "all"):
        data[which] = {"mml": [climb(which, "mml", 0)]}
        data[which]["psga"] = [climb(which, "psga", seed) for seed in SEEDS]
    publish("estimators", where, data, _table(data))


def _table(data: dict[str, dict[str, list[dict[str, object]]]]) -> str:
    rows = []
    for runs in data.values():
        top = runs["mml"][0]["loglik"]
        for method, several in runs.items():
            for seed, run in enumerate(several):
                rows.append(
                    [
                        run["models"],
                        f"{method}, seed {seed}",
                        f"{run['loglik']:.2f}",
                        f"{run['loglik'] - top:+.2f}",
                        f"{run['loadings_apart']:.2f}",
                        f"{run['all_apart']:.2f}",
                        run["iterations"],
                        f"{run['seconds']:.1f} s",
                        f"{run['cpu_seconds']:.1f} s",
                        f"{run['memory_mb']:.0f} MB",
                        f"{run['memory_mb'] - run['memory_before_mb']:.0f} MB",
                    ]
                )
    columns = ["models", "method", "log-likelihood", "beside mml"]
    columns += ["loadings, apart", "all, apart", "steps", "wall", "CPU", "peak memory", "its own"]
    return markdown(columns, rows)


if __name__ == "__main__":
    main()
