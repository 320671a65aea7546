"""Describe: the pictures of :mod:`lvkit.plots`, in sentences computed from the same results.

For each picture there is a function that says what is to be seen in it, to be given to
:func:`lvkit.drawing.picture` as the description that a screen reader reads out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lvkit.checks import checked_names
from lvkit.drawing import benchmark_labels
from lvkit.errors import count
from lvkit.holdout import errors_by_family, interval_coverage, own_coverage
from lvkit.interpret import loading_errors, loading_intervals
from lvkit.plots.panel import score_correlations, score_points
from lvkit.predict import KINDS, predicted
from lvkit.reporting.words import company, errors, extremes, features_of, listed, pairs
from lvkit.standings import TOP_FAMILIES, family_standings, known_families, two_skills

if TYPE_CHECKING:
    from lvkit.curve import ResponseCurve
    from lvkit.data.panel import Panel
    from lvkit.holdout import Backtest
    from lvkit.planning.comparison import PlanComparison
    from lvkit.planning.plan import Plan
    from lvkit.posterior import FamilyPosterior
    from lvkit.predict import Prediction
    from lvkit.results import Fit
    from lvkit.select import Selection


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


def describe_score_correlations(panel: Panel) -> str:
    """Say what :func:`lvkit.plots.plot_score_correlations` shows."""
    table = score_correlations(panel)
    names, numbers = [benchmark_labels(panel)[str(name)] for name in table], table.to_numpy(float)
    upper = np.triu(np.ones(table.shape, dtype=bool), k=1)
    values = {
        f"{names[row]} and {names[column]}": float(numbers[row, column])
        for row, column in np.argwhere(upper & ~np.isnan(numbers))
    }
    start = f"Correlations of scores on {count(len(table), 'benchmark')}"
    if not values:
        return f"{start}: too few models have two scores."
    high, low = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    if len(values) == 1:
        return f"{start}: {high} {values[high]:.2f}."
    return f"{start}: highest {high} with {values[high]:.2f}, lowest {low} with {values[low]:.2f}."


def describe_missing(panel: Panel) -> str:
    """Say what :func:`lvkit.plots.plot_missing` shows."""
    measured, labels = panel.scores.notna(), benchmark_labels(panel)
    cells = panel.n_models * panel.n_benchmarks
    counts = measured.sum()
    most, fewest = str(counts.idxmax()), str(counts.idxmin())
    ends = (f"{labels[most]} has most ({counts.max():,})", f"{labels[fewest]} fewest")
    spread = f"{', '.join(ends)} ({counts.min():,})"
    if counts.max() == counts.min():
        spread = f"Each benchmark has {counts.max():,}"
    return (
        f"Of {cells:,} possible scores ({count(panel.n_models, 'model')}, "
        f"{count(panel.n_benchmarks, 'benchmark')}), {panel.n_scores:,} were measured "
        f"({panel.n_scores / cells:.0%}). {count(int(measured.all(axis=1).sum()), 'model')} "
        f"have them all. {spread}."
    )


def describe_response(
    curve: ResponseCurve, *, skill: float | None = None, level: float = 0.9
) -> str:
    """Say what :func:`lvkit.plots.plot_response` shows."""
    low, high = f"{curve.floor:.2f}", "1"
    way = f"rises from {low} to {high}" if curve.loading > 0 else f"falls from {high} to {low}"
    if curve.middle is None:
        start = f"The expected score is {float(curve.mean(0.0)):.2f} at every skill"
    else:
        half = f"half-way at skill {curve.middle + 0.0:.1f}"
        start = f"The expected score {way}, {half}"
    if skill is None:
        return f"{start}."
    lower, upper = curve.interval(skill, level)
    return (
        f"{start}. At skill {skill:.1f} it is {float(curve.mean(skill)):.2f}, and {level:.0%} of "
        f"scores lie between {float(lower):.2f} and {float(upper):.2f}."
    )


def describe_criterion(selection: Selection) -> str:
    """Say what :func:`lvkit.plots.plot_criterion` shows, of AIC and BIC."""
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


def describe_loadings(fit: Fit, *, errors: bool = False) -> str:
    """Say what :func:`lvkit.plots.plot_loadings` shows."""
    labels, parts, doubt = benchmark_labels(fit.panel), [], ""
    if errors:
        sizes = loading_errors(fit).stack()
        doubt = f" Standard errors go from {sizes.min():.2f} to {sizes.max():.2f}."
    for skill, others in company(fit).items():
        with_it = f", and mainly loading on it {listed(others)}" if others else ""
        parts.append(f"{skill}: its anchor {labels[fit.anchors[skill]]}{with_it}")
    what = f"{count(len(fit.benchmarks), 'benchmark')} on {count(len(parts), 'skill')}"
    return f"Loadings of {what}. {'; '.join(parts)}.{doubt}"


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


def describe_trace(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_trace` shows."""
    trace = fit.trace["loglik"].dropna()
    steps = count(int(trace.index[-1] - trace.index[0]), "iteration")
    end = "which converged" if fit.converged else "which did not converge"
    return (
        f"The log-likelihood goes from {trace.iloc[0]:,.1f} to {trace.iloc[-1]:,.1f} in {steps}; "
        f"that of the fit, {end}, is {fit.loglik:,.2f}."
    )


