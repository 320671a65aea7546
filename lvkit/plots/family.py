"""Pictures of one family: where it stands among all others, and how its scores grow with size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from lvkit import drawing as draw
from lvkit.predict import KINDS
from lvkit.standings import growth_points, ranked_families

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.predict import Prediction
    from lvkit.results import Fit


_COLUMNS = 4
"""Squares beside each other."""

_MANY = 300
"""With more families than these, only their means are drawn."""


def plot_family_place(
    fit: Fit, family: str, *, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw where a family stands on each skill, among all others.

    Read off it how high a family stands, and how surely: in each square all families are sorted
    from the lowest to the highest, each with its interval, and the family is drawn boldly. Where
    its bar lies beside the bars of many others, its rank is hardly known.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    level : float
        Posterior probability of the intervals.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
        Its ``child_axes`` are the squares, in the order of the skills.

    Raises
    ------
    LvkitError
        If there is no such family, and for a level outside (0, 1).
    """
    tables = {skill: ranked_families(fit, skill, level) for skill in fit.skills}
    columns = min(_COLUMNS, len(tables))
    down = -(-len(tables) // columns)
    label = f"standing beyond what features explain ({level:.0%} intervals)"
    ax = draw.canvas(ax, width=1.0 + 2.0 * columns, height=0.7 + 2.7 * down, xlabel=label,
                     ylabel="families, from the lowest to the highest")  # fmt: skip
    squares = _squares(ax, len(tables), columns, gap=0.1, high=0.8)
    ends = pd.concat([table[["lower", "upper"]] for table in tables.values()])
    widest = float(ends.abs().to_numpy().max())
    names = draw.shown_apart(tables, 20)
    for square, name, table in zip(squares, names, tables.values(), strict=True):
        _standings(square, table, family)
        title = f"{name}\nrank {int(table['rank'][family])} of {len(table)}"
        square.set_title(title, fontsize=8, pad=3)
        square.set(xlim=(-1.04 * widest, 1.04 * widest), yticks=[])
    _finish(ax, squares, ncols=2)
    return ax


def _standings(square: Axes, table: pd.DataFrame, family: str) -> None:
    """Draw all families of a skill, one of them boldly."""
    orange = draw.palette()[3]
    places = pd.Series(len(table) - table["rank"], index=table.index)
    if len(table) <= _MANY:
        square.hlines(places, table["lower"], table["upper"], color=draw.GREY, lw=0.8, alpha=0.6)
    size = 2.5 if len(table) <= _MANY else 1.0
    square.plot(table["standing"], places, "o", color=draw.GREY, ms=size, mew=0, label="others")
    own, place = table.loc[family], places[family]
    square.hlines([place], own["lower"], own["upper"], color=orange, lw=3.0)
    square.plot([own["standing"]], [place], "D", color=orange, ms=7, mec="white", zorder=3,
                label=draw.shown(family))  # fmt: skip
    square.axvline(0, color=draw.INK, lw=0.8)
    square.tick_params(labelsize=8)
    draw.tidy(square, grid="x")


def plot_family_growth(fit: Fit, prediction: Prediction, *, ax: Axes | None = None) -> Axes:
    """Draw a family's predicted scores against size, a small square for each benchmark.

    Read off it how the family grows and how far ahead that can be seen: the line joins the medians
    of the predicted scores, each with its interval; diamonds were measured. The next sizes, which
    nobody has trained, are drawn in another colour.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    prediction : Prediction
        What :func:`lvkit.standings.family_forecast` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
        Its ``child_axes`` are the squares, in the order of the benchmarks.
    """
    table = growth_points(fit, prediction)
    groups = [(name, table[table["benchmark"] == name]) for name in fit.benchmarks]
    columns = min(_COLUMNS, len(groups))
    down = -(-len(groups) // columns)
    scale = f"score ({prediction.level:.0%} intervals: {KINDS[prediction.intervals]})"
    ax = draw.canvas(ax, width=1.0 + 1.9 * columns, height=0.7 + 1.7 * down,
                     xlabel="parameters (billions)", ylabel=scale)  # fmt: skip
    squares = _squares(ax, len(groups), columns, gap=0.12, high=0.74)
    ends = float(table["params_b"].min()) / 1.5, float(table["params_b"].max()) * 1.5
    names = draw.shown_apart((prediction.labels[name] for name, _ in groups), 20)
    for number, (square, (_, rows)) in enumerate(zip(squares, groups, strict=True)):
        _grown(square, rows)
        square.set_title(names[number], fontsize=8, pad=3)
        square.set(xscale="log", xlim=ends, ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
        draw.plain_ticks(square)
        square.minorticks_off()  # most of the time of drawing
        square.tick_params(labelsize=8, labelbottom=number + columns >= len(groups))
        square.set_yticklabels([] if number % columns else ["0", "0.5", "1"])
    _finish(ax, squares, ncols=4)
    ax.yaxis.labelpad = 24
    return ax


def _grown(square: Axes, rows: pd.DataFrame) -> None:
    """Draw one benchmark's scores against size."""
    blue, orange, green = (draw.palette()[at] for at in (0, 3, 2))
    square.plot(rows["params_b"], rows["median"], "-", color=draw.GREY, lw=1.0, zorder=1)
    ahead = rows["ahead"].to_numpy()
    for chosen, colour, label in ((~ahead, blue, "predicted"), (ahead, green, "next sizes")):
        part = rows[chosen]
        if len(part):
            square.vlines(part["params_b"], part["lower"], part["upper"], color=colour, lw=2.0,
                          alpha=0.55)  # fmt: skip
            square.plot(part["params_b"], part["median"], "o", color=colour, ms=3.5, label=label)
    square.plot(rows["params_b"], rows["observed"], "D", mfc="none", mec=orange, mew=1.1, ms=4,
                label="measured")  # fmt: skip
    draw.tidy(square, grid="y")


def _squares(ax: Axes, number: int, columns: int, *, gap: float, high: float) -> list[Axes]:
    """Return small squares side by side, row by row, each with room for its title above."""
    down = -(-number // columns)
    places = [divmod(at, columns) for at in range(number)]
    return [
        ax.inset_axes((x / columns, 1 - (y + 0.1 + high) / down, (1 - gap) / columns, high / down))
        for y, x in places
    ]


def _finish(ax: Axes, squares: list[Axes], *, ncols: int) -> None:
    """Take away the outer ticks and write what the marks are, once."""
    marks: dict[str, Any] = {}
    for square in squares:
        marks |= dict(zip(*reversed(square.get_legend_handles_labels()), strict=True))
    ax.legend(list(marks.values()), list(marks), ncols=ncols, frameon=False, fontsize=8,
              loc="lower right", bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    ax.set(xticks=[], yticks=[])
    ax.xaxis.labelpad = 8
    draw.tidy(ax, spines=False)
