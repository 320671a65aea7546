"""Predictions with intervals for models that have not been evaluated.

Three kinds of intervals, from the narrowest to the most honest:

* ``"plugin"``: the parameters taken as known;
* ``"model"``: their errors taken into account, the model taken as right;
* ``"calibrated"``: stretched and shifted as held-out scores taught
(:mod:`lvkit.prediction.calibration`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import without_rounding
from lvkit.data.panel import Panel, benchmark_labels
from lvkit.errors import LvkitError, LvkitWarning, count
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.identifiability import without_unit
from lvkit.estimation.standard_errors import curvature_of
from lvkit.prediction.calibration import Calibration, own_residuals
from lvkit.prediction.distribution import Predictive, predictive
from lvkit.prediction.extrapolation import warn_if_far
from lvkit.prediction.request import Request, read_request
from lvkit.tools.checks import check_choice, check_level, check_whole, checked_names

Array = npt.NDArray[np.float64]

INTERVALS = ("plugin", "model", "calibrated")

KINDS = {"plugin": "plug-in", "model": "the model's own", "calibrated": "calibrated"}
"""What to call each kind of intervals."""

MOST_MODELS = 6
"""How many models a picture of predictions shows."""

_MEAN_POINTS = 99
"""Quantiles whose average is the mean of a calibrated distribution."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted scores of models.

    Attributes
    ----------
    table : DataFrame
        A row for each model and benchmark: ``model``, ``family``, ``benchmark``, ``mean``,
        ``median``, ``lower``, ``upper``, ``family_kind`` (known, new or unknown), ``known_score``
        (what was given, NaN if nothing), ``n_known`` (models of its family that are known) and
        ``distance`` (how far the model lies outside their sizes, in powers of ten; NaN for unknown
        recipes), ``outside`` (the column in which the model lies farthest outside the range of all
        fitted models, "" if it lies inside) and ``outside_factor`` (by which factor, 1 inside; see
        :class:`lvkit.prediction.extrapolation.Beyond`).
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
    _fit: Fitted = field(repr=False)
    _calibrated: tuple[Calibration, Array] | None = field(repr=False)

    @property
    def labels(self) -> dict[str, str]:
        """What to call each benchmark of the fitted panel in pictures and sentences."""
        return benchmark_labels(self._fit.panel)

    def quantiles(self, probabilities: Sequence[float]) -> pd.DataFrame:
        """Return quantiles of the predictive distributions.

        Parameters
        ----------
        probabilities : sequence of float
            Between 0 and 1. Quantiles are held within the fit's ``clip`` of 0 and 1.

        Returns
        -------
        DataFrame
            ``model``, ``benchmark`` and a column for each probability.
        """
        chosen = [check_level(p, "probabilities") for p in probabilities]
        table = self.table[["model", "benchmark"]].copy()
        for probability, values in zip(chosen, self._quantiles(chosen), strict=True):
            table[probability] = values.ravel()
        return table

    def _quantiles(self, probabilities: Sequence[float]) -> Array:
        """Return quantiles of each score, shape (probabilities, n, J)."""
        from scipy.special import ndtri

        shape = self.predictive.expected.shape[:2]
        if self._calibrated is None:
            at = [np.full(shape, ndtri(p)) for p in probabilities]
        else:
            calibration, own = self._calibrated
            at = [calibration.normal_scores(p, self.request, own) for p in probabilities]
        return self.predictive.quantiles(np.stack(at))

    def interval(self, level: float) -> tuple[Array, Array]:
        """Return the limits of the intervals of a level, each of shape (n, J).

        A limit within the fit's `clip` of 0 or 1 is put there: to the fit such scores are all one.
        """
        lower, upper = self._quantiles([0.5 - 0.5 * level, 0.5 + 0.5 * level])
        clip = self._fit.model.clip * (1.0 + 1e-9)
        return np.where(lower <= clip, 0.0, lower), np.where(upper >= 1.0 - clip, 1.0, upper)

    def _mean(self) -> Array:
        if self._calibrated is None:
            return self.predictive.mean()
        points = (np.arange(_MEAN_POINTS) + 0.5) / _MEAN_POINTS
        return np.asarray(self._quantiles(list(points)).mean(axis=0))

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:.3f}".format, max_rows=24))


def check_intervals(intervals: str | None, calibration: Calibration | None) -> str:
    """Return the kind of intervals; calibrated ones by default once there is a calibration."""
    if intervals is None:
        return "model" if calibration is None else "calibrated"
    intervals = check_choice(intervals, INTERVALS, "intervals")
    if intervals == "calibrated" and calibration is None:
        raise LvkitError(
            "the fit has no calibration",
            where="intervals",
            remedy="Make one with fit = fit.calibrate(); it is saved with the fit.",
        )
    return intervals


