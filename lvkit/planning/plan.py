"""Compute-optimal plans: the best size and number of tokens for each budget.

The plan describes what went along with what in the fitted models. It is not an experiment: tokens
vary within few families, so that the slope of tokens mostly compares recipes
(:func:`lvkit.within_between` tells how far).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError
from lvkit.fit.fit import Fit
from lvkit.planning.constraints import Cost, Limits, Span, log_ratio
from lvkit.planning.family_curves import check_family
from lvkit.planning.feature_surface import Region
from lvkit.planning.optimum import Aim, quantiles_of_draws
from lvkit.planning.plan_text import as_html, plan_words
from lvkit.planning.target import Target
from lvkit.tools.checks import check_level

Array = npt.NDArray[np.float64]

_CORNER = 1e-6
"""A best size closer than this, in powers of ten, to an end of its span is at the end."""

_MORE = 1.01
"""A little more of the budget, to see whether it raises the target."""

_ROUNDING = 1e-9
"""An estimate that lies outside an interval by less is at its end."""

_LEAST_BUDGET, _MOST_BUDGET = 1e12, 1e35

_ENDS = ("", "_lower", "_upper")


@dataclass(frozen=True, eq=False)
class Plan:
    """What to train on which budget.

    Attributes
    ----------
    table : DataFrame
        A row for each budget:

        ``budget`` and ``spent``, in FLOPs, which differ only where limits keep a part from being
        spent;
        ``params_b``, ``tokens_t`` and ``tokens_per_param``: the best size (billions), tokens
        (trillions) and their ratio, each with the ends of an interval, ``_lower`` and ``_upper``;
        ``value``: the target's expectation there, with ``median``, ``lower`` and ``upper`` of its
        distribution (expected scores, without the scatter of a single measurement);
        ``corner``: which bound the best point lies on, "" if it lies inside;
        ``interior``: share of the draws whose best point lies inside;
        ``falls``: whether a little more of the budget would lower the target;
        ``extrapolates`` and ``distance``: whether, and by how many powers of ten, the point lies
        outside the convex hull of the fitted models' log sizes and log tokens.

        Columns that need draws are NaN with ``level=None``. So are the ends of an interval that
        would not contain its estimate. Where the unit of ``value`` is undefined (a skill on which
        families do not differ) its interval is unbounded, from minus infinity to infinity. In both
        cases ``words`` says why.
    level : float or None
        Level of the intervals.
    aim : Aim
        What was asked for.
    drawn_sizes : ndarray, shape (draws, budgets), or None
        Log10 of the best size (billions) in each draw of the parameters; None with ``level=None``.
    """

    table: pd.DataFrame
    level: float | None
    aim: Aim = field(repr=False)
    drawn_sizes: Array | None = field(repr=False, default=None)

    @property
    def fit(self) -> Fit:
        """The fit."""
        return self.aim.fit

    @property
    def target(self) -> Target:
        """What is aimed at."""
        return self.aim.target

    @property
    def family(self) -> str:
        """For whom, in words."""
        return check_family(self.aim.fit, self.aim.family)

    @property
    def models(self) -> pd.DataFrame:
        """The planned models, as ``fit.predict`` takes them.

        Those of the average recipe have no family: to ``fit.predict`` their recipe is unknown.
        """
        known = self.aim.family if self.aim.family in self.fit.families else None
        budgets = enumerate(self.table["budget"], start=1)
        names = [f"plan {number}: {budget:.3g} FLOPs" for number, budget in budgets]
        return pd.DataFrame(
            {
                "model": names,
                "family": known,
                "params_b": self.table["params_b"].to_numpy(),
                "tokens_t": self.table["tokens_t"].to_numpy(),
                **self.aim.surface.attributes,
            }
        )

    def surface(self, params_b: npt.ArrayLike, tokens_t: npt.ArrayLike) -> Array:
        """Return the target's expectation at any sizes and tokens, which broadcast.

        Raises
        ------
        LvkitError
            For sizes or tokens that are no positive numbers.
        """
        s, t = (_logs(x, name) for x, name in ((params_b, "params_b"), (tokens_t, "tokens_t")))
        return self.aim.centre.value(self.target, s, t)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What the plan says, in sentences."""
        return plan_words(self.table, self.level, self.aim)

    def _repr_html_(self) -> str:
        shown = ["budget", "params_b", "tokens_t", "tokens_per_param", "value", "lower", "upper"]
        return as_html(self.words, self.table[[*shown, "corner", "extrapolates"]])


