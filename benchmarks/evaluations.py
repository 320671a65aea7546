"""Does a plan of evaluations pay? Planned order beside random order, on models that were held out.

python benchmarks/evaluations.py     (a minute or two)

One fold for each lineage: it is held out as a whole, the model is fitted to the others, and the
largest model of the lineage that has every score is treated as a new recipe of which nothing is
known. Its true scores are then revealed one at a time, in the planned order, planned anew after
each score, and in random orders; after each the posterior of its skills is computed from what has
been revealed. Stores benchmarks/results/evaluations.json and draws docs/figures/evaluations.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ANCHORS, HERE, machine, markdown

import lvkit as lv
from lvkit.estimation.estimate import refit
from lvkit.model.marginal import integrate
from lvkit.model.quadrature import make_nodes
from lvkit.model.score_table import ScoreTable
from lvkit.planning.evaluations import plan_evaluations
from lvkit.plots import drawing as draw
from lvkit.prediction.folds import Fold, folds
from lvkit.prediction.request import read_request
from lvkit.reports.as_json import plain
from lvkit.tools.files import write_whole

RANDOM_ORDERS = 20
_NODES = 256
_GRID = np.linspace(0.0, 1.0, 41)
"""Shares of the cost of everything, at which curves by cost are compared."""

Order = tuple[str, ...]


class Reveal:
    """A held-out model whose scores come to light one by one."""

    def __init__(self, fit: lv.Fit, row: pd.DataFrame, scores: pd.Series) -> None:
        self.fit, self.row, self.scores = fit, row, scores[list(fit.benchmarks)]
        request = read_request(fit, row, "population")
        self.features, self.design = request.features, request.design
        self.weights = np.einsum("r,rkq->kq", request.design[0], fit.frame.factor)

    def posteriors(self, sets: Sequence[frozenset[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n, K) and covariance (n, K, K) of the skills, given each set of scores."""
        known = [[name in some for name in self.fit.benchmarks] for some in sets]
        scores = np.where(known, self.scores.to_numpy(float), np.nan)
        n, q = len(sets), self.weights.shape[1]
        table = ScoreTable.build(
            scores,
            np.arange(n),
            np.repeat(self.features, n, axis=0),
            np.repeat(self.design, n, axis=0),
            self.fit.model.clip,
        )
        found = integrate(table, self.fit.frame.coefficients(), make_nodes(q, _NODES, 0))
        covariance = self.weights @ found.covariance @ self.weights.T
        return found.mean @ self.weights.T, covariance

    def again(self, target: str | None, costs: str | None) -> Order:
        """Return the order in which benchmarks are run if each score changes the plan."""
        order: list[str] = []
        for _ in self.fit.benchmarks:
            row = self.row.assign(**{name: self.scores[name] for name in order})
            plan = plan_evaluations(self.fit, row, target=target, costs=costs, most=1)
            order.append(plan.table["benchmark"].iloc[0])
        return tuple(order)


def held_out(panel: lv.Panel, fold: Fold) -> str | None:
    """Return the largest model of a fold that has every score."""
    models = panel.models.loc[list(fold.test)]
    complete = models[panel.scores.loc[models.index].notna().all(axis=1)]
    if complete.empty:
        return None
    return str(complete.sort_values("params_b", ascending=False, kind="stable").index[0])


Planned = dict[tuple[str, str, str], Order]
Forecasts = dict[tuple[str, str], list[float]]


def orders_of(reveal: Reveal, seed: int) -> tuple[Planned, list[Order], Forecasts]:
    """Return planned orders by (target, cost, way), random ones, and what the plans expect."""
    targets = {name: name for name in reveal.fit.skills} | {"all skills": None}
    orders: Planned = {}
    forecasts: Forecasts = {}
    for label, target in targets.items():
        for cost, costs in (("count", None), ("items", "items")):
            plan = plan_evaluations(reveal.fit, reveal.row, target=target, costs=costs)
            orders[label, cost, "planned"] = tuple(plan.table["benchmark"])
            forecasts[label, cost] = [plan.table["sd_before"].iloc[0], *plan.table["sd_after"]]
            orders[label, cost, "planned anew"] = reveal.again(target, costs)
    rng = np.random.default_rng([2512, seed])
    names = reveal.fit.benchmarks
    return orders, [tuple(rng.permutation(names)) for _ in range(RANDOM_ORDERS)], forecasts


def prefixes(order: Order) -> list[frozenset[str]]:
    """Return what is known after one benchmark, two, and so on."""
    return [frozenset(order[:m]) for m in range(1, len(order) + 1)]


