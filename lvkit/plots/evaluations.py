"""Pictures of plans of evaluations: what to run next, and how far it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lvkit import drawing as draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.planning.evaluations import EvaluationPlan


_WHAT = {"items": "items", "given": "cost"}


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
        What to call benchmarks, such as :func:`lvkit.drawing.benchmark_labels` of the fit's panel;
        those without a label go by their names.
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
    ax.set_yticks(places, _names(plan, labels or {}), fontsize=8)
    ax.set_xlim(left=0.0)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    draw.tidy(ax, grid="both")
    return ax


def _names(plan: EvaluationPlan, labels: Mapping[str, str]) -> list[str]:
    """Return the steps' names, with what has been spent by then."""
    names = draw.shown_apart(labels.get(name, name) for name in plan.table["benchmark"])
    if plan.costs == "equal":
        return names
    return [
        f"{name}  {cost:,.4g}" if plan.costs == "given" else f"{name}  {cost:,.0f}"
        for name, cost in zip(names, plan.table["cumulative_cost"], strict=True)
    ]