def describe_loading_intervals(fit: Fit, skill: str, *, level: float = 0.95) -> str:
    """Say what :func:`lvkit.plots.plot_loading_intervals` shows."""
    table = loading_intervals(fit, skill, level).sort_values("estimate", ascending=False)
    table = table[~table["fixed"]]
    labels = benchmark_labels(fit.panel)
    told = [
        f"{labels[str(name)]} {row['estimate']:.2f} "
        + ("(not determined)" if pd.isna(row["std_error"])
           else f"({row['ci_lower']:.2f} to {row['ci_upper']:.2f})")
        for name, row in table.iterrows()
    ]  # fmt: skip
    return f"Loadings on {skill} with {level:.0%} intervals, largest first: {'; '.join(told)}."


def describe_family_density(
    post: FamilyPosterior, a: str, b: str, *, skills: Sequence[str] | None = None
) -> str:
    """Say what :func:`lvkit.plots.plot_family_density` shows."""
    chosen = list(two_skills(post, skills))
    places = []
    for family in checked_names([a, b], post.families):
        draws = post.draws[post.families.index(family)][:, [post.skills.index(s) for s in chosen]]
        stands = zip(draws.mean(axis=0), draws.std(axis=0), strict=True)
        places.append(f"{family} at " + listed(f"{mean:.1f} ± {sd:.1f}" for mean, sd in stands))
    higher = post.compare(a, b)["probability"]
    odds = listed(f"{higher[skill]:.2f} in {skill}" for skill in chosen)
    return (
        f"Posterior densities of two families on {listed(chosen)}: {listed(places)}. The "
        f"probability that {a} stands higher is {odds}."
    )


def describe_family_map(
    fit: Fit,
    *,
    skills: Sequence[str] | None = None,
    families: Sequence[str] = (),
    top: int | None = TOP_FAMILIES,
    level: float = 0.5,
) -> str:
    """Say what :func:`lvkit.plots.plot_family_map` shows."""
    chosen = two_skills(fit, skills)
    most = known_families(fit, top)
    tables = [family_standings(fit, name, None) for name in chosen] if families else []
    start = (
        "All families" if len(most) == fit.n_families else f"The {len(most)} best known families"
    )
    marked = [
        f"{family} at "
        + listed(f"{t['standing'][family]:.1f} ± {t['sd'][family]:.1f}" for t in tables)
        for family in dict.fromkeys(families)
    ]
    told = f" Marked: {listed(marked)}." if marked else ""
    return (
        f"{start} on {listed(chosen)}, beyond {features_of(fit)}, each in the ellipse that holds "
        f"{level:.0%} of its posterior. {' '.join(extremes(most[name]) for name in chosen)}{told}"
    )


