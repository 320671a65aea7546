"""A leaderboard, in words: who ranks where, whether the model predicts, and what to mistrust.

The sentences and tables of the leaderboard report. The hold-out test is here too, as a report makes
it: where it cannot be made, the report says why in its place instead of failing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from lvkit.drawing import Picture, benchmark_labels, picture
from lvkit.errors import LvkitError
from lvkit.facts import known_families
from lvkit.family_facts import ranked_families
from lvkit.holdout import Backtest, backtest
from lvkit.prediction_facts import KINDS, errors_by_family, interval_coverage
from lvkit.reporting.describe import describe_backtest_calibration, describe_backtest_errors
from lvkit.reporting.words import Prose, count, listed, pairs, signed

if TYPE_CHECKING:
    from lvkit.model import LatentSkillModel
    from lvkit.panel import Panel
    from lvkit.results import Fit
    from lvkit.select import Selection

__all__ = ["HeldOut", "hold_out", "mistrust", "standings"]

_DRAWS = 500
"""Draws behind each prediction of a report's hold-out test."""

_ALIKE = 0.8
"""Skills whose standings are correlated by more are hardly two."""

_SHOWN = 6
"""At most so many names in a sentence."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A report's hold-out test, or the reason why there is none.

    Attributes
    ----------
    test : Backtest or None
        The test.
    level : float
        Level of the intervals that were tested.
    n_models : int
        How many models took part, in training or testing.
    reason : str
        Why there is no test; "" if there is one.
    complete : bool
        Whether only models with every benchmark measured took part, though there are others.
    """

    test: Backtest | None = field(repr=False)
    level: float
    n_models: int
    reason: str = ""
    complete: bool = False

    @cached_property
    def words(self) -> Prose:
        """What was held out, how far predictions were off, and how often intervals held."""
        test = self.test
        if test is None:
            return Prose((("No test", self.reason),))
        return Prose(
            (
                ("What was held out", self._what(test)),
                ("Errors", _errors(test)),
                ("Intervals", _intervals(test, self.level)),
            )
        )

    def _what(self, test: Backtest) -> str:
        table = test.table
        kept = "its smallest model" if test.keep == 1 else f"its {test.keep} smallest models"
        text = (
            f"{count(table['lineage'].nunique(), 'lineage')} in turn: each of their "
            f"{count(table['family'].nunique(), 'family', 'families')} kept {kept}, the model was "
            f"fitted without the larger ones, and their {len(table):,} scores were predicted."
        )
        if not test.keep:
            text = (
                f"{count(table['lineage'].nunique(), 'lineage')} in turn: the model was fitted "
                f"without them, and their {len(table):,} scores were predicted as of recipes that "
                "nothing is known of."
            )
        if self.complete:
            text += (
                f" Only the {count(self.n_models, 'model')} with every benchmark measured took "
                "part, as in the published tests; with all models the fits would know more."
            )
        if test.failures:
            text += f" Not tested, since the rest could not be fitted: {_some(test.failures)}."
        if test.unconverged:
            text += f" Searches that did not converge: {_some(test.unconverged)}."
        return text

    @cached_property
    def table(self) -> pd.DataFrame:
        """Errors and coverage by benchmark, the best predicted first, and over all."""
        if self.test is None:
            return pd.DataFrame({"hold-out test": ["none"]})
        by = self.test.summary("benchmark").sort_values("mae", kind="stable")
        by = by.rename(index=lambda name: self.test.labels.get(str(name), str(name)))  # type: ignore[union-attr]
        whole = pd.concat([by, self.test.summary()]).rename_axis("benchmark")
        names = {
            "mae": "error (points)",
            "scores": "scores",
            "coverage": "inside",
            "width": "width",
        }
        shown = whole[list(names)].rename(columns=names)
        return shown.astype({"scores": int}).round({"error (points)": 1, "inside": 3, "width": 3})

    @cached_property
    def errors(self) -> Picture | Prose:
        """The picture of the errors, benchmark by benchmark."""
        from lvkit.plots.prediction import plot_backtest_errors

        if self.test is None:
            return Prose((("No picture", "There is no test to draw."),))
        return picture(plot_backtest_errors(self.test), describe_backtest_errors(self.test))

    @cached_property
    def calibration(self) -> Picture | Prose:
        """The picture of how often intervals hold."""
        from lvkit.plots.prediction import plot_backtest_calibration

        if self.test is None:
            return Prose((("No picture", "There is no test to draw."),))
        drawn = plot_backtest_calibration(self.test)
        return picture(drawn, describe_backtest_calibration(self.test))

    def highlights(self) -> dict[str, float]:
        """Return the error in points and how often the intervals hold."""
        if self.test is None:
            return {}
        summary = self.test.summary().iloc[0]
        return {
            "hold-out error (points)": round(float(summary["mae"]), 2),
            f"coverage of {self.level:.0%} intervals": round(float(summary["coverage"]), 3),
        }


