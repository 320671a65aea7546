"""How far off is the log-likelihood, for how many nodes, placed how?

python benchmarks/bench_accuracy.py     (about two minutes)

Errors against 65,536 nodes around each family's posterior mean, at the K = 4 optimum of the 77
complete models and of the 184 models, over several seeds.
"""

from __future__ import annotations

import numpy as np
from common import ANCHORS, machine, markdown, publish
from scipy.special import ndtri
from scipy.stats import qmc

import lvkit as lv
from lvkit.model.marginal import integrate, refined
from lvkit.model.posterior_mode import posterior_modes
from lvkit.model.quadrature import Nodes, make_nodes

COUNTS = (64, 128, 256, 512, 1024, 2048)
SEEDS = range(5)
TRUTH = 65_536


def plain(count: int, seed: int) -> Nodes:
    """Return scrambled Sobol points as they are."""
    uniform = qmc.Sobol(4, scramble=True, rng=np.random.default_rng(seed)).random(count)
    return Nodes.from_points(ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12)))


def measure(panel: lv.Panel) -> tuple[float, list[dict[str, object]]]:
    """Return the precise log-likelihood and the root mean square errors."""
    fit = lv.LatentSkillModel(anchors=ANCHORS).fit(panel)
    table, coefficients = fit.prepared.table, fit.frame.coefficients()
    first = make_nodes(4, 256)
    truth = refined(table, coefficients, first, make_nodes(4, TRUTH, 99)).loglik
    modes = posterior_modes(table, coefficients)
    rows: list[dict[str, object]] = []
    for count in COUNTS:
        errors = {"plain at the mode": [], "lvkit at the mode": [], "lvkit at the mean": []}
        for seed in SEEDS:
            for name, nodes in (
                ("plain", plain(count, seed)),
                ("lvkit", make_nodes(4, count, seed)),
            ):
                value = integrate(table, coefficients, nodes, placement=modes).loglik
                errors[f"{name} at the mode"].append(value - truth)
            value = refined(table, coefficients, first, make_nodes(4, count, seed)).loglik
            errors["lvkit at the mean"].append(value - truth)
        rms = {name: float(np.sqrt(np.mean(np.square(e)))) for name, e in errors.items()}
        rows.append({"nodes": count, **rms})
    return truth, rows


def main() -> None:
    """Measure and publish."""
    where = machine()
    panel = lv.load_leaderboard()
    data = {}
    for name, part in (("77 complete models", panel.complete()), ("184 models", panel)):
        truth, rows = measure(part)
        data[name] = {"loglik": truth, "errors": rows}
    columns = ["nodes"]
    for name in data:
        columns += [f"{name}: plain Sobol, mode", "lvkit's nodes, mode", "lvkit's nodes, mean"]
    table = [
        [count]
        + [f"{v:.3f}" for found in data.values() for v in list(found["errors"][i].values())[1:]]
        for i, count in enumerate(COUNTS)
    ]
    publish("accuracy", where, data, markdown(columns, table))


if __name__ == "__main__":
    main()