def describe_prediction(
    prediction: Prediction,
    models: Sequence[str] | None = None,
    *,
    observed: Panel | pd.DataFrame | None = None,
) -> str:
    """Say what :func:`lvkit.plots.plot_prediction` shows."""
    rows = predicted(prediction, models, observed)
    width = (rows["upper"] - rows["lower"]).groupby(rows["benchmark"], sort=False).mean()
    labels, groups = prediction.labels, rows.groupby("model", sort=False)
    widest, narrowest = str(width.idxmax()), str(width.idxmin())
    inside = [
        f"{int(table['inside'].sum())} of {table['observed'].count()} for {name}"
        for name, table in groups
        if table["observed"].notna().any()
    ]
    hits = f" Measured scores inside: {listed(inside)}." if inside else " None were measured."
    return (
        f"Predicted scores of {count(len(groups), 'model')} on {count(len(width), 'benchmark')}, "
        f"with {prediction.level:.0%} intervals: widest for {labels[widest]} "
        f"({width[widest]:.2f} on average), narrowest for {labels[narrowest]} "
        f"({width[narrowest]:.2f}).{hits}"
    )


def describe_backtest_calibration(test: Backtest) -> str:
    """Say what :func:`lvkit.plots.plot_backtest_calibration` shows."""
    tested, kind = interval_coverage(test), KINDS[test.intervals]
    parts = [f"{share:.1%} inside those of {level:.0%}" for level, share in tested.items()]
    before = ""
    if test.intervals == "calibrated":
        own = own_coverage(test, list(test.levels)).sort_index()
        before = f" Before calibration: {listed(f'{share:.1%}' for share in own)}."
    lie = f"Of {len(test.table):,} held-out scores lie, with {kind} intervals"
    return f"{lie}: {listed(parts)}.{before}"


def describe_backtest_errors(test: Backtest) -> str:
    """Say what :func:`lvkit.plots.plot_backtest_errors` shows."""
    table = errors_by_family(test)
    called = ((test.labels.get(str(name), str(name)), mean) for name, mean in table.mean().items())
    means = [f"{label} {mean:.1f}" for label, mean in called]
    return (
        f"Mean absolute error of predictions in points, averaged over "
        f"{len(table)} families, best predicted first: {', '.join(means)}; "
        f"{table.mean().mean():.1f} over all benchmarks."
    )


def describe_plan_value(plan: Plan) -> str:
    """Say what :func:`lvkit.plots.plot_plan_value` shows."""
    from lvkit.planning.words import flops

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


def describe_plan_comparison(comparison: PlanComparison) -> str:
    """Say what :func:`lvkit.plots.plot_plan_comparison` shows of the largest budget."""
    from lvkit.planning.words import amount, flops

    told = []
    for plan in comparison.plans:
        row = plan.table.iloc[int(plan.table["budget"].to_numpy().argmax())]
        ends = ["lower", "upper"] if pd.notna(row["tokens_per_param_lower"]) else []
        ends = [amount(float(row[f"tokens_per_param_{end}"])) for end in ends]
        span, best = f" ({' to '.join(ends)})" if ends else "", amount(row["tokens_per_param"])
        corner = str(row["corner"]).removesuffix(" (bracket)")
        end = f", at an end ({corner})" if corner else ""
        told.append(f"{plan.target.label} of {plan.family} {best}{span}{end}")
    budget = flops(float(comparison.table["budget"].max()))
    level = comparison.plans[0].level
    kind = "" if level is None else f" with {level:.0%} intervals"
    return (
        f"Best tokens per parameter on {budget}{kind}, beside the Chinchilla rule of 20: "
        f"{'; '.join(told)}."
    )
