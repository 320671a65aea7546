"""Figures of a fit: how many skills, what they are, fitted scores and the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lvkit.data.panel import benchmark_labels
from lvkit.errors import LvkitError, count
from lvkit.fit import interpret
from lvkit.fit.fit import Fit
from lvkit.fit.interpret import (
    SCALE_FEATURES,
    fitted_errors,
    loading_errors,
    main_skills,
    scale_effects,
)
from lvkit.fit.select_skills import Selection
from lvkit.plots import drawing as draw
from lvkit.plots.phrases import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    is a fit that did not converge.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    criterion : {"aic", "bic", "both"}
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
    if criterion == "both":
        ax = plot_criterion(selection, criterion="aic", chosen=chosen, ax=ax)
        return plot_criterion(selection, criterion="bic", ax=ax)
    if criterion not in _CRITERIA:
        raise LvkitError(
            f"got {criterion!r}", where="argument 'criterion'", expected="'aic', 'bic' or 'both'"
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
    legend = f"{name}, lowest {'tried:' if at_edge else 'at'} K = {best}"
    ax.plot(places, values, "-" + marker, color=colour, ms=5, label=legend)
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


def describe_criterion(selection: Selection) -> str:
    """Say what :func:`plot_criterion` shows, of AIC and BIC."""
    table = selection.table
    lowest, places = [], [int(k) for k in table.index]
    for name, column in (("AIC", "aic"), ("BIC", "bic")):
        best = places[int(table[column].to_numpy().argmin())]
        at_edge = best > 1 and best in (places[0], places[-1])
        value = f"{table[column].min():,.0f}"
        edge = ", at the edge of what was tried" if at_edge else ""
        lowest.append(f"{name} is lowest at K = {best} ({value}{edge})")
    numbers = [f"{value:,.0f}" for value in table["aic"]]
    failed = list(table.index[~table["converged"].astype(bool)])
    doubt = f" Not converged: K = {listed(failed)}." if failed else ""
    curve = f"For K = {listed(table.index)} skills AIC is {listed(numbers)}"
    return f"{curve}. {listed(lowest)}.{doubt}"


criterion = draw.one_call(plot_criterion, describe_criterion)


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
    what = "loading ± standard error," if errors else "loadings"
    shares = table.div(table.abs().max(axis=1), axis=0)
    cell = (max(1.1, 3.0 / table.shape[1]), max(0.32, 2.4 / len(table)))  # room for the labels
    ax = draw.heat_map(
        ax, shares.rename(index=benchmark_labels(fit.panel)), words, most=1.0,
        bar="share of the benchmark's largest loading", cell=cell, margins=(2.6, 1.3),
        xlabel=f"skill ({what} in logits per standard deviation)", ylabel="benchmark",
    )  # fmt: skip
    for skill, benchmark in fit.anchors.items():
        draw.frame_cell(ax, table.index.get_loc(benchmark), list(table.columns).index(skill))
    return ax


def describe_loadings(fit: Fit, *, errors: bool = False) -> str:
    """Say what :func:`plot_loadings` shows."""
    labels, parts, doubt = benchmark_labels(fit.panel), [], ""
    if errors:
        sizes = loading_errors(fit).stack()
        doubt = f" Standard errors go from {sizes.min():.2f} to {sizes.max():.2f}."
    for skill, others in company(fit).items():
        with_it = f", and mainly loading on it {listed(others)}" if others else ""
        parts.append(f"{skill}: its anchor {labels[fit.anchors[skill]]}{with_it}")
    what = f"{count(len(fit.benchmarks), 'benchmark')} on {count(len(parts), 'skill')}"
    return f"Loadings of {what}. {'; '.join(parts)}.{doubt}"


loadings = draw.one_call(plot_loadings, describe_loadings)


def company(fit: Fit) -> dict[str, list[str]]:
    """Return, for each skill, the benchmarks by label that load on it most, without its anchor."""
    labels, others = benchmark_labels(fit.panel), {skill: list[str]() for skill in fit.skills}
    for name, skill in main_skills(fit).items():
        if name != fit.anchors[skill]:
            others[skill].append(labels[str(name)])
    return others


def plot_loading_intervals(
    fit: Fit, skill: str, *, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw a skill's loadings with confidence intervals, the largest at the top.

    Read off it which benchmarks surely rise with the skill: those whose interval does not reach
    zero. An anchor of another skill has zero by definition, and no interval; nor has a loading that
    the data do not determine.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str
        One of its skills.
    level : float
        Level of the intervals.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If there is no such skill, for a level outside (0, 1), and for a fit that did not converge.
    """
    table = interpret.loading_intervals(fit, skill, level).sort_values("estimate", kind="stable")
    unit = "logits per standard deviation"
    label = f"loading on {draw.shown(skill)}, with {level:.0%} intervals\n({unit})"
    height = 1.0 + 0.28 * len(table)
    ax = draw.canvas(ax, width=6.4, height=height, xlabel=label, ylabel="benchmark")
    ax.axvline(0, color=draw.INK, lw=0.8)
    places = np.arange(len(table))
    open_dots = table["std_error"].isna().to_numpy()
    ends = table[["ci_lower", "ci_upper"]].sub(table["estimate"], axis=0).abs().to_numpy().T
    shut = {"fmt": "o", "ms": 5, "lw": 1.4, "color": draw.palette()[0]}
    ax.errorbar(table["estimate"][~open_dots], places[~open_dots], xerr=ends[:, ~open_dots], **shut)
    ax.plot(table["estimate"][open_dots], places[open_dots], "o", mfc="white", mec=draw.GREY, ms=5)
    ax.set_yticks(places, _benchmark_names(fit, skill, table), fontsize=8)
    draw.tidy(ax, grid="x")
    return ax


