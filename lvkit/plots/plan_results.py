"""Figures of plans: value by budget, best ratios compared, evaluations to run next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lvkit.errors import count
from lvkit.planning.comparison import CHINCHILLA, PlanComparison
from lvkit.planning.evaluations import EvaluationPlan
from lvkit.planning.plan import Plan
from lvkit.planning.plan_text import amount, open_ends
from lvkit.plots import drawing as draw
from lvkit.plots.phrases import listed
from lvkit.plots.planning import MOST_DOTS, best_dots, spread, target_name, typed, write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WHAT = {"items": "items", "given": "cost"}

_SAME = 1e-6
"""Ratios whose logarithms differ by less are one."""


def plot_plan_value(plan: Plan, *, ax: Axes | None = None) -> Axes:
    """Draw what the target reaches on each budget, with its interval.

    Read off it what more compute is worth, and how sure that is. Where dots are open the plan lies
    outside the sizes and tokens of the fitted models, and rests on the model's form.

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
    from matplotlib.ticker import FuncFormatter, NullFormatter

    what = f"{draw.shown(target_name(plan), 48)} ({plan.target.unit})"
    ax = draw.canvas(ax, width=6.4, height=4.0, xlabel="budget (FLOPs)", ylabel=what)
    table, colour = plan.table.sort_values("budget"), draw.palette()[0]
    if plan.level is not None and np.isfinite(table["lower"]).all():
        label = f"{plan.level:.0%} interval"
        if len(table) > 1:
            ax.fill_between(table["budget"], table["lower"], table["upper"], color=colour,
                            alpha=0.2, lw=0, label=label)  # fmt: skip
        else:
            ax.vlines(table["budget"], table["lower"], table["upper"], color=colour, lw=2.2,
                      alpha=0.55, label=label)  # fmt: skip
    ax.plot(table["budget"], table["value"], "-", color=colour, lw=2.0, label="_line")
    known = ~table["extrapolates"].to_numpy(dtype=bool)
    dots: dict[str, Any] = {"ms": 6 if len(table) <= MOST_DOTS else 3, "mec": colour}
    for chosen, fill, label in (
        (known, colour, "expected"),
        (~known, "white", "expected, outside the fitted models"),
    ):
        if chosen.any():
            ax.plot(table["budget"][chosen], table["value"][chosen], "o", mfc=fill, label=label,
                    **dots)  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda budget, _: typed(budget)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(frameon=False, loc="upper left")
    draw.tidy(ax, grid="both")
    return ax


def describe_plan_value(plan: Plan) -> str:
    """Say what :func:`plot_plan_value` shows."""
    from lvkit.planning.plan_text import flops

    table = plan.table.sort_values("budget")
    ends = [f"{row['value']:.2f} on {flops(row['budget'])}" for _, row in table.iterrows()]
    way = ends[0] if len(ends) == 1 else f"from {ends[0]} to {ends[-1]}"
    drawn = plan.level is not None and bool(np.isfinite(table["lower"]).all())
    doubt = f", with {plan.level:.0%} intervals" if drawn else ""
    outside = int(table["extrapolates"].sum())
    open_dots = f" {count(outside, 'budget')} of {len(table)} outside the fitted models."
    return (
        f"What {plan.target.label} of {plan.family} reaches ({plan.target.unit}): {way}{doubt}."
        f"{open_dots if outside else ''}"
    )


plan_value = draw.one_call(plot_plan_value, describe_plan_value)