def hold_out(
    panel: Panel,
    model: LatentSkillModel,
    *,
    keep: int = 1,
    complete: bool = True,
    level: float = 0.95,
    seed: int = 0,
    n_jobs: int = 1,
) -> HeldOut:
    """Test a model's predictions on models that are held out, where that can be done.

    Parameters
    ----------
    panel : Panel
        The table.
    model : LatentSkillModel
        Settings, its number of skills among them.
    keep : int
        How many models each tested family keeps.
    complete : bool
        Whether only models with every benchmark measured take part, as in the published tests.
        All models take part where these are too few.
    level : float
        Level of the intervals.
    seed : int
        Seed.
    n_jobs : int
        Workers; the numbers do not depend on it.

    Returns
    -------
    HeldOut
        With the model's own intervals, at `level` and at 50 %; with the reason in place of a test
        where nothing can be held out.
    """
    reason = ""
    for table in _tables(panel, complete):
        try:
            test = backtest(table, model, keep=keep, level=[level, 0.5], intervals="model",
                            draws=_DRAWS, seed=seed, n_jobs=n_jobs)  # fmt: skip
        except LvkitError as error:
            reason = str(error)
        else:
            fewer = table.n_models < panel.n_models
            return HeldOut(test, level, table.n_models, complete=fewer)
    return HeldOut(None, level, panel.n_models, reason)


def _tables(panel: Panel, complete: bool) -> list[Panel]:
    """Return the tables to test on, the next one for when the one before cannot be tested."""
    if not complete:
        return [panel]
    try:
        whole = panel.complete()
    except LvkitError:
        return [panel]
    return [whole, panel] if whole.n_models < panel.n_models else [panel]


def _errors(test: Backtest) -> str:
    errors = errors_by_family(test)
    names = [test.labels.get(str(name), str(name)) for name in errors]
    means = errors.mean().to_numpy()
    by_family = errors.mean(axis=1).sort_values(kind="stable")
    return (
        f"The medians miss the scores by {means.mean():.1f} points of 100, averaged over families "
        f"and then over benchmarks; least on {names[0]} ({means[0]:.1f}) and most on {names[-1]} "
        f"({means[-1]:.1f}). Of the families, {by_family.index[-1]} is missed most "
        f"({by_family.iloc[-1]:.1f}) and {by_family.index[0]} least ({by_family.iloc[0]:.1f})."
    )


def _intervals(test: Backtest, level: float) -> str:
    """Say how often intervals held, and whether that is what they promise."""
    coverage = interval_coverage(test)
    share = float(coverage[level])
    told = f"{share:.1%} of the scores lie inside their {level:.0%} intervals"
    text = f"{told} ({KINDS[test.intervals]})."
    if share < level - 0.02:
        return (
            f"{text} They promise more than they hold: read them as intervals of about "
            f"{share:.0%}, or calibrate the fit (fit.calibrate)."
        )
    return f"{text} That is about what they promise."


def _some(names: object) -> str:
    """Return a few names, and how many more there are."""
    every = [str(name) for name in names]  # type: ignore[attr-defined]
    more = len(every) - _SHOWN
    return listed([*every[:_SHOWN], f"{more} more"] if more > 0 else every)


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
            f"{signed(mean)} ({signed(lower)} to {signed(upper)}), rank {rank}"
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
    if not fit.converged:
        return "The fit did not converge, so that the errors of its parameters are unknown."
    lost = fit.curvature.undetermined_names
    return f"The data do not determine {_some(lost)}." if lost else ""


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
    if share >= held_out.level - 0.02:
        return ""
    return f"{held_out.level:.0%} intervals of predictions held {share:.0%} of held-out scores."