def _benchmark_names(fit: Fit, skill: str, table: pd.DataFrame) -> list[str]:
    """Return what to write beside each loading: its benchmark, and what is special about it."""
    labels, names = benchmark_labels(fit.panel), []
    plain = draw.shown_apart(labels[str(benchmark)] for benchmark in table.index)
    for name, (benchmark, row) in zip(plain, table.iterrows(), strict=True):
        special = " (not determined)" if np.isnan(row["std_error"]) else ""
        special = " (0 by definition)" if row["fixed"] else special
        special = " (anchor)" if fit.anchors[skill] == benchmark and not special else special
        names.append(name + special)
    return names


def describe_loading_intervals(fit: Fit, skill: str, *, level: float = 0.95) -> str:
    """Say what :func:`plot_loading_intervals` shows."""
    table = interpret.loading_intervals(fit, skill, level).sort_values("estimate", ascending=False)
    table = table[~table["fixed"]]
    labels = benchmark_labels(fit.panel)
    parts = [
        f"{labels[str(name)]} {row['estimate']:.2f} "
        + ("(not determined)" if pd.isna(row["std_error"])
           else f"({row['ci_lower']:.2f} to {row['ci_upper']:.2f})")
        for name, row in table.iterrows()
    ]  # fmt: skip
    return f"Loadings on {skill} with {level:.0%} intervals, largest first: {'; '.join(parts)}."


loading_intervals = draw.one_call(plot_loading_intervals, describe_loading_intervals)


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


def describe_correlation(fit: Fit) -> str:
    """Say what :func:`plot_correlation` shows."""
    correlations = pairs(fit)
    if correlations.empty:
        return f"There is one skill, {fit.skills[0]}, and so no correlation."
    parts = [
        f"{a} and {b} {value:.2f}"
        for (a, b), value in zip(correlations.index, correlations, strict=True)
    ]
    return f"Correlations between families, highest first: {'; '.join(parts)}."


correlation = draw.one_call(plot_correlation, describe_correlation)


def pairs(fit: Fit) -> pd.Series[float]:
    """Return the correlation of each pair of skills, highest first."""
    table = fit.correlation.to_numpy()
    names = list(fit.skills)
    rows, columns = np.triu_indices(len(names), k=1)
    index = pd.MultiIndex.from_arrays([[names[i] for i in rows], [names[j] for j in columns]])
    values = pd.Series(table[rows, columns], index=index, dtype=float)
    return values.sort_values(ascending=False, kind="stable")


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
    errors, labels = fitted_errors(fit), benchmark_labels(fit.panel)
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


def describe_fitted(fit: Fit) -> str:
    """Say what :func:`plot_fitted` shows."""
    return f"Observed against fitted scores, by benchmark. {errors(fit)}"


fitted = draw.one_call(plot_fitted, describe_fitted)


def errors(fit: Fit) -> str:
    """Say how far fitted scores are from observed ones."""
    points, labels = fitted_errors(fit), benchmark_labels(fit.panel)
    worst, best = str(points.idxmax()), str(points.idxmin())
    return (
        f"The mean absolute error is {points.mean():.1f} points on average over benchmarks, "
        f"smallest for {labels[best]} ({points[best]:.1f}) and largest for {labels[worst]} "
        f"({points[worst]:.1f})."
    )


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


def describe_trace(fit: Fit) -> str:
    """Say what :func:`plot_trace` shows."""
    trace = fit.trace["loglik"].dropna()
    steps = count(int(trace.index[-1] - trace.index[0]), "iteration")
    end = "which converged" if fit.converged else "which did not converge"
    return (
        f"The log-likelihood goes from {trace.iloc[0]:,.1f} to {trace.iloc[-1]:,.1f} in {steps}; "
        f"that of the fit, {end}, is {fit.loglik:,.2f}."
    )


trace = draw.one_call(plot_trace, describe_trace)


def features_of(fit: Fit) -> str:
    """Return what goes along with the skills, in plain words: size and tokens, most often."""
    effects = scale_effects(fit)
    if effects is None:
        return "the features"
    others = set(fit.feature_names) - SCALE_FEATURES
    return listed([*effects, "other features"] if others else effects)
