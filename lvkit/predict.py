"""Scores of models nobody has evaluated, with intervals that say how sure the prediction is.

Three kinds of intervals, from the narrowest to the most honest:

* ``"plugin"``: the parameters taken as known;
* ``"model"``: their errors taken into account, the model taken as right;
* ``"calibrated"``: stretched and shifted as held-out scores taught (:mod:`lvkit.calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.calibration import own_residuals
from lvkit.checks import check_level, check_whole
from lvkit.errors import LvkitError
from lvkit.panel import Panel
from lvkit.predictive import Predictive, predictive
from lvkit.request import Request, read_request

if TYPE_CHECKING:
    from lvkit.results import Fit

__all__ = ["INTERVALS", "Prediction", "check_intervals", "predict", "predict_skills"]

Array = npt.NDArray[np.float64]

INTERVALS = ("plugin", "model", "calibrated")

_MEAN_POINTS = 199
"""Quantiles whose average is the mean of a calibrated distribution."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted scores of models.

    Attributes
    ----------
    table : DataFrame
        A row for each model and benchmark: ``model``, ``family``, ``benchmark``, ``mean``,
        ``median``, ``lower``, ``upper``, ``family_kind`` (known, new or unknown), ``known_score``
        (what was given, NaN if nothing) and ``distance`` (how far the model is larger than its
        family's largest known model, in powers of ten; NaN for unknown recipes).
    level : float
        Level of the intervals from ``lower`` to ``upper``.
    intervals : {"plugin", "model", "calibrated"}
        Their kind.
    predictive : Predictive
        The model's own predictive distributions, as draws.
    request : Request
        What was asked for, arranged.
    """

    table: pd.DataFrame
    level: float
    intervals: str
    predictive: Predictive = field(repr=False)
    request: Request = field(repr=False)
    _sorted: Array = field(repr=False)  # (n, J, S) draws of scores, in ascending order
    _own: Array | None = field(repr=False)
    _fit: Fit = field(repr=False)

    def quantiles(self, probabilities: Sequence[float]) -> pd.DataFrame:
        """Return quantiles of the predictive distributions.

        Parameters
        ----------
        probabilities : sequence of float
            Between 0 and 1.

        Returns
        -------
        DataFrame
            ``model``, ``benchmark`` and a column for each probability.
        """
        chosen = [check_level(p, "probabilities") for p in probabilities]
        table = self.table[["model", "benchmark"]].copy()
        for probability in chosen:
            table[probability] = self._quantile(probability).ravel()
        return table

    def _quantile(self, probability: float) -> Array:
        """Return a quantile of each score, shape (n, J).

        To the fit a score within `clip` of 0 or 1 is one that was recorded as 0 or 1, and so it is
        here.
        """
        from scipy.special import ndtr

        draws = self._sorted.shape[2]
        if self._own is None:
            at = np.full(self._sorted.shape[:2], probability)
        else:
            assert self._fit.calibration is not None
            at = ndtr(self._fit.calibration.normal_scores(probability, self.request, self._own))
        position = np.clip(at * draws - 0.5, 0.0, draws - 1.0)
        low = np.floor(position).astype(int)
        share = position - low
        lower = np.take_along_axis(self._sorted, low[:, :, None], axis=2)[:, :, 0]
        high = np.minimum(low + 1, draws - 1)
        upper = np.take_along_axis(self._sorted, high[:, :, None], axis=2)[:, :, 0]
        value, clip = lower + share * (upper - lower), self._fit.model.clip
        return np.where(value < clip, 0.0, np.where(value > 1.0 - clip, 1.0, value))

    def _mean(self) -> Array:
        if self._own is None:
            return np.asarray(self._sorted.mean(axis=2))
        points = (np.arange(_MEAN_POINTS) + 0.5) / _MEAN_POINTS
        return np.asarray(np.mean([self._quantile(p) for p in points], axis=0))

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:.3f}".format, max_rows=24))


def check_intervals(intervals: str | None, fit: Fit) -> str:
    """Return the kind of intervals; calibrated ones by default once there is a calibration."""
    if intervals is None:
        return "model" if fit.calibration is None else "calibrated"
    if intervals not in INTERVALS:
        raise LvkitError(
            f"saw {intervals!r}",
            where="intervals",
            expected="one of " + ", ".join(f"'{name}'" for name in INTERVALS),
        )
    if intervals == "calibrated" and fit.calibration is None:
        raise LvkitError(
            "the fit has no calibration",
            where="intervals",
            remedy="Make one with fit = fit.calibrate(); it is saved with the fit.",
        )
    return intervals


def predict(
    fit: Fit,
    models: pd.DataFrame | Panel,
    *,
    level: float,
    intervals: str | None,
    new_family: str,
    draws: int,
    seed: int,
) -> Prediction:
    """Predict scores; see :meth:`lvkit.results.Fit.predict`."""
    level, draws = check_level(level), check_whole(draws, "draws")
    seed, kind = check_whole(seed, "seed", 0), check_intervals(intervals, fit)
    request = read_request(fit, models, new_family)
    if kind != "plugin" and not fit.converged:
        raise LvkitError(
            f"the fit did not converge ({fit.message}), so that its parameters' errors are unknown",
            where="predict",
            remedy='Fit with more starts or fewer skills, or ask for intervals="plugin".',
        )
    curvature = None if kind == "plugin" else fit.curvature
    found = predictive(fit, request, draws=draws, seed=seed, curvature=curvature)
    scores = np.sort(found.draw(request.models, seed), axis=2)
    own = own_residuals(fit, request) if kind == "calibrated" else None
    table = _labels(fit, request)
    prediction = Prediction(table, level, kind, found, request, scores, own, fit)
    table["mean"] = prediction._mean().ravel()
    for name, probability in _ends(level).items():
        table[name] = prediction._quantile(probability).ravel()
    for name, values in (("family_kind", request.kinds), ("distance", request.distance)):
        table[name] = np.repeat(values, len(fit.benchmarks))
    table["known_score"] = request.scores.ravel()
    return prediction


def _ends(level: float) -> dict[str, float]:
    """Return the probabilities of median and limits."""
    return {"median": 0.5, "lower": 0.5 - 0.5 * level, "upper": 0.5 + 0.5 * level}


def _labels(fit: Fit, request: Request) -> pd.DataFrame:
    repeat = len(fit.benchmarks)
    return pd.DataFrame(
        {
            "model": np.repeat(np.array(request.models, dtype=object), repeat),
            "family": np.repeat(np.array(request.families, dtype=object), repeat),
            "benchmark": list(fit.benchmarks) * request.size,
        }
    )


def predict_skills(
    fit: Fit,
    models: pd.DataFrame | Panel,
    *,
    level: float,
    new_family: str,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Predict skills; see :meth:`lvkit.results.Fit.predict_skills`."""
    level, draws = check_level(level), check_whole(draws, "draws")
    request = read_request(fit, models, new_family)
    seed = check_whole(seed, "seed", 0)
    found = predictive(fit, request, draws=draws, seed=seed, curvature=fit.curvature)
    skills = found.skills
    repeat = len(fit.skills)
    median, lower, upper = np.quantile(skills, list(_ends(level).values()), axis=2)
    return pd.DataFrame(
        {
            "model": np.repeat(np.array(request.models, dtype=object), repeat),
            "family": np.repeat(np.array(request.families, dtype=object), repeat),
            "skill": list(fit.skills) * request.size,
            "mean": skills.mean(axis=2).ravel(),
            "median": median.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
            "family_kind": np.repeat(request.kinds, repeat),
        }
    )
