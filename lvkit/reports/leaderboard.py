"""The report on a leaderboard: ranks of models, and scores to be checked.

The sentences and tables of the leaderboard report that no other report has. Every number is
computed from the results; a doubt that they do not raise is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lvkit.data.panel import benchmark_labels
from lvkit.errors import count
from lvkit.fit.backtest import interval_coverage
from lvkit.fit.standings import known_families, ranked_families
from lvkit.plots.fit import pairs
from lvkit.plots.phrases import Prose, first_few, listed, signed
from lvkit.reports.heldout import NEAR

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit
    from lvkit.fit.select_skills import Selection
    from lvkit.reports.heldout import HeldOut


_ALIKE = 0.8
"""Skills whose standings are correlated by more are hardly two."""


def standings(fit: Fit, *, level: float = 0.95, top: int | None = 24) -> pd.DataFrame:
    """Return the best known families' standings as text, with intervals, skill by skill.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    level : float
        Posterior probability of the intervals.
    top : int, optional
        How many families, those with the most scores; None for all.

    Returns
    -------
    DataFrame
        Families x skills, by their mean standing, highest first; "+1.2 (+0.9 to +1.5), rank 3" is
        a family that ranks third among all.
    """
    known = known_families(fit, top)
    order = known.mean(axis=1).sort_values(ascending=False, kind="stable").index
    columns = {}
    for skill in fit.skills:
        table = ranked_families(fit, skill, level).loc[order]
        columns[skill] = [
            f"{signed(mean)} ({signed(lower)} to {signed(upper)}), rank\N{NO-BREAK SPACE}{rank}"
            for mean, lower, upper, rank in zip(
                table["standing"], table["lower"], table["upper"], table["rank"], strict=True
            )
        ]
    return pd.DataFrame(columns, index=order.rename("family"))


def mistrust(selection: Selection, fit: Fit, held_out: HeldOut) -> Prose:
    """Tell what in a report is doubtful, each point computed from its results.

    Parameters
    ----------
    selection : Selection
        The numbers of skills that were compared.
    fit : Fit
        The fit that was interpreted.
    held_out : HeldOut
        The hold-out test.

    Returns
    -------
    Prose
        A paragraph for each doubt that there is, and what never can be shown by such data.
    """
    told = (
        ("The number of skills", _edge(selection, fit)),
        ("Searches", _searches(selection)),
        ("Loadings", _undetermined(fit)),
        ("Skills", _alike(fit)),
        ("Families", _few(fit)),
        ("Scores", _gaps(fit)),
        ("Intervals", _narrow(held_out)),
        ("Causes", "Models that differ in size or tokens differ in many other ways. Nothing here "
         "shows what would happen if one of them were trained differently."),
    )  # fmt: skip
    return Prose(tuple((subject, text) for subject, text in told if text))


def _edge(selection: Selection, fit: Fit) -> str:
    table = selection.table
    best = int(table.index[int(table["aic"].argmin())])
    text = ""
    if best == table.index.max() and best > 1:
        text = f"AIC is lowest at K = {best}, the most that were tried: more might be better still."
    away = float(table["delta_aic"].get(len(fit.skills), 0.0))
    if away > 0.0:
        text += (
            f" What is interpreted here, K = {len(fit.skills)}, has an AIC {away:,.0f} above the "
            "lowest: there is more in the scores than these skills tell."
        )
    return text.strip()


def _searches(selection: Selection) -> str:
    failed = [str(k) for k in selection.table.index[~selection.table["converged"].astype(bool)]]
    return f"The search did not converge for K = {listed(failed)}." if failed else ""


def _undetermined(fit: Fit) -> str:
    sentences = [str(record) for record in fit.unidentified]
    if not fit.converged:
        sentences += ["The fit did not converge, so that the errors of its parameters are unknown."]
    elif lost := fit.curvature.undetermined_names:
        sentences += [f"The data do not determine {first_few(lost)}."]
    return " ".join(sentences)


def _alike(fit: Fit) -> str:
    """Name skills that are hardly two."""
    correlations = pairs(fit)
    close = correlations[correlations.abs() > _ALIKE]
    if close.empty:
        return ""
    told = [f"{a} and {b} ({value:.2f})" for (a, b), value in zip(close.index, close, strict=True)]
    return f"Standings in {listed(told)} go so much together that they are hardly two skills."


def _few(fit: Fit) -> str:
    """Say how many families rest on few scores."""
    rests = ranked_families(fit, fit.skills[0])["n_scores"]
    limit = len(fit.benchmarks)
    few, single = int((rests < limit).sum()), _single(fit)
    return (
        f"{few:,} of {fit.n_families:,} families have fewer than {limit} scores, and {single:,} "
        "have one model: their standings are drawn towards the average, and ranks among them mean "
        "little."
    ) * (few + single > 0)


def _single(fit: Fit) -> int:
    families = fit.panel.models["family"].loc[list(fit.prepared.models)]
    return int((families.value_counts() == 1).sum())


def _gaps(fit: Fit) -> str:
    scores = fit.panel.scores.loc[list(fit.prepared.models), list(fit.benchmarks)]
    missing, labels = scores.isna().mean(), benchmark_labels(fit.panel)
    clip = fit.model.clip
    ends = int(((scores <= clip) | (scores >= 1.0 - clip)).sum().sum())
    text = ""
    if missing.max() > 0.0:
        worst = str(missing.idxmax())
        text = (
            f"{scores.isna().to_numpy().mean():.0%} of the possible scores are missing, most on "
            f"{labels[worst]} ({missing[worst]:.0%}). Were they left out because they were bad, "
            "the model would not know."
        )
    if ends:
        text += f" {count(ends, 'score')} lie within {clip:g} of 0 or 1 and were moved to there."
    return text.strip()


def _narrow(held_out: HeldOut) -> str:
    if held_out.test is None:
        return "No hold-out test could be made: how well the model predicts is not known."
    share = float(interval_coverage(held_out.test)[held_out.level])
    if share >= held_out.level - NEAR:
        return ""
    return f"{held_out.level:.0%} intervals of predictions held {share:.0%} of held-out scores."
