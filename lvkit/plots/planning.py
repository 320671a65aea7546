"""The map of a compute plan: the target over size and tokens, with the best points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import benchmark_labels
from lvkit.errors import count
from lvkit.planning.constraints import log_ratio
from lvkit.planning.feature_surface import Region
from lvkit.planning.plan import Plan
from lvkit.planning.plan_text import flops, size, tokens
from lvkit.plots import drawing as draw
from lvkit.plots.phrases import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = npt.NDArray[np.float64]
View = tuple[tuple[float, float], tuple[float, float]]
"""Least and greatest size, and tokens, that are in view."""

_GRID = 81
"""Points of the surface, in each direction."""

_MOST_LINES = 6
"""So many budgets have a line of their own."""

MOST_DOTS = 40
"""With more budgets than these, dots are small."""

_MARGIN = 1.7
"""Factor between what is drawn and the edge."""


def plot_plan(plan: Plan, *, ax: Axes | None = None) -> Axes:
    """Draw the target over size and tokens, and where each budget is best spent.

    Read off it what a budget buys: along a dashed line every point costs the same, and the dot is
    where the target is highest. The contours say how much is lost beside it; the band is the
    interval of the best point. Grey dots are the fitted models: outside the dotted line around
    them the surface is extrapolated. What the limits exclude is hatched.

    Parameters
    ----------
    plan : Plan
        What :func:`lvkit.plan_compute` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    return plot_plan_path(plan, ax=plot_plan_ground(plan, ax=ax))


def describe_plan(plan: Plan) -> str:
    """Say what :func:`plot_plan` shows of a plan for one budget or several."""
    low, high = plan.table.iloc[0], plan.table.iloc[-1]
    n_models = len(plan.fit.prepared.models)
    start = (
        f"Contours of {plan.target.label} of {plan.family} over size and training tokens, with "
        f"{count(n_models, 'fitted model')} as dots."
    )
    parts = []
    for row in [low] if len(plan.table) == 1 else [low, high]:
        corner = f", at an end of what is looked at ({row['corner']})" if row["corner"] else ""
        parts.append(
            f"on {flops(row['budget'])} the best point is {size(row['params_b'])} on "
            f"{tokens(row['tokens_t'])}{corner}"
        )
    text = listed(parts)
    return f"{start} {text[:1].upper()}{text[1:]}."


plan = draw.one_call(plot_plan, describe_plan)