def curves(reveal: Reveal, seed: int) -> list[dict[str, Any]]:
    """Return standard deviations and errors along each order, a row for each step."""
    orders, chance, forecasts = orders_of(reveal, seed)
    sets = list({some for order in (*orders.values(), *chance) for some in prefixes(order)})
    mean, covariance = reveal.posteriors(sets)
    place = {some: at for at, some in enumerate(sets)}
    prior = (np.zeros(len(reveal.weights)), reveal.weights @ reveal.weights.T)
    items = reveal.fit.panel.benchmarks["n_items"].astype(float)
    goal = mean[place[frozenset(reveal.fit.benchmarks)]]
    prior = (prior[0] + (reveal.features @ reveal.fit.frame.slopes.T)[0], prior[1])
    goal = goal + prior[0]

    def rows(label: str, cost: str, way: str, order: Order) -> list[dict[str, Any]]:
        at = np.arange(len(reveal.weights))
        if label != "all skills":
            at = np.array([reveal.fit.skills.index(label)])
        steps = [(prior[0], prior[1])]
        steps += [(mean[place[s]] + prior[0], covariance[place[s]]) for s in prefixes(order)]
        spent = np.concatenate([[0.0], np.cumsum(items[list(order)].to_numpy())])
        return [
            {"target": label, "cost": cost, "way": way, "m": m, "spent": spent[m] / spent[-1],
             "variance": float(np.diag(p)[at].mean()),
             "square": float(((z - goal)[at] ** 2).mean())}
            for m, (z, p) in enumerate(steps)
        ]  # fmt: skip

    out = [row for key, order in orders.items() for row in rows(*key, order)]
    out += [
        {"target": label, "cost": cost, "way": "forecast", "m": m, "variance": sd**2}
        for (label, cost), steps in forecasts.items()
        if cost == "count"
        for m, sd in enumerate(steps)
    ]
    for label in (*reveal.fit.skills, "all skills"):
        for number, order in enumerate(chance):
            for cost in ("count", "items"):
                out += rows(label, cost, f"random {number}", order)
    return out


def measure() -> pd.DataFrame:
    """Return all curves of all held-out models."""
    panel = lv.load_leaderboard()
    fit = lv.LatentSkillModel(anchors=ANCHORS).fit(panel)
    found: list[pd.DataFrame] = []
    for seed, fold in enumerate(folds(panel, fit.prepared.models, keep=0)):
        name = held_out(panel, fold)
        if name is None:
            continue
        smaller = lv.Fit.of(refit(fit, panel.select(models=list(fold.train))))
        row = fold.question(panel).loc[[name]]
        reveal = Reveal(smaller, row, panel.scores.loc[name])
        found.append(pd.DataFrame(curves(reveal, seed)).assign(model=name))
        print(name, flush=True)
    return pd.concat(found, ignore_index=True)


def by_count(table: pd.DataFrame) -> pd.DataFrame:
    """Standard deviations and errors after m benchmarks, mean over models (and random orders)."""
    some = table[table["cost"] == "count"]
    some = some.assign(sd=np.sqrt(some["variance"]), error=np.sqrt(some["square"]),
                       way=some["way"].str.replace(r" \d+$", "", regex=True))  # fmt: skip
    return some.groupby(["target", "way", "m"])[["sd", "error"]].mean()


def by_cost(table: pd.DataFrame) -> pd.DataFrame:
    """The same at shares of the cost of all benchmarks, by the last benchmark that is paid for."""
    some = table[table["cost"] == "items"]
    rows = []
    for (target, way, model), steps in some.groupby(["target", "way", "model"]):
        at = np.searchsorted(steps["spent"].to_numpy(), _GRID + 1e-12, side="right") - 1
        step = steps.iloc[at]
        rows.append(pd.DataFrame({"target": target, "way": str(way).split(" ")[0]
                                  if str(way).startswith("random") else way, "model": model,
                                  "share": _GRID, "sd": np.sqrt(step["variance"].to_numpy()),
                                  "error": np.sqrt(step["square"].to_numpy())}))  # fmt: skip
    return pd.concat(rows).groupby(["target", "way", "share"])[["sd", "error"]].mean()


def equivalents(curve: pd.DataFrame, steps: Sequence[float], column: str = "sd") -> list[float]:
    """How far random order must go, by interpolation, to come where the plan is after each step."""
    planned, chance = curve.loc["planned", column], curve.loc["random", column]
    falling = np.minimum.accumulate(chance.to_numpy())
    axis = chance.index.to_numpy(float)
    return [float(np.interp(-planned.loc[m], -falling, axis)) for m in steps]


