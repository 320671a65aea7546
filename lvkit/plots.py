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
    score = f"score on {draw.shown(draw.benchmark_labels(panel)[benchmark])}"
    ax = draw.canvas(ax, width=8.0, height=4.4, xlabel=_AGAINST[against], ylabel=score)
    for family, rows in points.groupby("family", sort=False):
        if family not in bright:
            ax.plot(rows[against], rows["score"], "-o", color=draw.GREY, alpha=0.45, lw=0.8, ms=3)
    lines = []
    for colour, marker, family in zip(draw.palette(), _MARKERS, bright, strict=False):
        rows = points[points["family"] == family]
        lines += ax.plot(rows[against], rows["score"], "-" + marker, color=colour, lw=1.5, ms=6)
    ax.set_xscale("log")
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
    edges = np.flatnonzero(order.ne(order.shift()).to_numpy()).tolist()
    centres, names = draw.spaced_labels(order, edges)
    some = "" if len(names) == panel.n_families else " (not all families are named)"
    ax = draw.canvas(
        ax, width=9.0, height=1.6 + 0.24 * panel.n_benchmarks,
        xlabel=f"models, by family and size{some}", ylabel="benchmark (models scored)",
    )  # fmt: skip
    measured = panel.scores.loc[order.index].notna().to_numpy()
    colours = ListedColormap(["#ececec", draw.palette()[0]])
    ax.pcolormesh(measured.T, cmap=colours, vmin=0, vmax=1, rasterized=True)
    labels = draw.benchmark_labels(panel)
    counts = zip(panel.scores, measured.sum(axis=0), strict=True)
    rows = [f"{draw.shown(labels[str(name)])}  {n}" for name, n in counts]
    ax.set_yticks(np.arange(panel.n_benchmarks) + 0.5, rows, fontsize=8)
    ax.invert_yaxis()
    ax.vlines(edges[1:], 0, panel.n_benchmarks, color="white", lw=0.7)
    ax.hlines(range(1, panel.n_benchmarks), 0, len(order), color="white", lw=0.7)
    ax.set_xticks(centres, names, rotation=90, fontsize=7)
    ax.tick_params(length=0)
    draw.tidy(ax, spines=False)
    return ax


def plot_criterion(selection: Selection, *, criterion: str = "aic", ax: Axes | None = None) -> Axes:
    """Draw AIC or BIC against the number of skills.

    Read off it how many skills the data ask for: the ring marks the lowest value, which the
    criterion would choose, and the numbers below those of the skills are the Akaike weights from
    0.01. A long, nearly level stretch says that fewer skills do almost as well. A cross is a fit
    that did not converge. Draw both criteria by giving the axes of the first to the second.

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
    values, places = table[criterion], list(table.index)
    label = "number of skills K" + (", Akaike weight below" if criterion == "aic" else "")
    ax = draw.canvas(ax, width=6.4, height=3.8, xlabel=label, ylabel="criterion (lower is better)")
    best = places[int(values.to_numpy().argmin())]
    ax.plot(places, values, "-" + marker, color=colour, ms=5, label=f"{name}, lowest at K = {best}")
    failed = values[~table["converged"].astype(bool)]
    ax.plot(failed.index, failed, "x", color=draw.INK, ms=9)
    ax.plot([best], [values.min()], "o", mfc="none", mec=colour, mew=1.8, ms=13)
    ax.set_xticks(places)
    if criterion == "aic":
        weights = [f"{weight:.2f}" if weight >= 0.01 else "" for weight in table["weight"]]
        ax.set_xticklabels([f"{k}\n{weight}" for k, weight in zip(places, weights, strict=True)])
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
    table = fit.loadings.loc[facts.main_skills(fit).index]
    anchored = table.index.isin(list(fit.anchors.values()))
    words = draw.cell_texts(table, zeros=anchored[:, None] & (table.to_numpy() == 0.0))
    shares = table.div(table.abs().max(axis=1), axis=0)
    ax = draw.heat_map(
        ax, shares.rename(index=draw.benchmark_labels(fit.panel)), words, most=1.0,
        bar="share of the benchmark's largest loading", cell=(1.1, 0.32), margins=(2.6, 1.3),
        xlabel="skill (loadings in logits per standard deviation)", ylabel="benchmark",
    )  # fmt: skip
    for skill, benchmark in fit.anchors.items():
        draw.frame_cell(ax, table.index.get_loc(benchmark), list(table.columns).index(skill))
    return ax


def plot_correlation(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw how the families' latent variables are correlated, skill by skill.

    Read off it whether families that are good at one thing, beyond what the features explain, tend
    to be good at another. (Figure 2 of arXiv:2512.06553.)

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
    return draw.heat_map(
        ax, fit.correlation, draw.cell_texts(fit.correlation), most=1.0,
        bar="correlation between families", cell=(0.85, 0.62), margins=(2.8, 1.4),
    )  # fmt: skip


def plot_families(
    fit: Fit,
    *,
    skill: str | None = None,
    top: int | None = facts.TOP_FAMILIES,
    ax: Axes | None = None,
) -> Axes:
    """Draw where families stand on the skills, beyond what size, tokens or other features explain.

    Read off it which recipes get more of a skill out of the same features. The numbers are
    posterior means of the families' latent variables: 0 is an average family, 1 a standard
    deviation above it. Families with few scores are drawn towards 0.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str, optional
        One skill, drawn as a ranking, each family with its posterior standard deviation. None draws
        all as a heat map, sorted by their mean.
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
    if skill is not None:
        return _ranked_families(fit, skill, top, ax)
    table = facts.known_families(fit, top)
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    most = max(1.0, float(np.quantile(np.abs(table.to_numpy()), 0.98)))
    return draw.heat_map(
        ax, table, draw.cell_texts(table, digits=1), most=most, ylabel="family",
        bar="standard deviations from the average", cell=(1.0, 0.24), margins=(3.4, 1.3),
    )  # fmt: skip


def _ranked_families(fit: Fit, skill: str, top: int | None, ax: Axes | None) -> Axes:
    """Draw how families stand on one skill, with a bar of one posterior standard deviation."""
    facts.checked_names([skill], fit.skills, what="skill")
    table = facts.family_standings(fit, skill, top).iloc[::-1]
    label = f"{draw.shown(skill)} (from the average family, ± posterior standard deviation)"
    height = 1.0 + 0.22 * len(table)
    ax = draw.canvas(ax, width=6.0, height=height, xlabel=label, ylabel="family")
    places = np.arange(len(table))
    bars = {"xerr": table["sd"], "fmt": "o", "ms": 5, "lw": 1.2, "color": draw.palette()[0]}
    ax.errorbar(table["standing"], places, **bars)
    ax.axvline(0, color=draw.INK, lw=0.8)
    ax.set_yticks(places, [draw.shown(name) for name in table.index], fontsize=8)
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
    rows, blue = -(-fitted.shape[1] // columns), draw.palette()[0]
    size = {"width": 1.0 + 1.75 * columns, "height": 0.6 + 1.95 * rows}
    ax = draw.canvas(ax, **size, xlabel="fitted score", ylabel="observed score")
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
    ax.yaxis.labelpad = 26
    draw.tidy(ax, spines=False)
    return ax