def plan_compute(
    fit: Fit,
    budgets: float | Sequence[float] | Array,
    *,
    target: str | Mapping[str, float],
    family: str | None = None,
    level: float | None = 0.95,
    limits: Limits | None = None,
    cost: Cost | None = None,
    attributes: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Plan:
    """Return the size and tokens that make the most of compute budgets.

    Parameters
    ----------
    fit : Fit
        A fit whose features hold size and tokens.
    budgets : float or sequence of float
        In FLOPs, such as ``1e22``.
    target : str or mapping of str to float
        What to make the most of: a skill, a benchmark's expected score, or names with weights (all
        skills or all benchmarks). A name that is both a skill's and a benchmark's is refused:
        ``"skill:x"`` or ``"benchmark:x"`` says which.
    family : str, optional
        A fitted family; None for a new recipe, drawn from the population; ``"average recipe"`` for
        the population's average.
    level : float, optional
        Level of the intervals; None for none, which is quick.
    limits : Limits, optional
        Least and greatest size, tokens and tokens per parameter. Without limits, from 0.001 to 10
        million tokens per parameter are looked at.
    cost : Cost, optional
        What training costs, and serving if it is to be paid from the budget; ``C = 6 N D`` if left
        out.
    attributes : mapping, optional
        Values of other columns that the features need, such as ``{"instruct": True}``; by default
        what all models of the family have in common.
    seed : int
        Seed of the draws.

    Returns
    -------
    Plan

    Raises
    ------
    LvkitError
        For budgets that are no positive numbers or too small for the limits, unknown names,
        weights that add up to zero, features without size or tokens, and a fit that did not
        converge asked for intervals.

    Notes
    -----
    Every budget is spent exactly unless limits prevent it. The intervals of size and tokens come
    from draws of the parameters (and of the family's latent vector, where the best point depends
    on it); those of the value are at the planned point, from draws of both.

    Examples
    --------
    >>> import lvkit as lv
    >>> fit = lv.LatentSkillModel(n_skills=1).fit(lv.load_leaderboard().complete())
    >>> plan = lv.plan_compute(fit, [1e22, 1e24], target="mmlu", level=None)
    >>> ratio = plan.table["tokens_per_param"]
    >>> bool(abs(ratio[0] / ratio[1] - 1.0) < 1e-9)  # the same for every budget
    True
    """
    given = check_budgets(budgets)
    level = None if level is None else check_level(level)
    aim = Aim.read(fit, target, family, limits, cost, attributes, seed)
    span = aim.span(given)
    s = aim.best(span)
    t = span.tokens(s)
    table = pd.DataFrame({"budget": given, "spent": span.spent})
    _put_point(table, "", s, t)
    table["value"] = aim.centre.value(aim.target, s, t)
    sizes = None if level is None else aim.best_drawn(span)
    drawn = {} if level is None or sizes is None else _drawn(aim, span, s, t, level, sizes)
    for name in (*_interval_names(), "median", "lower", "upper", "interior"):
        table[name] = drawn.get(name, np.nan)
    table["corner"] = _corners(aim, span, s, t)
    table["falls"] = _falls(aim, span, s, table["value"].to_numpy())
    distance = fit.memo.get("region", lambda: Region.of(fit)).distance(s, t)
    table["extrapolates"], table["distance"] = distance > 0.0, distance
    return Plan(table, level, aim, sizes)


def _interval_names() -> list[str]:
    names = ("params_b", "tokens_t", "tokens_per_param")
    return [name + end for name in names for end in _ENDS[1:]]


def check_budgets(budgets: object) -> Array:
    """Return budgets as an array, shape (n,).

    Raises
    ------
    LvkitError
        If they are not FLOPs that lvkit plans for.
    """
    try:
        given = np.atleast_1d(np.asarray(budgets, dtype=float))
    except (TypeError, ValueError, OverflowError):
        given = np.array([np.nan])
    if given.ndim != 1 or not len(given):
        raise LvkitError(
            f"got {budgets!r}", where="budgets", expected="FLOPs, one or several, such as 1e22"
        )
    wrong = np.flatnonzero(~((given >= _LEAST_BUDGET) & (given <= _MOST_BUDGET)))
    if len(wrong):
        seen = given[wrong[0]] if np.isfinite(given[wrong[0]]) else budgets
        raise LvkitError(
            f"got {seen!s}",
            where=f"budgets, number {wrong[0] + 1}",
            expected=f"FLOPs from {_LEAST_BUDGET:g} to {_MOST_BUDGET:g}, such as 1e22",
            remedy="Give FLOPs themselves, not their logarithm."
            if 0.0 < given[wrong[0]] < 40
            else "",
        )
    return given


def _logs(values: npt.ArrayLike, name: str) -> Array:
    """Return log10 of sizes or tokens that are positive numbers."""
    try:
        given = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        given = np.array([np.nan])
    wrong = given[~((given > 0.0) & (given < np.inf))]
    if wrong.size:
        raise LvkitError(f"got {wrong[0]}", where=name, expected="positive numbers")
    return np.asarray(np.log10(given))


def _put_point(table: pd.DataFrame | dict[str, Array], end: str, s: Array, t: Array) -> None:
    """Put size, tokens and their ratio into a table."""
    table["params_b" + end] = 10.0**s
    table["tokens_t" + end] = 10.0**t
    table["tokens_per_param" + end] = 10.0 ** log_ratio(s, t)


def _drawn(
    aim: Aim, span: Span, s: Array, t: Array, level: float, sizes: Array
) -> dict[str, Array]:
    """Return everything that needs draws, column by column."""
    low, high = 0.5 - 0.5 * level, 0.5 + 0.5 * level
    inside = (sizes > span.low + _CORNER) & (sizes < span.high - _CORNER)
    lower, upper = containing(s, *quantiles_of_draws(sizes, [low, high], axis=0))
    out: dict[str, Array] = {"interior": inside.mean(axis=0)}
    few: dict[str, Array] = {}
    many: dict[str, Array] = {}
    _put_point(few, "", lower, span.tokens(lower))
    _put_point(many, "", upper, span.tokens(upper))
    out["params_b_lower"], out["params_b_upper"] = few["params_b"], many["params_b"]
    for name in ("tokens_t", "tokens_per_param"):  # fall as the size grows
        out[name + "_lower"], out[name + "_upper"] = many[name], few[name]
    values = quantiles_of_draws(aim.drawn_values(s, t), [0.5, low, high], axis=1)
    if aim.without_unit:
        values = np.stack([np.full(len(s), end) for end in (np.nan, -np.inf, np.inf)])
    out["median"] = values[0]
    out["lower"], out["upper"] = containing(aim.centre.value(aim.target, s, t), *values[1:])
    return out


def containing(estimate: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the ends of intervals, NaN where an interval does not contain its estimate.

    Such an interval comes from draws that hardly ever come near the estimate: the normal
    approximation of the parameters' errors does not hold.

    Examples
    --------
    >>> containing(np.array([1.0, 9.0]), np.array([0.0, 0.0]), np.array([2.0, 2.0]))
    (array([ 0., nan]), array([ 2., nan]))
    """
    slack = _ROUNDING * np.maximum(1.0, np.abs(estimate))
    out = ~((lower <= estimate + slack) & (estimate <= upper + slack))
    return np.where(out, np.nan, lower), np.where(out, np.nan, upper)


def _corners(aim: Aim, span: Span, s: Array, t: Array) -> list[str]:
    """Return which bound each best point lies on."""
    at_end = (s < span.low + _CORNER) | (s > span.high - _CORNER)
    return [
        aim.limits.binding(float(size), float(tokens)) if end else ""
        for size, tokens, end in zip(s, t, at_end, strict=True)
    ]


def _falls(aim: Aim, span: Span, s: Array, value: Array) -> npt.NDArray[np.bool_]:
    """Return whether a little more of each budget would lower the target.

    A point inside may keep its size: at a top, size and tokens are worth the same (the envelope
    theorem). A point at an end stays there.
    """
    more = aim.span(span.budget * _MORE)
    size = np.where(s > span.high - _CORNER, more.high, s)
    size = np.where(s < span.low + _CORNER, more.low, size)
    lowered = aim.centre.value(aim.target, size, more.tokens(size)) < value - 1e-12
    return np.asarray(lowered)