def plot_plan_comparison(comparison: PlanComparison, *, ax: Axes | None = None) -> Axes:
    """Draw the best tokens per parameter of several targets, beside the Chinchilla rule of 20.

    Read off it whether targets ask for different models; where intervals do not overlap, they
    do. A cross is a corner: the best point lies on a bound, not inside. An arrowhead at the end of
    an interval says that it goes on: it is cut where the plans stop looking. Budgets with the same
    best ratio are one dot, and only where ratios differ are their budgets written beside them.

    Parameters
    ----------
    comparison : PlanComparison
        What :func:`lvkit.compare_plans` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    table = _distinct(_rows(comparison))
    rows, colour = list(dict.fromkeys(table["row"])), draw.palette()[0]
    height = 1.3 + 0.36 * len(table)
    label = "training tokens per parameter"
    ax = draw.canvas(ax, width=7.0, height=height, xlabel=label, ylabel="target")
    ax.axvline(CHINCHILLA, color=draw.INK, ls="--", lw=1.1, label=f"rule of {CHINCHILLA:g}")
    places = np.array([rows.index(row) for row in table["row"]]) + table["offset"].to_numpy()
    ratios = table["tokens_per_param"]
    best_dots(ax, table, ratios, places, colour)
    level = comparison.plans[0].level
    if level is not None:
        lower, upper = table["tokens_per_param_lower"], table["tokens_per_param_upper"]
        ax.hlines(places, lower, upper, color=colour, lw=2.2, alpha=0.55,
                  label=f"{level:.0%} interval")  # fmt: skip
        _arrowheads(ax, table, places, colour)
    if table["offset"].any():
        for place, ratio, budgets in zip(places, ratios, table["budgets"], strict=True):
            write_beside(ax, budgets, ratio, place, (0, 4), "center")
    ax.margins(x=0.1)
    _ratio_axis(ax)
    ax.set_yticks(range(len(rows)), draw.shown_apart(rows, 40), fontsize=9)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.legend(frameon=False, fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    draw.tidy(ax, grid="x")
    return ax


def describe_plan_comparison(comparison: PlanComparison) -> str:
    """Say what :func:`plot_plan_comparison` shows of the largest budget."""
    from lvkit.planning.plan_text import amount, flops

    parts = []
    for plan in comparison.plans:
        row = plan.table.iloc[int(plan.table["budget"].to_numpy().argmax())]
        ends = ["lower", "upper"] if pd.notna(row["tokens_per_param_lower"]) else []
        ends = [amount(float(row[f"tokens_per_param_{end}"])) for end in ends]
        span, best = f" ({' to '.join(ends)})" if ends else "", amount(row["tokens_per_param"])
        corner = str(row["corner"]).removesuffix(" (bracket)")
        end = f", at an end ({corner})" if corner else ""
        parts.append(f"{plan.target.label} of {plan.family} {best}{span}{end}")
    budget = flops(float(comparison.table["budget"].max()))
    level = comparison.plans[0].level
    kind = "" if level is None else f" with {level:.0%} intervals"
    return (
        f"Best tokens per parameter on {budget}{kind}, beside the Chinchilla rule of 20: "
        f"{'; '.join(parts)}."
    )


plan_comparison = draw.one_call(plot_plan_comparison, describe_plan_comparison)


def _rows(comparison: PlanComparison) -> pd.DataFrame:
    """Return the plans' tables with what to write beside them, and which intervals are cut."""
    several = comparison.table["family"].nunique() > 1
    pieces = []
    for plan in comparison.plans:
        row = target_name(plan) + (f" of {plan.family}" if several else "")
        piece = plan.table.assign(row=row, low_open=False, high_open=False)
        if plan.level is not None:
            ends = zip(
                piece["tokens_per_param_lower"], piece["tokens_per_param_upper"], strict=True
            )
            piece[["low_open", "high_open"]] = [open_ends(plan.aim.limits, *pair) for pair in ends]
        pieces.append(piece)
    return pd.concat(pieces, ignore_index=True)


def _arrowheads(ax: Axes, table: pd.DataFrame, places: Any, colour: Any) -> None:
    """Draw an arrowhead beyond each end of an interval that is cut."""
    from matplotlib.transforms import offset_copy

    figure: Any = ax.figure
    label = "goes on"
    for column, end, marker, away in (
        ("low_open", "tokens_per_param_lower", "<", -9.0),
        ("high_open", "tokens_per_param_upper", ">", 9.0),
    ):
        cut = table[column].to_numpy(dtype=bool)
        if cut.any():
            beside = offset_copy(ax.transData, figure, away, units="points")
            ax.plot(table[end][cut], places[cut], marker, color=colour, ms=6, label=label,
                    transform=beside)  # fmt: skip
            label = "_cut"


