"""A panel prepared for a model: which models take part, in which order, with which features.

Models without a score, or without something the features need, are left out and listed. Rows and
columns are put in the order of their names: a fit does not depend on how a table was sorted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, Problem, nearest
from lvkit.model.coordinates import Frame
from lvkit.model.features import FeatureMap
from lvkit.model.score_table import ScoreTable

Array = npt.NDArray[np.float64]

_SAME = 1e-9
"""Values of a feature that differ by no more than this are one."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The part of a panel that is fitted, arranged for the estimators.

    Attributes
    ----------
    table : ScoreTable
        The scores in long form.
    features : FeatureMap
        The formula, learned from the fitted models.
    models, families, benchmarks : tuple of str
        What takes part, in the order of the table.
    dropped : DataFrame
        Models left out: index ``model``, column ``reason``.
    chance : ndarray, shape (J,)
        Chance levels of the benchmarks.
    random_slope : str, optional
        The feature whose slopes differ between families.
    """

    table: ScoreTable
    features: FeatureMap
    models: tuple[str, ...]
    families: tuple[str, ...]
    benchmarks: tuple[str, ...]
    dropped: pd.DataFrame
    chance: Array
    random_slope: str | None = None

    @cached_property
    def scales(self) -> Array:
        """Standard deviation of each feature over the fitted models, shape (p,)."""
        rows = np.unique(self.table.model, return_index=True)[1]
        return np.asarray(self.table.features[rows].std(axis=0))

    @cached_property
    def search_table(self) -> ScoreTable:
        """The scores with features and latent design in units of the features' spread.

        The search runs in these units, so that the user's units cannot matter to it.
        """
        design = self.table.design / np.append(1.0, self._design_scales)
        return replace(self.table, features=self.table.features / self.scales, design=design)

    @property
    def n_varying(self) -> int:
        """Number of families whose models differ in the feature with slopes of their own."""
        low, high = np.full((2, len(self.families)), np.inf)
        np.minimum.at(low, self.table.family, self.table.design[:, -1])
        np.minimum.at(high, self.table.family, -self.table.design[:, -1])
        return int((-high - low > _SAME).sum())

    @property
    def _design_scales(self) -> Array:
        """Spread of the features whose slopes differ between families."""
        if self.random_slope is None:
            return np.zeros(0)
        return self.scales[[self.features.names.index(self.random_slope)]]

    def to_search(self, frame: Frame) -> Frame:
        """Return a frame in the units of :attr:`search_table`."""
        return self._rescaled(frame, self.scales, self._design_scales)

    def from_search(self, frame: Frame) -> Frame:
        """Return a frame of the search in the user's units."""
        return self._rescaled(frame, 1.0 / self.scales, 1.0 / self._design_scales)

    def _rescaled(self, frame: Frame, of_features: Array, of_design: Array) -> Frame:
        factors = np.append(1.0, of_design)[: len(frame.factor), None, None]
        return replace(frame, slopes=frame.slopes * of_features, factor=frame.factor * factors)


def prepare(
    panel: Panel, formula: str, *, clip: float, random_slope: str | None = None
) -> Prepared:
    """Choose and arrange what is fitted.

    Parameters
    ----------
    panel : Panel
        The data.
    formula : str
        Features of the models.
    clip : float
        Scores are held within ``[clip, 1 - clip]``.
    random_slope : str, optional
        The feature whose slope differs between families.

    Returns
    -------
    Prepared

    Raises
    ------
    LvkitError
        If fewer than two families are left, a benchmark never varies, or the features do not work.
    """
    models, scores = panel.models, panel.scores
    measured = scores.notna().any(axis=1)
    features = FeatureMap.learn(formula, models[measured].sort_index())
    lacks = features.missing(models)
    reasons = lacks.reindex(models.index)
    reasons[~measured] = "has no score"
    dropped = reasons.dropna().rename("reason").to_frame()
    fitted = models.index[reasons.isna()]
    order = models.loc[fitted, "family"].to_frame().reset_index()
    order = order.sort_values(["family", "model"], kind="stable")
    names = pd.Index(order["model"])
    scores = scores.loc[names]
    benchmarks = sorted(scores.columns[scores.notna().any()])
    scores = scores[benchmarks]
    _check_variation(scores, order["family"].nunique(), clip)
    codes, families = pd.factorize(order["family"])
    x = features.values(models.loc[names])
    table = ScoreTable.build(
        scores.to_numpy(dtype=float), codes, x, _design(x, features, random_slope), clip
    )
    chance = panel.benchmarks.loc[benchmarks, "chance"].to_numpy(dtype=float)
    return Prepared(
        table,
        features,
        tuple(names),
        tuple(families),
        tuple(benchmarks),
        dropped,
        chance,
        random_slope,
    )


def _design(x: Array, features: FeatureMap, random_slope: str | None) -> Array:
    """Latent design: a column of ones and, if asked for, the feature with random slopes."""
    ones = np.ones((len(x), 1))
    if random_slope is None:
        return ones
    at = slope_position(random_slope, features.names)
    return np.concatenate([ones, x[:, at : at + 1]], axis=1)


def slope_position(feature: str, names: tuple[str, ...]) -> int:
    """Return the position of the feature whose slopes differ; refuse an unknown one."""
    if feature not in names:
        raise LvkitError(
            f"got {feature!r}",
            where="family_slopes",
            expected="one of the features " + ", ".join(names),
            remedy=nearest(str(feature), names).strip(),
        )
    return names.index(feature)


def _check_variation(scores: pd.DataFrame, n_families: int, clip: float) -> None:
    problems = []
    if n_families < 2:
        problems.append(
            Problem(
                f"got {n_families} family",
                "panel",
                "at least two families",
                "A latent variable that differs between families cannot be learned from one; "
                "add families, or check the column 'family'.",
            )
        )
    for benchmark in scores.columns:
        values = scores[benchmark].dropna()
        if values.clip(clip, 1.0 - clip).nunique() < 2:
            clipped = ", or clipped to it" if values.nunique() > 1 else ""
            problems.append(
                Problem(
                    f"every score is {values.iloc[0]:g}{clipped}",
                    f"benchmark '{benchmark}'",
                    "scores that vary",
                    "Leave it out (panel.select(benchmarks=...)).",
                )
            )
    if problems:
        raise LvkitError.from_problems(problems)
