"""The hold-out test of a report: its table, figures and sentences.

A report makes the test in the way of the published ones, on models with every benchmark measured,
which is also the quicker one. Where nothing can be held out, it says why in its place instead of
failing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from lvkit import plots
from lvkit.errors import LvkitError, count
from lvkit.estimation.estimate import prepared_for
from lvkit.fit.backtest import Backtest, backtest, errors_by_family, interval_coverage
from lvkit.plots.drawing import Plot
from lvkit.plots.phrases import Prose, first_few
from lvkit.prediction.predict import KINDS

if TYPE_CHECKING:
    from lvkit.data.panel import Panel
    from lvkit.fit.latent_skill_model import LatentSkillModel


_DRAWS = 500
"""Draws behind each prediction."""

NEAR = 0.02
"""Coverage that is short of the level by no more than this is as promised."""


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
        How many models took part, in training or testing; 0 without a test.
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
            f"{count(table['family'].nunique(), 'family')} kept {kept}, the model was "
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
            text += f" Not tested, since the rest could not be fitted: {first_few(test.failures)}."
        if test.unconverged:
            text += f" Searches that did not converge: {first_few(test.unconverged)}."
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
    def errors(self) -> Plot | Prose:
        """The figure of the errors, benchmark by benchmark."""
        if self.test is None:
            return Prose((("No picture", "There is no test to draw."),))
        return plots.backtest_errors(self.test)

    @cached_property
    def calibration(self) -> Plot | Prose:
        """The figure of how often intervals hold."""
        if self.test is None:
            return Prose((("No picture", "There is no test to draw."),))
        return plots.backtest_calibration(self.test)

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
            usable = [len(prepared_for(model, each).models) for each in (table, panel)]
            return HeldOut(test, level, usable[0], complete=usable[0] < usable[1])
    return HeldOut(None, level, 0, reason)


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
    if share < level - NEAR:
        return (
            f"{text} They promise more than they hold: read them as intervals of about "
            f"{share:.0%}, or calibrate the fit (fit.calibrate)."
        )
    return f"{text} That is about what they promise."