def _distinct(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each target, family and best ratio; budgets with the same ratio are one."""
    table = table.assign(key=np.log10(table["tokens_per_param"]).div(_SAME).round())
    pieces = []
    for _, group in table.sort_values("budget").groupby("row", sort=False):
        parts = [part for _, part in group.groupby("key", sort=False)]
        parts = [parts[at] for at in spread(len(parts))]
        for number, part in enumerate(parts):
            offset = 0.0 if len(parts) == 1 else 0.6 * (number / (len(parts) - 1) - 0.5)
            pieces.append(part.iloc[[0]].assign(budgets=_range(part["budget"]), offset=offset))
    distinct = pd.concat(pieces, ignore_index=True)
    order = {row: at for at, row in enumerate(dict.fromkeys(table["row"]))}
    return distinct.sort_values("row", key=lambda rows: rows.map(order), kind="stable")


def _range(budgets: pd.Series[float]) -> str:
    """Return which budgets are meant: 1e22, or 1e22 to 1e24."""
    ends = dict.fromkeys(typed(end) for end in (budgets.min(), budgets.max()))
    return " to ".join(ends)


def _ratio_axis(ax: Axes) -> None:
    """Write ratios over many powers of ten as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=7))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: amount(ratio)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def plot_evaluations(
    plan: EvaluationPlan, *, labels: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how the uncertainty about the target falls, benchmark by benchmark.

    Read off it what to run next, and when to stop: from top to bottom the benchmarks in the order
    of the plan, each with the way from the standard deviation before it to the one that is
    expected after it. A hollow circle shows what the benchmark would leave if it were run first:
    far to the left, beside a short line, it belongs to a benchmark that tells much, but little that
    the ones before it have not told. Beside the names stands what has been spent by then.

    Parameters
    ----------
    plan : EvaluationPlan
        What :func:`lvkit.plan_evaluations` returned.
    labels : mapping of str to str, optional
        What to call benchmarks; None takes the plan's own labels.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    table = plan.table
    first = plan.candidates.set_index("benchmark")["sd_after"].loc[table["benchmark"]]
    label = f"standard deviation of {draw.shown(plan.label, 40)}"
    spent = "" if plan.costs == "equal" else f", {_WHAT[plan.costs]} so far"
    ax = draw.canvas(
        ax, width=6.4, height=1.3 + 0.3 * len(table), xlabel=label, ylabel=f"benchmark{spent}"
    )
    blue, orange = draw.palette()[0], draw.palette()[3]
    places = np.arange(len(table))
    ax.hlines(places, table["sd_after"], table["sd_before"], color=blue, lw=2.4, alpha=0.55)
    ax.plot(table["sd_after"], places, "o", color=blue, ms=6, label="left after this step")
    ax.plot(first, places, "o", mfc="none", mec=orange, mew=1.3, ms=6,
            label="left if run first")  # fmt: skip
    ax.axvline(float(table["sd_before"].iloc[0]), color=draw.GREY, ls="--", lw=1.2, label="now")
    ax.set_yticks(places, _names(plan, plan.labels if labels is None else labels), fontsize=8)
    ax.set_xlim(left=0.0)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    draw.tidy(ax, grid="both")
    return ax


def describe_evaluations(plan: EvaluationPlan, *, labels: Mapping[str, str] | None = None) -> str:
    """Say what :func:`plot_evaluations` shows."""
    table, labels = plan.table, plan.labels if labels is None else labels
    first = [labels.get(name, name) for name in map(str, table["benchmark"].head(3))]
    before, after = float(table["sd_before"].iloc[0]), float(table["sd_after"].iloc[-1])
    return (
        f"What to run on {plan.model}, in this order: {listed(first)}"
        f"{' first' if len(table) > len(first) else ''}. The standard deviation of {plan.label} is "
        f"expected to fall from {before:.3g} to {after:.3g} after "
        f"{count(len(table), 'benchmark')}."
    )


evaluations = draw.one_call(plot_evaluations, describe_evaluations)


def _names(plan: EvaluationPlan, labels: Mapping[str, str]) -> list[str]:
    """Return the steps' names, with what has been spent by then."""
    names = draw.shown_apart(labels.get(name, name) for name in plan.table["benchmark"])
    if plan.costs == "equal":
        return names
    return [
        f"{name}  {cost:,.4g}" if plan.costs == "given" else f"{name}  {cost:,.0f}"
        for name, cost in zip(names, plan.table["cumulative_cost"], strict=True)
    ]
