"""Describe: the pictures of :mod:`lvkit.plots`, in sentences computed from the same results.

For each picture there is a function that says what is to be seen in it, to be given to
:func:`lvkit.drawing.picture` as the description that a screen reader reads out, and
:func:`summarise` tells a whole analysis in a few paragraphs. Every number in a sentence comes from
the results; the wording is that of association, since nothing here shows that a recipe causes a
skill.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lvkit.drawing import benchmark_labels
from lvkit.facts import (
    fitted_errors,
    known_families,
    main_skills,
    scale_effects,
    score_points,
    side_skills,
)

if TYPE_CHECKING:
    from lvkit.panel import Panel
    from lvkit.results import Fit
    from lvkit.select import Selection

__all__ = [
    "Prose",
    "describe_correlation",
    "describe_criterion",
    "describe_families",
    "describe_fitted",
    "describe_loadings",
    "describe_missing",
    "describe_scores",
    "summarise",
]

_MARKUP = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_[]<>#|~$&"}


@dataclass(frozen=True)
class Prose:
    """Paragraphs of plain words, each with a few words that say what it is about.

    Shown as Markdown in notebooks; whatever signs the names in it have, they are read as text.

    Attributes
    ----------
    paragraphs : tuple of (str, str)
        Subject and text.

    Examples
    --------
    >>> prose = Prose((("Scores", "The family *x* has two."),))
    >>> print(prose)
    Scores: The family *x* has two.
    >>> prose._repr_markdown_()
    '**Scores.** The family &#42;x&#42; has two.'
    """

    paragraphs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{subject}: {text}" for subject, text in self.paragraphs)

    def _repr_markdown_(self) -> str:
        parts = [
            f"**{subject.translate(_MARKUP)}.** {text.translate(_MARKUP)}"
            for subject, text in self.paragraphs
        ]
        return "\n\n".join(parts)


# -- what is to be seen in a picture ----------------------------------------------------------


def describe_scores(panel: Panel, benchmark: str, *, against: str = "params_b") -> str:
    """Say what :func:`lvkit.plots.plot_scores` shows."""
    points = score_points(panel, benchmark, against)
    what = {"params_b": "size", "tokens_t": "training tokens"}[against]
    trend = ""
    if points[against].nunique() > 1 and points["score"].nunique() > 1:
        rank = points[against].rank().corr(points["score"].rank())
        trend = f" Their rank correlation is {rank:.2f}."
    return (
        f"Scores of {_count(len(points), 'model')} on {benchmark_labels(panel)[benchmark]} against "
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
        f"Of {cells:,} possible scores ({_count(panel.n_models, 'model')}, "
        f"{_count(panel.n_benchmarks, 'benchmark')}), {panel.n_scores:,} were measured "
        f"({panel.n_scores / cells:.0%}). {_count(int(measured.all(axis=1).sum()), 'model')} "
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
    doubt = f" Not converged: K = {_listed(failed)}." if failed else ""
    curve = f"For K = {_listed(table.index)} skills AIC is {_listed(numbers)}"
    return f"{curve}. {_listed(lowest)}.{doubt}"


def describe_loadings(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_loadings` shows."""
    labels, main = benchmark_labels(fit.panel), main_skills(fit)
    parts = []
    for skill in fit.skills:
        anchor = fit.anchors[skill]
        others = [labels[str(name)] for name in main.index[main == skill] if name != anchor]
        with_it = f", and mainly loading on it {_listed(others)}" if others else ""
        parts.append(f"{skill}: its anchor {labels[anchor]}{with_it}")
    return f"Loadings of {_count(len(main), 'benchmark')} on {_count(len(parts), 'skill')}. " + (
        "; ".join(parts) + "."
    )


