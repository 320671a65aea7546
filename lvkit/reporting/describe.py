"""Describe: the pictures of :mod:`lvkit.plots`, in sentences computed from the same results.

For each picture there is a function that says what is to be seen in it, to be given to
:func:`lvkit.drawing.picture` as the description that a screen reader reads out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvkit.drawing import benchmark_labels
from lvkit.facts import TOP_FAMILIES, known_families, score_points
from lvkit.reporting.words import company, count, errors, extremes, features_of, listed, pairs

if TYPE_CHECKING:
    from lvkit.panel import Panel
    from lvkit.results import Fit
    from lvkit.select import Selection

__all__ = [
    "describe_correlation",
    "describe_criterion",
    "describe_families",
    "describe_fitted",
    "describe_loadings",
    "describe_missing",
    "describe_scores",
]


def describe_scores(panel: Panel, benchmark: str, *, against: str = "params_b") -> str:
    """Say what :func:`lvkit.plots.plot_scores` shows."""
    points = score_points(panel, benchmark, against)
    what = {"params_b": "size", "tokens_t": "training tokens"}[against]
    trend = ""
    if points[against].nunique() > 1 and points["score"].nunique() > 1:
        rank = points[against].rank().corr(points["score"].rank())
        trend = f" Their rank correlation is {rank:.2f}."
    return (
        f"Scores of {count(len(points), 'model')} on {benchmark_labels(panel)[benchmark]} against "
        f"their {what}, joined by family: from {points['score'].min():.2f} to "
        f"{points['score'].max():.2f}.{trend}"
    )


def describe_missing(panel: Panel) -> str:
    """Say what :func:`lvkit.plots.plot_missing` shows."""
    measured, labels = panel.scores.notna(), benchmark_labels(panel)
    cells = panel.n_models * panel.n_benchmarks
    counts = measured.sum()
    most, fewest = str(counts.idxmax()), str(counts.idxmin())
    return (
        f"Of {cells:,} possible scores ({count(panel.n_models, 'model')}, "
        f"{count(panel.n_benchmarks, 'benchmark')}), {panel.n_scores:,} were measured "
        f"({panel.n_scores / cells:.0%}). {count(int(measured.all(axis=1).sum()), 'model')} "
        f"have them all. {labels[most]} has most ({counts.max():,}), "
        f"{labels[fewest]} fewest ({counts.min():,})."
    )


def describe_criterion(selection: Selection) -> str:
    """Say what :func:`lvkit.plots.plot_criterion` shows, of AIC and BIC."""
    table = selection.table
    lowest = [
        f"{name} is lowest at K = {table[column].idxmin()} ({table[column].min():,.0f})"
        for name, column in (("AIC", "aic"), ("BIC", "bic"))
    ]
    numbers = [f"{value:,.0f}" for value in table["aic"]]
    failed = list(table.index[~table["converged"].astype(bool)])
    doubt = f" Not converged: K = {listed(failed)}." if failed else ""
    curve = f"For K = {listed(table.index)} skills AIC is {listed(numbers)}"
    return f"{curve}. {listed(lowest)}.{doubt}"


def describe_loadings(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_loadings` shows."""
    labels, parts = benchmark_labels(fit.panel), []
    for skill, anchor in fit.anchors.items():
        others = company(fit, skill)
        with_it = f", and mainly loading on it {listed(others)}" if others else ""
        parts.append(f"{skill}: its anchor {labels[anchor]}{with_it}")
    sizes = f"{count(len(fit.benchmarks), 'benchmark')} on {count(len(parts), 'skill')}"
    return f"Loadings of {sizes}. {'; '.join(parts)}."


def describe_correlation(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_correlation` shows."""
    correlations = pairs(fit)
    if correlations.empty:
        return f"There is one skill, {fit.skills[0]}, and so no correlation."
    told = [
        f"{a} and {b} {value:.2f}"
        for (a, b), value in zip(correlations.index, correlations, strict=True)
    ]
    return f"Correlations between families, highest first: {'; '.join(told)}."


def describe_families(fit: Fit, *, skill: str | None = None, top: int | None = TOP_FAMILIES) -> str:
    """Say what :func:`lvkit.plots.plot_families` shows."""
    table = known_families(fit, top)
    start = "All families" if len(table) == fit.n_families else "The families with the most scores"
    return f"{start} ({len(table)}), beyond {features_of(fit)}. " + " ".join(
        extremes(table[name]) for name in (fit.skills if skill is None else (skill,))
    )


def describe_fitted(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_fitted` shows."""
    return f"Observed against fitted scores, by benchmark. {errors(fit)}"
