"""Plans side by side, drawn: the best tokens per parameter of several targets or families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lvkit import drawing as draw
from lvkit.planning.comparison import CHINCHILLA
from lvkit.planning.words import amount, open_ends
from lvkit.plots.planning import best_dots, spread, target_name, typed, write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.planning.comparison import PlanComparison


_SAME = 1e-6
"""Ratios whose logarithms differ by less are one."""


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
    table = _distinct(_told(comparison))
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
        for place, ratio, said in zip(places, ratios, table["budgets"], strict=True):
            write_beside(ax, said, ratio, place, (0, 4), "center")
    ax.margins(x=0.1)
    _ratio_axis(ax)
    ax.set_yticks(range(len(rows)), draw.shown_apart(rows, 40), fontsize=9)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.legend(frameon=False, fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    draw.tidy(ax, grid="x")
    return ax


def _told(comparison: PlanComparison) -> pd.DataFrame:
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
    found = pd.concat(pieces, ignore_index=True)
    order = {row: at for at, row in enumerate(dict.fromkeys(table["row"]))}
    return found.sort_values("row", key=lambda rows: rows.map(order), kind="stable")


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
