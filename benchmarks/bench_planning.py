"""How quick are plans?

python benchmarks/bench_planning.py        (about a minute)

Medians on one thread, after one warm-up. A plan is the first for its fit, of which nothing is kept
yet, unless its name says that it comes after others of its family. The peer of a plan is what a
user would write: for each budget, scipy's bounded scalar search over the size.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy

import numpy as np
from common import ANCHORS, Clock, machine, markdown, publish
from scipy.optimize import minimize_scalar

import lvkit as lv

BUDGETS = np.logspace(20.0, 25.0, 1_000)


def plans(fit: lv.Fit) -> dict[str, tuple[Callable[[], object], str]]:
    """Return what is timed, and the target for its wall time."""
    mix = dict.fromkeys(fit.benchmarks, 1.0)

    def plan(budgets: object, target: object, level: float | None = 0.95) -> Callable[[], object]:
        return lambda: lv.plan_compute(
            unplanned(fit), budgets, target=target, family="qwen2", level=level
        )

    def again() -> object:
        return lv.plan_compute(fit, 1e22, target="mathematics", family="qwen2")

    def need() -> object:
        return lv.required_compute(unplanned(fit), target="mmlu_pro", score=0.6, family="qwen2")

    return {
        "one plan without intervals": (plan(1e22, "mathematics", None), "< 50 ms"),
        "one plan with intervals": (plan(1e22, "mathematics"), "< 300 ms"),
        "one more of the same family": (again, "< 300 ms"),
        "one plan for a mix of 12 benchmarks": (plan(1e22, mix), "< 300 ms"),
        "1,000 budgets for a skill, with intervals": (plan(BUDGETS, "mathematics"), "< 1 s"),
        "1,000 budgets for a benchmark, with intervals": (plan(BUDGETS, "mmlu"), "< 1 s"),
        "1,000 budgets for a mix of 12, with intervals": (plan(BUDGETS, mix), ""),
        "1,000 budgets for a skill, without intervals": (plan(BUDGETS, "mathematics", None), ""),
        "required compute of a score": (need, ""),
    }


def unplanned(fit: lv.Fit) -> lv.Fit:
    """Return a fit of which plans have kept nothing; its parameters' errors are measured."""
    fit.curvature  # noqa: B018  measured once, here
    return copy(fit)


def by_scipy(fit: lv.Fit) -> Callable[[], object]:
    """Return the peer: the best size on each of 1,000 budgets, one search after another."""
    slopes = fit.slopes.loc["mathematics"].to_numpy()

    def search() -> list[float]:
        sizes = []
        for budget in BUDGETS:
            both = np.log10(budget / 6.0) - 21.0

            def worse(s: float, both: float = both) -> float:
                return -float(slopes @ (s, both - s, s * (both - s)))

            sizes.append(minimize_scalar(worse, bounds=(-8.0, 8.0), method="bounded").x)
        return sizes

    return search


def main() -> None:
    """Time everything and publish."""
    warnings.simplefilter("ignore", lv.LvkitWarning)
    where = machine()
    fit = lv.LatentSkillModel(anchors=ANCHORS).fit(lv.load_leaderboard())
    rows, data = [], {}
    peer = Clock()
    for _ in range(3):
        peer.time(by_scipy(fit))
    for name, (work, target) in plans(fit).items():
        clock = Clock()
        work()
        for _ in range(7):
            clock.time(work)
        wall, cpu = clock.medians()
        same = "1,000 budgets for a skill" in name
        ratio = f"{peer.medians()[1] / cpu:.1f}" if same else ""
        rows.append([name, f"{wall * 1e3:.0f} ms", f"{cpu * 1e3:.0f} ms", target, ratio])
        data[name] = {"wall": wall, "cpu": cpu}
    data["scipy, 1,000 budgets"] = dict(zip(("wall", "cpu"), peer.medians(), strict=True))
    columns = ["what", "wall", "CPU", "target", "CPU, scipy / lvkit"]
    publish("planning", where, data, markdown(columns, rows))


if __name__ == "__main__":
    main()
