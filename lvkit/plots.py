"""Plots: panels, choices of K and fits, drawn.

Each function draws one answer on the axes it is given, or on a figure of its own, and returns the
axes; none saves, shows or changes anything else. ``ax.figure`` shows itself at the end of a
notebook's cell and has ``savefig``. :mod:`lvkit.reporting.describe` says the same things in words,
and :func:`lvkit.drawing.picture` joins the two. Colour-blind readers can tell the colours
apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lvkit import drawing as draw
from lvkit import facts
from lvkit.errors import LvkitError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.panel import Panel
    from lvkit.results import Fit
    from lvkit.select import Selection

__all__ = [
    "plot_correlation",
    "plot_criterion",
    "plot_families",
    "plot_fitted",
    "plot_loadings",
    "plot_missing",
    "plot_scores",
]

_MARKERS = "osD^vP*X"
_AGAINST = {"params_b": "size (billions of parameters)", "tokens_t": "training tokens (trillions)"}
_CRITERIA = {"aic": ("AIC", 0, "o"), "bic": ("BIC", 1, "s")}


def plot_scores(
    panel: Panel,
    benchmark: str,
    *,
    against: str = "params_b",
    families: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a benchmark's scores against size or tokens, each family's models joined by a line.

    Read off it how a benchmark grows with scale, and how far apart families of one size are: that
    distance is what the families' latent variables are for.

    Parameters
    ----------
    panel : Panel
        The scores.
    benchmark : str
        Its name in the panel.
    against : {"params_b", "tokens_t"}
        What to draw it against, on a logarithmic axis.
    families : sequence of str, optional
        Families in colour, the others stay grey; at most eight. None: those with most models here.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If the panel has no such benchmark, column or family, or no score to draw.
    """
    points = facts.score_points(panel, benchmark, against)
    if families is None:
        families = list(points["family"].value_counts(sort=False).nlargest(8).index)
    bright = facts.checked_names(families, panel.families)[:8]
    ax = draw.canvas(ax, width=8.0, height=4.4)
    for family, rows in points.groupby("family", sort=False):
        if family not in bright:
            ax.plot(rows[against], rows["score"], "-o", color=draw.GREY, alpha=0.45, lw=0.8, ms=3)
    lines = []
    for colour, marker, family in zip(draw.palette(), _MARKERS, bright, strict=False):
        rows = points[points["family"] == family]
        lines += ax.plot(rows[against], rows["score"], "-" + marker, color=colour, lw=1.5, ms=6)
    ax.set(xscale="log", xlabel=_AGAINST[against])
    ax.set_ylabel(f"score on {draw.shown(draw.benchmark_labels(panel)[benchmark])}")
    draw.plain_ticks(ax)
    names = [draw.shown(family) for family in bright]
    ax.legend(lines, names, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    draw.tidy(ax, grid="both")
    return ax


def plot_missing(panel: Panel, *, ax: Axes | None = None) -> Axes:
    """Draw which scores are there: a column for each model, a row for each benchmark.

    Read off it which benchmarks were measured on which models, and whether the gaps come in blocks.
    Models of one family stand together, by size; the families with fewest gaps come first.

    Parameters
    ----------
    panel : Panel
        The scores.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    from matplotlib.colors import ListedColormap

    order = facts.missing_order(panel)
    measured = panel.scores.loc[order.index].notna().to_numpy()
    ax = draw.canvas(ax, width=9.0, height=1.6 + 0.24 * panel.n_benchmarks)
    colours = ListedColormap(["#ececec", draw.palette()[0]])
    ax.pcolormesh(measured.T, cmap=colours, vmin=0, vmax=1, rasterized=True)
    labels = draw.benchmark_labels(panel)
    counts = measured.sum(axis=0)
    rows = [
        f"{draw.shown(labels[str(name)])}  {n}"
        for name, n in zip(panel.scores, counts, strict=True)
    ]
    ax.set_yticks(np.arange(panel.n_benchmarks) + 0.5, rows, fontsize=8)
    ax.invert_yaxis()
    edges = np.flatnonzero(order.ne(order.shift()).to_numpy()).tolist()
    ax.vlines(edges[1:], 0, panel.n_benchmarks, color="white", lw=0.7)
    ax.hlines(range(1, panel.n_benchmarks), 0, len(order), color="white", lw=0.7)
    centres, names = draw.spaced_labels(order, edges)
    ax.set_xticks(centres, names, rotation=90, fontsize=7)
    ax.tick_params(length=0)
    some = "" if len(names) == panel.n_families else " (not all families are named)"
    ax.set(xlabel=f"models, by family and size{some}", ylabel="benchmark (models scored)")
    draw.tidy(ax, spines=False)
    return ax


def plot_criterion(selection: Selection, *, criterion: str = "aic", ax: Axes | None = None) -> Axes:
    """Draw AIC or BIC against the number of skills.

    Read off it how many skills the data ask for: the ring marks the lowest value, which the
    criterion would choose, and the numbers beside the points are the Akaike weights above 0.01. A
    long, nearly level stretch says that fewer skills do almost as well. A cross is a fit that did
    not converge. Draw both criteria by giving the axes of the first to the second.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    criterion : {"aic", "bic"}
        Which to draw.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If the criterion is another.
    """
    if criterion not in _CRITERIA:
        raise LvkitError(
            f"saw {criterion!r}", where="argument 'criterion'", expected="'aic' or 'bic'"
        )
    name, position, marker = _CRITERIA[criterion]
    table, colour = selection.table, draw.palette()[position]
    values = table[criterion]
    ax = draw.canvas(ax, width=6.4, height=3.8)
    ax.plot(table.index, values, "-" + marker, color=colour, ms=5, label=name)
    failed = values[~table["converged"].astype(bool)]
    ax.plot(failed.index, failed, "x", color=draw.INK, ms=9)
    best = table.index[int(values.to_numpy().argmin())]
    ax.plot([best], [values.min()], "o", mfc="none", mec=colour, mew=1.8, ms=13)
    ax.annotate(
        f"lowest {name}: K = {best}", (best, values.min()), color=colour, ha="right", va="top",
        xytext=(6, -11), textcoords="offset points", fontsize=9,
    )  # fmt: skip
    if criterion == "aic":
        for skills, weight, value in zip(table.index, table["weight"], values, strict=True):
            if weight >= 0.01:
                draw.note_above(ax, (skills, value), f"weight\n{weight:.2f}")
    ax.set_xticks(list(table.index))
    ax.set(xlabel="number of skills K", ylabel="criterion (lower is better)")
    ax.margins(y=0.14)
    ax.legend(frameon=False)
    draw.tidy(ax, grid="y")
    return ax


def plot_loadings(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw the loadings as a heat map: benchmarks by skills.

    Read off it what each skill is: the benchmarks whose scores rise with it. A loading is the
    change of a score's logit for one standard deviation of the families' latent variable. Colours
    compare a benchmark's loadings with its largest one. Framed cells are the anchors, which load on
    their own skill alone by definition (a dot stands for those zeros). Benchmarks are sorted by the
    skill they load on most. (Figure 1 of arXiv:2512.06553.)

    Parameters
    ----------
    fit : Fit
        The fitted model.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    order = facts.main_skills(fit).index
    table = fit.loadings.loc[order]
    anchored = table.index.isin(list(fit.anchors.values()))
    words = draw.cell_texts(table, zeros=anchored[:, None] & (table.to_numpy() == 0.0))
    ax = draw.canvas(ax, width=2.6 + 1.1 * table.shape[1], height=1.3 + 0.32 * table.shape[0])
    shares = table.div(table.abs().max(axis=1), axis=0)
    draw.heat_map(ax, shares, words, 1.0, "share of the benchmark's largest loading")
    labels = draw.benchmark_labels(fit.panel)
    ax.set_yticklabels([draw.shown(labels[str(name)]) for name in order])
    for skill, benchmark in fit.anchors.items():
        draw.frame_cell(ax, order.get_loc(benchmark), list(table.columns).index(skill))
    ax.set(xlabel="skill (loadings in logits per standard deviation)", ylabel="benchmark")
    return ax


def plot_correlation(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw how the families' latent variables are correlated, skill by skill.

    Read off it whether families that are good at one thing, for their size and tokens, tend to be
    good at another. (Figure 2 of arXiv:2512.06553.)

    Parameters
    ----------
    fit : Fit
        The fitted model.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    table = fit.correlation
    ax = draw.canvas(ax, width=2.8 + 0.85 * len(table), height=1.4 + 0.62 * len(table))
    draw.heat_map(ax, table, draw.cell_texts(table), 1.0, "correlation between families")
    ax.set(xlabel="skill", ylabel="skill")
    return ax


def plot_families(
    fit: Fit, *, skill: str | None = None, top: int | None = 24, ax: Axes | None = None
) -> Axes:
    """Draw where families stand on the skills, beyond what their size and tokens explain.

    Read off it which recipes get more of a skill out of the same size and tokens. The numbers are
    posterior means of the families' latent variables: 0 is an average family, 1 a standard
    deviation above it. Families with few scores are drawn towards 0.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str, optional
        One skill, drawn as a ranking. None draws all as a heat map, sorted by their mean.
    top : int, optional
        How many families, those with the most scores; None draws all.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If there is no such skill, or `top` is below one.
    """
    table = facts.known_families(fit, top)
    if skill is None:
        table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
        ax = draw.canvas(ax, width=3.4 + 1.0 * table.shape[1], height=1.3 + 0.24 * len(table))
        most = max(1.0, float(np.quantile(np.abs(table.to_numpy()), 0.98)))
        words = draw.cell_texts(table, digits=1)
        draw.heat_map(ax, table, words, most, "standard deviations from the average")
        ax.set(xlabel="skill", ylabel="family")
        return ax
    facts.checked_names([skill], fit.skills, what="skill")
    effects = table[skill].sort_values(kind="stable")
    ax = draw.canvas(ax, width=6.0, height=1.0 + 0.22 * len(effects))
    places, colour = np.arange(len(effects)), draw.palette()[0]
    ax.hlines(places, 0, effects, color=colour, lw=1.2)
    ax.plot(effects, places, "o", color=colour, ms=5)
    ax.axvline(0, color=draw.INK, lw=0.8)
    ax.set_yticks(places, [draw.shown(name) for name in effects.index], fontsize=8)
    ax.set_xlabel(f"{draw.shown(skill)} (standard deviations from the average family)")
    ax.set_ylabel("family")
    draw.tidy(ax, grid="x")
    return ax


def plot_fitted(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw observed against fitted scores, a small square for each benchmark.

    Read off it where the model misses: points far from the line, or a cloud that bends away. Above
    each square stands the mean absolute error in points (hundredths of the score learned from).

    Parameters
    ----------
    fit : Fit
        The fitted model.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
        Its ``child_axes`` are the squares, in the order of ``fit.benchmarks``.
    """
    fitted = fit.fitted_scores
    observed = fit.panel.scores.reindex(index=fitted.index, columns=fitted.columns)
    errors, labels = facts.fitted_errors(fit), draw.benchmark_labels(fit.panel)
    columns = int(np.ceil(np.sqrt(1.2 * fitted.shape[1])))
    rows = -(-fitted.shape[1] // columns)
    blue = draw.palette()[0]
    ax = draw.canvas(ax, width=1.0 + 1.75 * columns, height=0.6 + 1.95 * rows)
    for number, name in enumerate(fitted.columns):
        row, column = divmod(number, columns)
        square = ax.inset_axes(
            (column / columns, 1 - (row + 0.82) / rows, 0.88 / columns, 0.76 / rows)
        )
        square.plot([0, 1], [0, 1], color=draw.GREY, lw=1)
        square.plot(fitted[name], observed[name], "o", color=blue, ms=3, alpha=0.5, mew=0)
        title = f"{draw.shown(labels[str(name)], 20)}\nerror {errors[name]:.1f}"
        square.set_title(title, fontsize=8, pad=3)
        square.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect=1)
        below = number + columns < fitted.shape[1]
        square.set_xticklabels([] if below else ["0", "0.5", "1"], fontsize=8)
        square.set_yticklabels([] if column else ["0", "0.5", "1"], fontsize=8)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel("fitted score", labelpad=4)
    ax.set_ylabel("observed score", labelpad=26)
    draw.tidy(ax, spines=False)
    return ax