def predict(
    fit: Fitted,
    models: pd.DataFrame | Panel,
    *,
    level: float,
    intervals: str | None,
    new_family: str,
    draws: int,
    seed: int,
    calibration: Calibration | None = None,
) -> Prediction:
    """Predict scores; see :meth:`lvkit.Fit.predict`."""
    level, draws = check_level(level), check_whole(draws, "draws")
    seed, kind = check_whole(seed, "seed", 0), check_intervals(intervals, calibration)
    request = read_request(fit, models, new_family)
    if intervals is None and calibration is not None and not calibration.covers(request):
        warnings.warn(
            "the calibration held out nothing like these models: the intervals are the model's own",
            LvkitWarning,
            stacklevel=3,
        )
        kind = "model"
    if kind != "plugin" and not fit.converged:
        raise LvkitError(
            f"the fit did not converge ({fit.message}), so that its parameters' errors are unknown",
            where="predict",
            remedy='Fit with more starts or fewer skills, or ask for intervals="plugin".',
        )
    curvature = None if kind == "plugin" else curvature_of(fit)
    found = predictive(fit, request, draws=draws, seed=seed, curvature=curvature)
    calibrated = None
    if kind == "calibrated" and calibration is not None:
        calibrated = calibration, own_residuals(fit, request)
    table = _labels(fit, request)
    prediction = Prediction(table, level, kind, found, request, fit, calibrated)
    table["mean"] = prediction._mean().ravel()
    table["median"] = prediction._quantiles([0.5])[0].ravel()
    table["lower"], table["upper"] = (end.ravel() for end in prediction.interval(level))
    repeat = len(fit.benchmarks)
    table["family_kind"] = np.repeat(request.kinds, repeat)
    table["n_known"] = np.repeat(request.n_known, repeat)
    table["distance"] = np.repeat(request.distance, repeat)
    table["known_score"] = request.scores.ravel()
    columns, factors = request.outside
    table["outside"] = np.repeat(np.array(columns, dtype=object), repeat)
    table["outside_factor"] = np.repeat(factors, repeat)
    return prediction


def _labels(fit: Fitted, request: Request) -> pd.DataFrame:
    repeat = len(fit.benchmarks)
    return pd.DataFrame(
        {
            "model": np.repeat(np.array(request.models, dtype=object), repeat),
            "family": np.repeat(np.array(request.families, dtype=object), repeat),
            "benchmark": list(fit.benchmarks) * request.size,
        }
    )


def predict_skills(
    fit: Fitted,
    models: pd.DataFrame | Panel,
    *,
    level: float,
    new_family: str,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Predict skills; see :meth:`lvkit.Fit.predict_skills`."""
    level, draws = check_level(level), check_whole(draws, "draws")
    request = read_request(fit, models, new_family)
    warn_if_far(request.beyond, stacklevel=3)  # the line that asked the fit
    seed = check_whole(seed, "seed", 0)
    found = predictive(fit, request, draws=draws, seed=seed, curvature=curvature_of(fit))
    skills = found.skills
    repeat = len(fit.skills)
    ends = [0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level]
    mean = skills.mean(axis=2)
    median, lower, upper = np.quantile(skills, ends, axis=2)
    undefined = np.isin(fit.skills, without_unit(fit))
    for values, value in ((mean, np.nan), (median, np.nan), (lower, -np.inf), (upper, np.inf)):
        values[:, undefined] = value
    return pd.DataFrame(
        {
            "model": np.repeat(np.array(request.models, dtype=object), repeat),
            "family": np.repeat(np.array(request.families, dtype=object), repeat),
            "skill": list(fit.skills) * request.size,
            "mean": mean.ravel(),
            "median": median.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
            "family_kind": np.repeat(request.kinds, repeat),
        }
    )


def predicted(
    prediction: Prediction,
    models: Sequence[str] | None = None,
    observed: Panel | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the rows of a prediction that a picture shows, with what was measured.

    Parameters
    ----------
    prediction : Prediction
        What was predicted.
    models : sequence of str, optional
        Up to six of its models. None: the first six.
    observed : Panel or DataFrame, optional
        Measured scores, from 0 to 1: a column for each benchmark, and the models as the index or
        as a column ``model``. None: the scores that were given to the prediction.

    Returns
    -------
    DataFrame
        Rows of ``prediction.table`` in the order of `models`, with ``observed`` (NaN where there is
        none) and ``inside`` (whether the observed score is within the interval).

    Raises
    ------
    LvkitError
        For more than six models, the same one twice, a model that was not predicted, observed
        models of one name, and scores that are none.
    """
    held = list(dict.fromkeys(prediction.table["model"]))
    names = held[:MOST_MODELS] if models is None else checked_names(models, held, what="model")
    if not 0 < len(names) <= MOST_MODELS or len(set(names)) < len(names):
        raise LvkitError(
            f"got {count(len(names), 'model')}, {len(set(names))} of them different",
            where="argument 'models'",
            expected=f"one to {MOST_MODELS} different models",
        )
    table = prediction.table[prediction.table["model"].isin(names)].copy()
    table = table.sort_values("model", kind="stable", key=lambda column: column.map(names.index))
    table["observed"] = table["known_score"] if observed is None else _measured(observed, table)
    table["inside"] = table["observed"].between(table["lower"], table["upper"])
    return table.reset_index(drop=True)


def _measured(observed: Panel | pd.DataFrame, table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the observed score of each row, NaN where there is none."""
    scores = observed.scores if isinstance(observed, Panel) else observed
    if "model" in scores.columns:
        scores = scores.set_index("model")
    scores = scores.set_axis([str(name) for name in scores.index])
    doubles = scores.index[scores.index.duplicated()]
    if len(doubles):
        raise LvkitError(
            f"got '{doubles[0]}' twice", where="observed", expected="one row for each model"
        )
    models, benchmarks = pd.unique(table["model"]), pd.unique(table["benchmark"])
    given = scores.reindex(index=models, columns=benchmarks)
    cells = given.apply(pd.to_numeric, errors="coerce").astype(float)
    cells[:] = without_rounding(cells.to_numpy())
    wrong = given.notna() & ~((cells >= 0.0) & (cells <= 1.0))
    for model, benchmark in wrong.stack().loc[lambda flags: flags].index:
        raise LvkitError(
            f"got {given[benchmark][model]!r}",
            where=f"observed, model '{model}', benchmark '{benchmark}'",
            expected="a score from 0 to 1, or nothing",
        )
    rows = cells.index.get_indexer(pd.Index(table["model"]))
    columns = cells.columns.get_indexer(pd.Index(table["benchmark"]))
    return np.asarray(cells.to_numpy()[rows, columns])