def summary(count: pd.DataFrame, cost: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is published, a row for each target."""
    rows = []
    for target in dict.fromkeys(count.index.get_level_values("target")):
        curve, priced = count.loc[target], cost.loc[target]
        row: dict[str, Any] = {"target": target}
        for m in (1, 2, 3, 4, 6):
            for way in ("planned", "planned anew", "random"):
                row[f"{way}, {m}"] = curve.loc[(way, m), "sd"]
                row[f"{way}, {m}, error"] = curve.loc[(way, m), "error"]
        row["random needs"] = dict(zip((1, 2, 3, 4), equivalents(curve, (1, 2, 3, 4)), strict=True))
        shares = [float(priced.index.levels[1][at]) for at in (2, 4, 8)]
        row["share of cost random needs"] = dict(
            zip(("5%", "10%", "20%"), equivalents(priced, shares), strict=True)
        )
        rows.append(row)
    return rows


def wins(table: pd.DataFrame, m: int) -> dict[str, dict[str, int]]:
    """In how many models planned order is ahead after m benchmarks, by target."""
    some = table[(table["cost"] == "count") & (table["m"] == m)]
    sd = np.sqrt(some.pivot(index=["target", "model"], columns="way", values="variance"))
    chance = sd.filter(like="random")
    ahead = pd.DataFrame(
        {
            "of the mean random order": sd["planned"] < chance.mean(axis=1),
            "of every random order": sd["planned"] <= chance.min(axis=1) + 1e-9,
        }
    )
    return ahead.groupby("target").sum().to_dict("index")


def as_lists(curves: pd.DataFrame, axis: str) -> dict[str, Any]:
    """Return curves as lists along their axis, by target, way and measure."""
    out: dict[str, Any] = {axis: [round(float(x), 3) for x in curves.index.unique(axis)]}
    for (target, way), curve in curves.round(4).groupby(["target", "way"]):
        out[f"{target}, {way}"] = {name: curve[name].tolist() for name in curve}
    return out


def table_of(rows: list[dict[str, Any]]) -> str:
    """Return the summary as a table."""
    head = ["target", "after 1: planned / random", "after 2", "after 3", "after 4",
            "random needs, for planned 1 / 2 / 3 / 4",
            "share of items random needs, for 5 / 10 / 20 %"]  # fmt: skip
    lines = []
    for row in rows:
        cells = [f"{row[f'planned, {m}']:.2f} / {row[f'random, {m}']:.2f}" for m in (1, 2, 3, 4)]
        needs = " / ".join(f"{value:.1f}" for value in row["random needs"].values())
        shares = " / ".join(
            f"{100 * value:.0f} %" for value in row["share of cost random needs"].values()
        )
        lines.append([row["target"], *cells, needs, shares])
    return markdown(head, lines)


def figure(count: pd.DataFrame, models: int) -> draw.Picture:
    """Draw standard deviations after m benchmarks: planned and random order, for each target."""
    targets = list(dict.fromkeys(count.index.get_level_values("target")))
    label = f"benchmarks run (mean of {models} held-out models)"
    ax = draw.canvas(None, width=9.6, height=3.0, xlabel=label,
                     ylabel="standard deviation of the target")  # fmt: skip
    blue, orange = draw.palette()[0], draw.palette()[3]
    most = int(count.index.get_level_values("m").max())
    for number, target in enumerate(targets):
        square = ax.inset_axes((number / len(targets), 0.0, 0.92 / len(targets), 0.9))
        curve = count.loc[target]
        square.plot(curve.loc["random", "sd"], "--", color=draw.GREY, lw=2.0, label="random order")
        square.plot(curve.loc["planned", "sd"], "-o", color=blue, ms=3.5, lw=2.0, label="planned")
        square.plot(curve.loc["random", "error"], "--", color=orange, lw=1.0, alpha=0.8,
                    label="error, random")  # fmt: skip
        square.plot(curve.loc["planned", "error"], "-", color=orange, lw=1.0,
                    label="error, planned")  # fmt: skip
        square.set(ylim=(0, 1.25), xlim=(-0.3, most + 0.3))
        square.set_title(target, fontsize=9)
        square.set_xticks(range(0, most + 1, 4))
        square.tick_params(labelsize=8)
        if number:
            square.set_yticklabels([])
        draw.tidy(square, grid="both")
    ax.set(xticks=[], yticks=[])
    ax.xaxis.labelpad = ax.yaxis.labelpad = 20
    ax.legend(*square.get_legend_handles_labels(), ncols=4, frameon=False, fontsize=8,
              loc="lower center", bbox_to_anchor=(0.5, 1.0))  # fmt: skip
    draw.tidy(ax, spines=False)
    return draw.picture(ax, described(count, models))


def described(count: pd.DataFrame, models: int) -> str:
    """Return what is to be seen in the figure."""
    after = [
        f"{target} {count.loc[(target, 'planned', 3), 'sd']:.2f} and "
        f"{count.loc[(target, 'random', 3), 'sd']:.2f}"
        for target in dict.fromkeys(count.index.get_level_values("target"))
    ]
    return (
        "Standard deviation of each skill against the number of benchmarks run, in planned and in "
        f"random order, mean of {models} held-out models. After three benchmarks, planned and "
        f"random: {', '.join(after)}. Errors fall in the same way."
    )


def main() -> None:
    """Measure, store and draw."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    table = measure()
    count, cost = by_count(table), by_cost(table)
    rows = summary(count, cost)
    stored = {
        "machine": machine(),
        "models": sorted(table["model"].unique()),
        "random_orders": RANDOM_ORDERS,
        "summary": rows,
        "ahead": {str(m): wins(table, m) for m in (1, 2, 3, 4)},
        "by_count": as_lists(count, "m"),
        "by_cost": as_lists(cost, "share"),
    }
    text = json.dumps(plain(stored)) + "\n"
    write_whole(HERE / "results" / "evaluations.json", text.encode())
    made = figure(count, table["model"].nunique())
    write_whole(Path(HERE).parent / "docs" / "figures" / "evaluations.png", made.png)
    print(made.alt)
    print(table_of(rows))


if __name__ == "__main__":
    main()