def describe_correlation(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_correlation` shows."""
    pairs = _pairs(fit)
    if pairs.empty:
        return f"There is one skill, {fit.skills[0]}, and so no correlation."
    told = [f"{a} and {b} {value:.2f}" for (a, b), value in zip(pairs.index, pairs, strict=True)]
    return f"Correlations between families, highest first: {'; '.join(told)}."


def describe_families(fit: Fit, *, skill: str | None = None, top: int | None = 24) -> str:
    """Say what :func:`lvkit.plots.plot_families` shows."""
    table = known_families(fit, top)
    start = "All families" if len(table) == fit.n_families else "The families with the most scores"
    return f"{start} ({len(table)}), for their size and tokens. " + " ".join(
        _extremes(table, name) for name in (fit.skills if skill is None else (skill,))
    )


def describe_fitted(fit: Fit) -> str:
    """Say what :func:`lvkit.plots.plot_fitted` shows."""
    return f"Observed against fitted scores, by benchmark. {_errors(fit)}"


# -- the whole analysis -----------------------------------------------------------------------


def summarise(selection: Selection, fit: Fit) -> Prose:
    """Tell what was found, in plain words.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    fit : Fit
        The fit to interpret, one of the selection's, re-anchored perhaps.

    Returns
    -------
    Prose
        Paragraphs on the data, the number of skills, the skills, size and tokens, the families, how
        well the model fits, and how far to trust it.
    """
    paragraphs = (
        ("The data", _data(fit)),
        ("How many skills", _how_many(selection, len(fit.skills))),
        ("What they are", _skills(fit)),
        ("Size and tokens", _scale(fit)),
        ("Families", _families(fit)),
        ("How well it fits", _errors(fit)),
        ("How far to trust it", _trust(fit)),
    )
    return Prose(tuple((subject, text) for subject, text in paragraphs if text))


def _data(fit: Fit) -> str:
    reasons = fit.dropped["reason"].value_counts()
    why = _listed(f"{reason}: {count}" for reason, count in reasons.items())
    left_out = f" {_count(len(fit.dropped), 'model')} stayed out of it ({why})." if why else ""
    return (
        f"The model was fitted to {fit.n_scores:,} scores of {_count(fit.n_models, 'model')} in "
        f"{fit.n_families:,} families on {_count(len(fit.benchmarks), 'benchmark')}.{left_out}"
    )


def _how_many(selection: Selection, skills: int) -> str:
    table = selection.table
    best = {name: table[name].idxmin() for name in ("aic", "bic")}
    away = float(table["delta_aic"][skills])
    here = "the lowest AIC" if best["aic"] == skills else f"an AIC {away:,.0f} above the lowest"
    last = " (the most that were tried)" if best["aic"] == table.index.max() else ""
    return (
        f"Of {_listed(table.index, 'or')} skills, AIC favours {best['aic']}{last} and BIC, which "
        f"asks more of each parameter, {best['bic']}. What follows is for {skills}, "
        f"which has {here}."
    )


def _skills(fit: Fit) -> str:
    labels, main = benchmark_labels(fit.panel), main_skills(fit)
    sentences = []
    for skill in fit.skills:
        anchor = fit.anchors[skill]
        others = [labels[str(name)] for name in main.index[main == skill] if name != anchor]
        measured = f"'{skill}' is what {labels[anchor]} measures by definition"
        verb = "loads" if len(others) == 1 else "load"
        company = f"{_listed(others)} {verb} on it most" if others else "no other mainly does"
        sentences.append(f"{measured}; {company}.")
    second = side_skills(fit)
    if not second.empty:
        told = _listed(f"{labels[str(name)]} on {skill}" for name, skill in second.items())
        sentences.append(f"Loading at least half as much on a second skill: {told}.")
    return " ".join(sentences)


def _scale(fit: Fit) -> str:
    """Say what goes along with size and tokens, on each skill's own benchmark."""
    effects = scale_effects(fit)
    if effects is None:
        return ""
    labels = benchmark_labels(fit.panel)
    told = [
        f"{row['size']:+.1f} and {row['tokens']:+.1f} logits on {labels[fit.anchors[str(skill)]]} "
        f"({skill})"
        for skill, row in effects.iterrows()
    ]
    return (
        "Around the average model, ten times the parameters and ten times the tokens go along with "
        f"{_listed(told)}; one logit takes a score of 0.50 to 0.73. These are "
        "comparisons between published models, not effects of training one of them differently."
    )


def _families(fit: Fit) -> str:
    pairs = _pairs(fit)
    told = [_extremes(known_families(fit), skill) for skill in fit.skills]
    if not pairs.empty:
        (a, b), most = pairs.index[0], pairs.iloc[0]
        (c, d), least = pairs.index[-1], pairs.iloc[-1]
        least_told = f", in {c} and {d} by {least:.2f}" if len(pairs) > 1 else ""
        told.append(f"Standings in {a} and {b} are correlated by {most:.2f}{least_told}.")
    return "Standings are what size and tokens do not explain. " + " ".join(told)


def _errors(fit: Fit) -> str:
    errors, labels = fitted_errors(fit), benchmark_labels(fit.panel)
    worst, best = str(errors.idxmax()), str(errors.idxmin())
    return (
        f"The mean absolute error is {errors.mean():.1f} points on average over benchmarks, "
        f"smallest for {labels[best]} ({errors[best]:.1f}) and largest for {labels[worst]} "
        f"({errors[worst]:.1f})."
    )


def _trust(fit: Fit) -> str:
    search = (
        "The search for the best parameters converged."
        if fit.converged
        else f"The search for the best parameters did NOT converge ({fit.message}); more starts "
        "may help."
    )
    return (
        f"{search} The errors above are for the scores the model learned from; new models will be "
        "missed by more. Families with few scores are drawn towards the average."
    )


# -- the parts --------------------------------------------------------------------------------


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _listed(items: Iterable[object], word: str = "and") -> str:
    """Return ``a, b and c``."""
    *first, last = [str(item) for item in items] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def _extremes(table: pd.DataFrame, skill: str) -> str:
    """Return which families stand highest and lowest on a skill."""
    ranked = table[skill].sort_values(ascending=False, kind="stable")
    highest = _listed(f"{name} ({value:+.1f})" for name, value in ranked.head(3).items())
    if len(ranked) < 6:
        return f"{skill}: from the highest, {_listed(ranked.index)}."
    lowest = _listed(f"{name} ({value:+.1f})" for name, value in ranked.tail(2).iloc[::-1].items())
    return f"In {skill}, {highest} stand highest, {lowest} lowest."


def _pairs(fit: Fit) -> pd.Series[float]:
    """Return the correlation of each pair of skills, highest first."""
    table = fit.correlation.to_numpy()
    names = list(fit.skills)
    rows, columns = np.triu_indices(len(names), k=1)
    index = pd.MultiIndex.from_arrays([[names[i] for i in rows], [names[j] for j in columns]])
    pairs = pd.Series(table[rows, columns], index=index, dtype=float)
    return pairs.sort_values(ascending=False, kind="stable")
