"""Pictures of a fit: how many skills, what they are, where families stand, what is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lvkit import drawing as draw
from lvkit.checks import checked_names
from lvkit.errors import LvkitError
from lvkit.interpret import fitted_errors, loading_errors, main_skills
from lvkit.standings import TOP_FAMILIES, family_standings, known_families

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.results import Fit
    from lvkit.select import Selection


_CRITERIA = {"aic": ("AIC", 0, "o"), "bic": ("BIC", 1, "s")}


def plot_criterion(
    selection: Selection,
    *,
    criterion: str = "aic",
    chosen: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw AIC or BIC against the number of skills.

    Read off it how many skills the data ask for: the ring marks the lowest value, which the
    criterion would choose, and the numbers below those of the skills are the Akaike weights from
    0.01. Where the ring is at the edge of what was tried, the lowest value may lie beyond, and the
    legend says so. A long, nearly level stretch says that fewer skills do almost as well. A cross
    is a fit that did not converge. Draw both criteria by giving the axes of the first to the
    second.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    criterion : {"aic", "bic"}
        Which to draw.
    chosen : int, optional
        A number of skills to mark with a line: the one that you carry on with.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If the criterion is another, or the chosen number of skills is not in the selection.
    """
    if criterion not in _CRITERIA:
        raise LvkitError(
            f"got {criterion!r}", where="argument 'criterion'", expected="'aic' or 'bic'"
        )
    name, position, marker = _CRITERIA[criterion]
    table, colour = selection.table, draw.palette()[position]
    values, places = table[criterion], list(table.index)
    label = "number of skills K" + (", Akaike weight below" if criterion == "aic" else "")
    ax = draw.canvas(ax, width=6.4, height=3.8, xlabel=label, ylabel="criterion (lower is better)")
    if chosen is not None:
        _mark_chosen(ax, chosen, places)
    best = places[int(values.to_numpy().argmin())]
    at_edge = best > 1 and best in (min(places), max(places))
    told = f"{name}, lowest {'tried:' if at_edge else 'at'} K = {best}"
    ax.plot(places, values, "-" + marker, color=colour, ms=5, label=told)
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


def _mark_chosen(ax: Axes, chosen: int, places: list[int]) -> None:
    """Draw a line where the number of skills is chosen."""
    if chosen not in places:
        raise LvkitError(
            f"got {chosen}", where="argument 'chosen'",
            expected="one of " + ", ".join(map(str, places)),
        )  # fmt: skip
    ax.axvline(chosen, color=draw.INK, lw=1.2, ls=":", label=f"chosen: K = {chosen}")


