"""Do planned optima converge to the true one, and do their intervals hold it?

python benchmarks/plan_coverage.py [--jobs 2]     (about fifteen minutes of one core)

Panels are drawn from known parameters with a positive interaction of size and tokens, at growing
numbers of families, and fitted; each fit plans the size for one budget. The true optimum is known:
``s - t = (b_s - b_t) / b_st``. Every replication is stored as soon as it is done; what is stored is
not run again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from common import HERE, machine

import lvkit as lv
from lvkit.tools.files import write_whole
from lvkit.tools.parallel import run
from lvkit.tools.progress import progress_bar

REPLICATIONS = {50: 100, 100: 100, 200: 200, 400: 40}
BUDGET, LEVEL = 1e22, 0.95
MODELS_PER_FAMILY = 3
NAMES = ["arc", "bbh", "gsm8k", "hellaswag", "mmlu", "winogrande"]

# Two skills on six benchmarks of the embedded leaderboard, rounded: the truth of docs/study.md with
# the benchmarks it can do without left out.
TRUTH = lv.Parameters(
    loadings=np.array([[0.1, 0.24], [0.2, 0.0], [0.7, -0.1], [0.0, 0.44], [0.4, 0.0], [0.1, 0.2]]),
    intercepts=np.array([0.0, -0.4, -0.5, 1.0, -0.1, 0.9]),
    precisions=np.array([400.0, 190.0, 10.0, 280.0, 130.0, 400.0]),
    floors=np.zeros(6),
    slopes=np.array([[1.3, 0.6, 0.6], [1.8, 0.7, 0.4]]),
    correlation=np.array([[1.0, 0.6], [0.6, 1.0]]),
)
TARGETS = {"knowledge": 0, "common sense": 1}
MODEL = lv.LatentSkillModel(anchors={"knowledge": "mmlu", "common sense": "hellaswag"})


def true_ratio(target: str) -> float:
    """Return log10 of the best tokens per parameter, from the parameters."""
    by_size, by_tokens, together = TRUTH.slopes[TARGETS[target]]
    return float(3.0 - (by_size - by_tokens) / together)


def replicate(families: int, replication: int) -> list[dict[str, object]]:
    """Draw, fit and plan once; a row for each target."""
    seed = int(np.random.SeedSequence([7, families, replication]).generate_state(1)[0])
    models = lv.simulate_models(families, MODELS_PER_FAMILY, seed=seed)
    panel = lv.simulate(TRUTH, models, benchmarks=NAMES, seed=seed)
    rows: list[dict[str, object]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lv.LvkitWarning)
        fit = MODEL.fit(panel, seed=0)
        for target in TARGETS:
            told = {"families": families, "replication": replication, "target": target}
            if not fit.converged:
                rows.append(told | {"converged": False})
                continue
            plan = lv.plan_compute(fit, BUDGET, target=target, level=LEVEL).table.iloc[0]
            ratios = np.log10([plan["tokens_per_param" + end] for end in ("", "_lower", "_upper")])
            names = ("planned", "lower", "upper")
            found = dict(zip(names, ratios.tolist(), strict=True))
            rows.append(told | {"converged": True, **found, "interior": plan["interior"]})
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return error and coverage for each target and number of families."""
    rows = rows[rows["converged"]].copy()
    rows["truth"] = rows["target"].map(true_ratio)
    rows["error"] = rows["planned"] - rows["truth"]
    rows["covers"] = (rows["lower"] <= rows["truth"]) & (rows["truth"] <= rows["upper"])
    groups = rows.groupby(["target", "families"])
    return pd.DataFrame(
        {
            "replications": groups.size(),
            "median_error": groups["error"].median(),
            "median_absolute_error": groups["error"].apply(lambda error: error.abs().median()),
            "coverage": groups["covers"].mean(),
            "width": groups.apply(lambda group: (group["upper"] - group["lower"]).median()),
        }
    )


def missing(rows: list[dict[str, object]], share: float) -> Iterator[tuple[int, int]]:
    """Yield the replications that are still to be run."""
    done = {(row["families"], row["replication"]) for row in rows}
    for families, count in REPLICATIONS.items():
        for replication in range(max(1, round(count * share))):
            if (families, replication) not in done:
                yield families, replication


def main() -> None:
    """Run what is missing, and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="a part of the replications")
    chosen = parser.parse_args()
    path = HERE / "results" / "plan_coverage.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    tasks = list(missing(rows, chosen.share))
    with progress_bar(True, total=len(tasks), label="Planning") as bar:
        for found in run(replicate, tasks, chosen.jobs):
            rows += found
            table = summary(pd.DataFrame(rows)).reset_index().to_dict("records")
            document = {"machine": machine(), "level": LEVEL, "summary": table, "rows": rows}
            write_whole(path, json.dumps(document, indent=None) + "\n")
            bar.update()
    print(summary(pd.DataFrame(rows)).round(3).to_string())


if __name__ == "__main__":
    main()