def plot_plan_ground(plan: Plan, *, view: View | None = None, ax: Axes | None = None) -> Axes:
    """Draw the lower layer of :func:`plot_plan`: the target over size and tokens, and the data.

    Plans for the same target and family share it, whatever their budgets, limits and costs, so that
    a picture that moves draws it once.

    Parameters
    ----------
    plan : Plan
        What :func:`lvkit.plan_compute` returned.
    view : pair of pairs of float, optional
        Least and greatest size (billions) and tokens (trillions) in view; None for all that the
        plan needs (:func:`plan_view`).
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    label = "parameters (billions)"
    ax = draw.canvas(ax, width=7.2, height=5.6, xlabel=label, ylabel="training tokens (trillions)")
    models = plan.fit.panel.models.loc[list(plan.fit.prepared.models)]
    view = plan_view(plan) if view is None else view
    _surface(ax, plan, view)
    ax.plot(models["params_b"], models["tokens_t"], "o", color=draw.INK, alpha=0.35, ms=3.5, mew=0,
            label="fitted models")  # fmt: skip
    around = 10.0 ** Region.of(plan.fit).corners
    ax.plot(*np.vstack([around, around[:1]]).T, ":", color=draw.INK, lw=1.2, label="_region")
    ax.set(xscale="log", yscale="log", xlim=view[0], ylim=view[1])
    _plain_axes(ax)
    draw.tidy(ax)
    return ax


def plot_plan_path(plan: Plan, *, ax: Axes) -> Axes:
    """Draw the upper layer of :func:`plot_plan`: limits, budgets, best points and their band.

    Parameters
    ----------
    plan : Plan
        What :func:`lvkit.plan_compute` returned.
    ax : matplotlib Axes
        What :func:`plot_plan_ground` returned.

    Returns
    -------
    matplotlib Axes
    """
    view = ax.get_xlim(), ax.get_ylim()
    _shade(ax, plan, view)
    _budget_lines(ax, plan, view)
    _path(ax, plan)
    ax.legend(frameon=True, framealpha=0.9, fontsize=8, loc="lower left")
    return ax


def plan_view(plan: Plan, *, step: float | None = None) -> View:
    """Return what has to be in view: the fitted models and the best points, with a margin.

    Parameters
    ----------
    plan : Plan
        What :func:`lvkit.plan_compute` returned.
    step : float, optional
        Powers of ten by which the ends go outwards, so that plans that differ little share a view.

    Returns
    -------
    pair of pairs of float
        Least and greatest size (billions) and tokens (trillions).
    """
    models = plan.fit.panel.models.loc[list(plan.fit.prepared.models)]
    sizes, tokens = _view(models, plan.table)
    if step is None:
        return sizes, tokens
    low, high = np.log10([sizes, tokens]).T / step
    (left, right), (bottom, top) = 10.0 ** (step * np.stack([np.floor(low), np.ceil(high)], axis=1))
    return (float(left), float(right)), (float(bottom), float(top))


def _view(models: pd.DataFrame, table: pd.DataFrame) -> View:
    """Return what is in view: the fitted models and the best points, with a margin."""

    def around(name: str) -> tuple[float, float]:
        seen = pd.concat([models[name], table[name]])
        return float(seen.min()) / _MARGIN, float(seen.max()) * _MARGIN

    return around("params_b"), around("tokens_t")


def _surface(ax: Axes, plan: Plan, view: View) -> None:
    """Draw the contours of the target."""
    from matplotlib.ticker import MaxNLocator

    sizes, tokens = (np.geomspace(*end, _GRID) for end in view)
    values = plan.surface(sizes[None, :], tokens[:, None])
    levels = MaxNLocator(12).tick_values(float(values.min()), float(values.max()))
    ax.contourf(sizes, tokens, values, levels=levels, cmap="Blues", alpha=0.45)
    lines = ax.contour(sizes, tokens, values, levels=levels, colors=[draw.GREY], linewidths=0.8)
    ax.clabel(lines, fontsize=8, colors=draw.INK, fmt="%g")


def _shade(ax: Axes, plan: Plan, view: View) -> None:
    """Hatch what the limits exclude."""
    limits, (sizes, tokens) = plan.aim.limits, view
    grey: dict[str, Any] = {"facecolor": "none", "edgecolor": draw.GREY, "hatch": "//", "lw": 0.0}
    labels = iter(["excluded by limits"])

    def hatch(low: tuple[float, float], high: tuple[float, float]) -> None:
        ax.fill_between(sizes, low, high, label=next(labels, "_limit"), **grey)

    if limits.min_params_b is not None:
        ax.axvspan(sizes[0], limits.min_params_b, label=next(labels, "_limit"), **grey)
    if limits.max_params_b is not None:
        ax.axvspan(limits.max_params_b, sizes[1], label=next(labels, "_limit"), **grey)
    bottom, top = (tokens[0], tokens[0]), (tokens[1], tokens[1])
    if limits.min_tokens_t is not None:
        hatch(bottom, (limits.min_tokens_t, limits.min_tokens_t))
    if limits.max_tokens_t is not None:
        hatch((limits.max_tokens_t, limits.max_tokens_t), top)
    if limits.min_tokens_per_param is not None:
        hatch(bottom, _at_ratio(sizes, limits.min_tokens_per_param))
    if limits.max_tokens_per_param is not None:
        hatch(_at_ratio(sizes, limits.max_tokens_per_param), top)


def _at_ratio(params_b: tuple[float, float], ratio: float) -> tuple[float, float]:
    """Return the tokens, in trillions, of two sizes at some tokens per parameter."""
    one = float(10.0 ** log_ratio(0.0, 0.0))
    return params_b[0] * ratio / one, params_b[1] * ratio / one


def _budget_lines(ax: Axes, plan: Plan, view: View) -> None:
    """Draw some budgets as lines of equal cost, each with its name where it enters."""
    budgets = np.unique(plan.table["budget"])
    drawn = budgets[spread(len(budgets))]
    sizes, (low, high) = np.geomspace(*view[0], 400), view[1]
    for number, budget in enumerate(drawn):
        tokens = _on_budget(plan, sizes, np.full(len(sizes), budget))
        seen = (tokens >= low) & (tokens <= high)
        ax.plot(sizes[seen], tokens[seen], "--", color=draw.INK, lw=0.9,
                label="_budget" if number else "budget (FLOPs)")  # fmt: skip
        if seen.any():
            write_beside(ax, typed(budget), sizes[seen][-1], tokens[seen][-1], (-3, 3), "right")


def write_beside(
    ax: Axes, text: str, x: float, y: float, away: tuple[float, float], ha: str
) -> None:
    """Write a few words beside a point, legible on any ground."""
    from matplotlib.patheffects import withStroke

    white = withStroke(linewidth=2.5, foreground="white")
    ax.annotate(text, (x, y), away, textcoords="offset points", ha=ha, va="bottom", fontsize=8,
                color=draw.INK, path_effects=[white])  # fmt: skip


def _on_budget(plan: Plan, params_b: Array, budget: Array) -> Array:
    """Return the tokens, in trillions, that are left for a size; 0 where there are none."""
    return np.asarray(10.0 ** plan.aim.cost.log_tokens(np.log10(params_b), budget))


def _path(ax: Axes, plan: Plan) -> None:
    """Draw the best points, joined by budget, and the band of their intervals."""
    table, colour = plan.table.sort_values("budget"), draw.palette()[3]
    ax.plot(table["params_b"], table["tokens_t"], "-", color=colour, lw=2.0, label="_path")
    best_dots(ax, table, table["params_b"], table["tokens_t"], colour)
    table = table[table["params_b_lower"].notna()]
    if table.empty:
        return
    ends = table[["params_b_lower", "params_b_upper"]].to_numpy(dtype=float)
    spent = table["spent"].to_numpy(dtype=float)
    first, last = (_strip(plan, ends[at], spent[at]) for at in (0, -1))
    label = f"its {plan.level:.0%} interval"
    if len(table) == 1:
        ax.plot(*first.T, color=colour, alpha=0.5, lw=5.0, label=label)
        return
    left, right = (np.column_stack([size, _on_budget(plan, size, spent)]) for size in ends.T)
    around = np.concatenate([first, right, last[::-1], left[::-1]])
    ax.fill(*around.T, color=colour, alpha=0.25, lw=0, label=label)


def best_dots(ax: Axes, table: pd.DataFrame, x: Any, y: Any, colour: Any) -> None:
    """Draw best points of a plan's table: dots inside, crosses on a bound."""
    inside = (table["corner"] == "").to_numpy()
    crowded = len(table) > MOST_DOTS
    for chosen, marker, width, label in ((inside, "o", 6.5, "best"), (~inside, "X", 8.0, "corner")):
        if chosen.any():
            ax.plot(np.asarray(x)[chosen], np.asarray(y)[chosen], marker, color=colour,
                    ms=0.5 * width if crowded else width, mec=colour if crowded else "white",
                    label=label, zorder=3)  # fmt: skip


def _strip(plan: Plan, ends: Array, spent: float) -> Array:
    """Return points along a budget's line between two sizes, shape (points, 2)."""
    sizes = np.geomspace(float(ends[0]), float(ends[1]), 40)
    return np.column_stack([sizes, _on_budget(plan, sizes, np.full(len(sizes), spent))])


def _plain_axes(ax: Axes) -> None:
    """Write 0.5, 7 and 70 along both logarithmic axes, not powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    draw.plain_ticks(ax)
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def target_name(plan: Plan) -> str:
    """Return what to call a plan's target in a picture: of a single benchmark, its label."""
    labels = benchmark_labels(plan.fit.panel) if plan.target.kind == "benchmark" else {}
    return labels.get(plan.target.label, plan.target.label)


def spread(count: int) -> list[int]:
    """Return at most so many of `count` positions as are drawn one by one, ends included."""
    chosen = np.linspace(0, count - 1, min(count, _MOST_LINES)).round().astype(int)
    return [int(at) for at in np.unique(chosen)]


def typed(budget: float) -> str:
    """Return a budget as it is typed.

    Examples
    --------
    >>> typed(3e22)
    '3e22'
    """
    return flops(float(budget)).removesuffix(" FLOPs")