def plot_loadings(fit: Fit, *, errors: bool = False, ax: Axes | None = None) -> Axes:
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
    errors : bool
        Write each loading's standard error beside it, and "?" where the data do not determine it.
        :func:`plot_loading_intervals` draws one skill's.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If there are to be standard errors and the fit did not converge.
    """
    table = fit.loadings.loc[main_skills(fit).index]
    anchored = table.index.isin(list(fit.anchors.values()))
    zeros = anchored[:, None] & (table.to_numpy() == 0.0)
    words = draw.cell_texts(table, zeros=zeros)
    if errors:
        ranges = draw.cell_texts(loading_errors(fit).loc[table.index])
        ranges[ranges == "nan"] = "?"
        words = np.where(zeros, words, words + " ± " + ranges)
    told = "loading ± standard error," if errors else "loadings"
    shares = table.div(table.abs().max(axis=1), axis=0)
    cell = (max(1.1, 3.0 / table.shape[1]), max(0.32, 2.4 / len(table)))  # room for the labels
    ax = draw.heat_map(
        ax, shares.rename(index=draw.benchmark_labels(fit.panel)), words, most=1.0,
        bar="share of the benchmark's largest loading", cell=cell, margins=(2.6, 1.3),
        xlabel=f"skill ({told} in logits per standard deviation)", ylabel="benchmark",
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
    top: int | None = TOP_FAMILIES,
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
    table = known_families(fit, top)
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    most = max(1.0, float(np.ceil(np.abs(table.to_numpy()).max())))
    return draw.heat_map(
        ax, table, draw.cell_texts(table, digits=1), most=most, ylabel="family",
        bar="standard deviations from the average", cell=(1.0, 0.24), margins=(3.4, 1.3),
    )  # fmt: skip


def _ranked_families(fit: Fit, skill: str, top: int | None, ax: Axes | None) -> Axes:
    """Draw how families stand on one skill, with a bar of one posterior standard deviation."""
    checked_names([skill], fit.skills, what="skill")
    table = family_standings(fit, skill, top).iloc[::-1]
    label = f"{draw.shown(skill)} (from the average family, ± posterior standard deviation)"
    height = 1.0 + 0.22 * len(table)
    ax = draw.canvas(ax, width=6.0, height=height, xlabel=label, ylabel="family")
    places = np.arange(len(table))
    bars = {"xerr": table["sd"], "fmt": "o", "ms": 5, "lw": 1.2, "color": draw.palette()[0]}
    ax.errorbar(table["standing"], places, **bars)
    ax.axvline(0, color=draw.INK, lw=0.8)
    ax.set_yticks(places, draw.shown_apart(table.index), fontsize=8)
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
    errors, labels = fitted_errors(fit), draw.benchmark_labels(fit.panel)
    columns = int(np.ceil(np.sqrt(1.2 * fitted.shape[1])))
    rows, blue = -(-fitted.shape[1] // columns), draw.palette()[0]
    size = {"width": 1.0 + 1.75 * columns, "height": 0.6 + 1.95 * rows}
    ax = draw.canvas(ax, **size, xlabel="fitted score", ylabel="observed score")
    names = draw.shown_apart((labels[str(name)] for name in fitted.columns), 20)
    for number, name in enumerate(fitted.columns):
        row, column = divmod(number, columns)
        square = ax.inset_axes(
            (column / columns, 1 - (row + 0.82) / rows, 0.88 / columns, 0.76 / rows)
        )
        square.plot([0, 1], [0, 1], color=draw.GREY, lw=1)
        square.plot(fitted[name], observed[name], "o", color=blue, ms=3, alpha=0.5, mew=0)
        title = f"{names[number]}\nerror {errors[name]:.1f}"
        square.set_title(title, fontsize=8, pad=3)
        square.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect=1)
        below = number + columns < fitted.shape[1]
        square.set_xticklabels([] if below else ["0", "0.5", "1"], fontsize=8)
        square.set_yticklabels([] if column else ["0", "0.5", "1"], fontsize=8)
    ax.set(xticks=[], yticks=[])
    ax.yaxis.labelpad = 26
    draw.tidy(ax, spines=False)
    return ax


def plot_trace(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw the log-likelihood against the iterations of the search.

    Read off it whether the search came to rest: a curve that ends level has reached a top, one that
    still climbs was stopped on its way. The dashed line is the fit's log-likelihood.

    Parameters
    ----------
    fit : Fit
        The fitted model, by any method; the way of its best start is drawn.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Notes
    -----
    The search takes fewer integration nodes than the log-likelihood of the fit, so that the curve
    may end a little beside the line.
    """
    from matplotlib.ticker import MaxNLocator

    trace = fit.trace["loglik"].dropna()
    ax = draw.canvas(ax, width=6.0, height=3.6, xlabel="iteration", ylabel="log-likelihood")
    top = f"fit, {fit.loglik:,.2f}" + ("" if fit.converged else " (not converged)")
    ax.axhline(fit.loglik, color=draw.INK, lw=1.0, ls="--", label=top)
    ax.plot(trace.index, trace, "-o", color=draw.palette()[0], ms=4, label=f"search ({fit.method})")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, loc="lower right")
    draw.tidy(ax, grid="y")
    return ax
