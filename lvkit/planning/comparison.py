"""Comparison of plans: best sizes and token numbers for several targets or families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, count
from lvkit.fit.fit import Fit
from lvkit.planning.constraints import Cost, Limits, log_ratio
from lvkit.planning.optimum import quantiles_of_draws
from lvkit.planning.plan import Plan, containing, plan_compute
from lvkit.planning.plan_text import amount, as_html, association, bound, flops

Array = npt.NDArray[np.float64]

CHINCHILLA = 20.0
"""Tokens per parameter that minimise the loss of a training run, by the rule of Hoffmann et al.
(2022, arXiv:2203.15556)."""


@dataclass(frozen=True, eq=False)
class PlanComparison:
    """Plans for several targets or families on the same budgets.

    Attributes
    ----------
    table : DataFrame
        ``target``, ``family`` and the columns of :attr:`lvkit.planning.Plan.table`, and
        ``chinchilla``: tokens per parameter as a multiple of the rule of 20.
    differences : DataFrame
        A row for each pair of plans and budget: ``first``, ``second``, ``budget``, ``factor`` (the
        first's tokens per parameter over the second's) with ``lower`` and ``upper``, and ``parts``
        (whether the interval leaves out 1). The plans share their draws, so that what is uncertain
        in both cancels.
    plans : tuple of Plan
        The plans.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    plans: tuple[Plan, ...] = field(repr=False)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What the comparison says, in sentences."""
        last = self.table[self.table["budget"] == self.table["budget"].max()]
        beside = [
            f"{_called(row)}: {amount(row['tokens_per_param'])} tokens per parameter, "
            f"{amount(row['chinchilla'])} times the rule of {CHINCHILLA:g}{_bound(row)}."
            for _, row in last.iterrows()
        ]
        return (*beside, *self._partings(), association(self.plans[0].fit))

    def _partings(self) -> list[str]:
        said = []
        for (first, second), rows in self.differences.groupby(["first", "second"], sort=False):
            if rows["lower"].isna().all():
                continue
            parts = int(rows["parts"].sum())
            row = rows[rows["parts"] == bool(parts)].iloc[-1]
            if (rows["lower"] == rows["upper"]).all() and np.allclose(rows["factor"], 1.0):
                said.append(
                    f"The best splits of {first} and {second} are the same, in every draw: what "
                    "tells the two apart does not move them."
                )
                continue
            ends = f"{amount(row['lower'])} to {amount(row['upper'])}"
            if parts:
                some = f"on {parts} of {len(rows)} budgets, such as {flops(row['budget'])}"
                where = "on every budget" if parts == len(rows) else some
                said.append(
                    f"The best splits of {first} and {second} part {where}: "
                    f"{amount(row['factor'])} times the tokens per parameter, {ends}."
                )
            else:
                said.append(
                    f"The data do not tell the best splits of {first} and {second} apart: the "
                    f"factor may be anything from {ends}."
                )
        return said

    def _repr_html_(self) -> str:
        shown = ["target", "family", "budget", "params_b", "tokens_t", "tokens_per_param"]
        return as_html(self.words, self.table[[*shown, "chinchilla", "value", "corner"]])


def compare_plans(
    fit: Fit,
    budgets: float | Sequence[float] | Array,
    *,
    targets: Sequence[str | Mapping[str, float]],
    families: Sequence[str | None] | None = None,
    level: float | None = 0.95,
    limits: Limits | None = None,
    cost: Cost | None = None,
    attributes: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> PlanComparison:
    """Plan for several targets or families on the same budgets, and say where their optima part.

    Parameters
    ----------
    fit : Fit
        The fit.
    budgets : float or sequence of float
        FLOPs.
    targets : sequence
        Targets as in :func:`lvkit.plan_compute`.
    families : sequence, optional
        Families as there; a new recipe if left out.
    level, limits, cost, attributes, seed
        As there.

    Returns
    -------
    PlanComparison

    Raises
    ------
    LvkitError
        With fewer than two plans to compare, and for whatever :func:`lvkit.plan_compute` refuses.
    """
    chosen = [targets] if isinstance(targets, Mapping) else _several(targets)
    whose = _several(families)
    if len(chosen) * len(whose) < 2:
        raise LvkitError(
            f"got {count(len(chosen), 'target')} and {count(len(whose), 'family')}",
            where="compare_plans",
            expected="two or more targets, or two or more families",
            remedy="Use lv.plan_compute for one.",
        )
    plans = tuple(
        plan_compute(
            fit,
            budgets,
            target=target,
            family=family,
            level=level,
            limits=limits,
            cost=cost,
            attributes=attributes,
            seed=seed,
        )
        for target in chosen
        for family in whose
    )
    tables = [plan.table.assign(target=plan.target.label, family=plan.family) for plan in plans]
    table = pd.concat(tables, ignore_index=True)
    table["chinchilla"] = table["tokens_per_param"] / CHINCHILLA
    front = ["target", "family"]
    table = table[[*front, *(c for c in table.columns if c not in front)]]
    return PlanComparison(table, _differences(plans), plans)


def _several(given: Any) -> list[Any]:
    """Return targets or families as a list; a single one, or none, makes a list of one."""
    if given is None or isinstance(given, str):
        return [given]
    try:
        return list(given)
    except TypeError:
        raise LvkitError(
            f"got {given!r}", where="compare_plans", expected="a list of targets, or of families"
        ) from None


def _bound(row: pd.Series[Any]) -> str:
    """Return which bound the best point lies on, as an aside; nothing if it lies inside."""
    if "bracket" in row["corner"]:
        return f", the end of what is looked at ({row['corner'].removesuffix(' (bracket)')})"
    return f", where {bound(row['corner'])}" if row["corner"] else ""


def _called(row: pd.Series[Any]) -> str:
    return f"{row['target']} of {row['family']}"


def _differences(plans: tuple[Plan, ...]) -> pd.DataFrame:
    """Return the pairs' ratios of tokens per parameter, with intervals from shared draws."""
    names = [f"{plan.target.label} of {plan.family}" for plan in plans]
    drawn = [_drawn_ratios(plan) for plan in plans]
    tables = []
    for a, b in combinations(range(len(plans)), 2):
        first, second = plans[a].table, plans[b].table
        factor = first["tokens_per_param"] / second["tokens_per_param"]
        rows = pd.DataFrame({"budget": first["budget"], "factor": factor})
        rows.insert(0, "first", names[a])
        rows.insert(1, "second", names[b])
        ends = _interval(plans[a].level, drawn[a], drawn[b])
        rows["lower"], rows["upper"] = containing(factor.to_numpy(), *ends)
        rows["parts"] = (rows["lower"] > 1.0) | (rows["upper"] < 1.0)
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def _drawn_ratios(plan: Plan) -> Array | None:
    """Return draws of the log of tokens per parameter, shape (F, n)."""
    sizes = plan.drawn_sizes
    if sizes is None:
        return None
    span = plan.aim.span(plan.table["budget"].to_numpy())
    return log_ratio(sizes, span.tokens(sizes))


def _interval(
    level: float | None, first: Array | None, second: Array | None
) -> tuple[Array, Array]:
    if level is None or first is None or second is None:
        return np.array(np.nan), np.array(np.nan)
    ends = quantiles_of_draws(first - second, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=0)
    return 10.0 ** ends[0], 10.0 ** ends[1]
