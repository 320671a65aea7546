"""Calibration: interval widths and shifts learned from scores that were held out.

A model's own intervals know its parameters' errors and its noise, not what it leaves out: families
whose skills grow at their own pace, or that do better on one benchmark than their skills say. What
it leaves out shows when a lineage's larger models are held out of the data the fit knows. For every
held-out score the normal score z in its predictive distribution is recorded (standard normal if the
model were right), and three things are learned from these records:

* the **shift**: families keep what they are better or worse at; z is drawn towards the family's own
  residuals on the benchmark by a regression through zero;
* the **growth** of the spread with the distance in log size over which is extrapolated, shrunk
  towards none;
* the **spread**: quantiles of what is left, taken as symmetric.

Each lineage has the same weight in all three.

A new lineage may differ from all that were seen, as they differ from one another; so with m
lineages a chance is set aside for something worse than ever recorded, which makes intervals wider
where few lineages were seen: (5/8) / (m + 1/4), by Blom's (1958) positions of normal scores. With
1 / (m + 1), as in hierarchical conformal prediction (Dunn, Wasserman and Ramdas, 2023), coverage
would be guaranteed, were the scores not learned from the same lineages, and it overshoots;
docs/prediction.md has both. With m lineages a level above m / (m + 1) is more than they can vouch
for, and a warning says so; above (m - 3/8) / (m + 1/4) the limits are the farthest recorded or the
model's own, whichever lie farther out. A calibration is learned from a fit's own data alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning, count
from lvkit.estimation.estimate import refit
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.standard_errors import curvature_of
from lvkit.model.beta import beta_above, beta_below, censored, normal_scores, response
from lvkit.prediction.distribution import Predictive, latent_posteriors, predictive
from lvkit.prediction.folds import Fold, folds
from lvkit.prediction.request import Request, read_request
from lvkit.tools.checks import check_whole, check_workers
from lvkit.tools.parallel import run
from lvkit.tools.progress import ProgressChoice, progress_bar

Array = npt.NDArray[np.float64]

_DRAWS = 400
"""Draws of the predictive distributions in which held-out scores are placed."""

_PARAMETER_DRAWS = 80

_NEAREST = 0.1
"""Distances are powers of ten of at least this, where logarithms are taken."""

_MOST_GROWTH = 0.5

_BLOM = 0.375
"""The i-th of m normal scores stands at the probability (i - 3/8) / (m + 1/4)."""

_FLOOR = 0.05
"""Added to the size of residuals before logarithms are taken."""

RECORD = ("lineage", "family", "model", "benchmark", "keep", "z", "own", "distance")
"""Columns of the records."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What held-out scores taught about a fit's predictive distributions.

    Attributes
    ----------
    records : DataFrame
        A row for each held-out score: ``lineage``, ``family``, ``model``, ``benchmark``, ``keep``
        (models of its family that were kept), ``z`` (normal score), ``own`` (the family's mean
        residual on the benchmark, as a normal score) and ``distance`` (powers of ten in size).
    """

    records: pd.DataFrame

    @cached_property
    def of_families(self) -> _Spread | None:
        """Learned from families of which some models were kept."""
        rows = self.records[self.records["keep"] > 0]
        return _Spread.learn(rows) if len(rows) else None

    @cached_property
    def of_recipes(self) -> _Spread | None:
        """Learned from families that were held out as a whole."""
        rows = self.records[self.records["keep"] == 0]
        return _Spread.learn(rows) if len(rows) else None

    def covers(self, request: Request) -> bool:
        """Return whether hold-outs of the kinds that the requested models need were learned from.

        Models of an unknown family need whole families that were held out, all others need
        families of which a part was.
        """
        needs = {
            self.of_recipes if kind == "unknown" else self.of_families for kind in request.kinds
        }
        return None not in needs

    def normal_scores(self, probability: float, request: Request, own: Array) -> Array:
        """Return the normal scores at which calibrated quantiles lie.

        Parameters
        ----------
        probability : float
            Of the quantile.
        request : Request
            The models, n of them.
        own : ndarray, shape (n, J)
            Their families' own residuals (:func:`own_residuals`).

        Returns
        -------
        ndarray, shape (n, J)

        Raises
        ------
        LvkitError
            If the calibration never held out what is asked for.
        """
        unknown = np.array([kind == "unknown" for kind in request.kinds])
        out = np.empty(own.shape)
        for rows, spread, what in (
            (unknown, self.of_recipes, "whole families (keep = 0), as unknown recipes need"),
            (~unknown, self.of_families, "part of a family (keep = 1, 2, ...)"),
        ):
            if not rows.any():
                continue
            if spread is None:
                raise LvkitError(
                    "this calibration never held out " + what,
                    where="predict",
                    remedy='Ask for intervals="model", or calibrate with hold-outs of that kind '
                    "(fit.calibrate(keep=(0, 1, 2))), which needs families of two or more models.",
                )
            distance = request.distance[rows, None]
            out[rows] = spread.normal_scores(probability, own[rows], distance)
        return out

    def warn_beyond(self, level: float, request: Request) -> None:
        """Warn if a level is higher than the lineages seen can vouch for."""
        unknown = "unknown" in request.kinds
        known = set(request.kinds) != {"unknown"}
        for asked, spread in ((unknown, self.of_recipes), (known, self.of_families)):
            if asked and spread is not None and level > spread.highest_level:
                warnings.warn(
                    f"calibrated on only {count(spread.n_lineages, 'lineage')}: levels up to "
                    f"{spread.highest_level:.2f} are supported, and intervals of level {level:g} "
                    "may be too narrow",
                    LvkitWarning,
                    stacklevel=3,
                )


@dataclass(frozen=True, eq=False)
class _Spread:
    """Shift, growth and quantiles learned from one set of records."""

    shift: float
    growth: float
    n_lineages: int
    near: float
    far: float
    sorted_z: Array
    mass: Array  # distribution function at sorted_z

    @property
    def highest_level(self) -> float:
        """Highest level of intervals that the lineages can vouch for."""
        return self.n_lineages / (self.n_lineages + 1.0)

    @classmethod
    def learn(cls, rows: pd.DataFrame) -> _Spread:
        """Learn from records, each lineage with the same weight."""
        z, own = rows["z"].to_numpy(float), rows["own"].to_numpy(float)
        weight = 1.0 / rows.groupby("lineage")["z"].transform("size").to_numpy(float)
        total = float(np.sum(weight * own**2))
        shift = float(np.sum(weight * z * own)) / total if total > 0.0 else 0.0
        rest = z - shift * own
        near, far = _range(rows["distance"].to_numpy(float))
        x = _log_distance(rows["distance"].to_numpy(float), near, far)
        n_lineages = int(rows["lineage"].nunique())
        growth = _growth(x, rest, weight / n_lineages, n_lineages)
        rest = rest / np.exp(growth * x)
        both, weights = np.concatenate([rest, -rest]), np.concatenate([weight, weight])
        order = np.argsort(both, kind="stable")
        mass = np.cumsum(weights[order])
        mass = (mass - 0.5 * weights[order]) / mass[-1]
        return cls(shift, growth, n_lineages, near, far, both[order], mass)

    def normal_scores(self, probability: float, own: Array, distance: Array) -> Array:
        """Return the normal scores of a quantile; arguments broadcast to (n, J)."""
        from scipy.special import ndtri

        beyond = (1.0 - _BLOM) / (self.n_lineages + 1.0 - 2.0 * _BLOM)
        inner = (probability - 0.5 * beyond) / (1.0 - beyond)
        quantile = float(np.interp(inner, self.mass, self.sorted_z))
        if not 0.0 < inner < 1.0:
            own_limit = float(ndtri(probability))
            quantile = min(quantile, own_limit) if inner <= 0.0 else max(quantile, own_limit)
        grown = np.exp(self.growth * _log_distance(distance, self.near, self.far))
        return np.asarray(self.shift * own + grown * quantile)


def _range(distance: Array) -> tuple[float, float]:
    """Return the range of recorded distances, away from zero; ones where there are none."""
    seen = distance[np.isfinite(distance)]
    if not len(seen):
        return 1.0, 1.0
    near = max(float(seen.min()), _NEAREST)
    return near, max(float(seen.max()), near)


def _log_distance(distance: Array, near: float, far: float) -> Array:
    """Return the log of distances, held within the recorded range, in units of the nearest."""
    return np.asarray(np.log(np.clip(np.nan_to_num(distance, nan=near), near, far) / near))


def _growth(x: Array, rest: Array, weight: Array, n_lineages: int) -> float:
    """Return the exponent with which residuals grow with the distance, from log distances x.

    A regression of log residuals, drawn to zero by a normal prior of standard deviation 1/2 (the
    variance of the logarithm of a normal variable's size is pi^2 / 8), and at most 1/2. The weights
    add up to one.
    """
    y = np.log(np.abs(rest) + _FLOOR)
    x, y = x - weight @ x, y - weight @ y
    prior = 4.0 * (np.pi**2 / 8.0) / n_lineages
    return float(np.clip(weight @ (x * y) / (weight @ x**2 + prior), 0.0, _MOST_GROWTH))


def own_residuals(fit: Fitted, request: Request) -> Array:
    """Return how each model's family does on each benchmark beside what its skills say.

    Returns
    -------
    ndarray, shape (n, J)
        Mean normal score of the family's known scores around the fitted curve at the posterior
        mean of its latent vector; 0 where it has none.
    """
    from scipy.special import expit

    table = request.evidence
    out = np.zeros((request.size, len(fit.benchmarks)))
    if table is None:
        return out
    coefficients = fit.frame.coefficients()
    mean = latent_posteriors(fit, request, [fit.frame])[0][0]
    latent = np.zeros((table.n_families, mean.shape[1]))
    with_evidence = request.group >= 0
    latent[request.group[with_evidence]] = mean[with_evidence]
    weights = coefficients.latent_weights(table)
    eta = coefficients.fixed_part(table) + np.einsum("nq,nq->n", weights, latent[table.family])
    mu = response(eta, coefficients.floor[table.benchmark])
    y = expit(table.seen.log_odds[:, 0])
    cells = (y, mu, np.exp(coefficients.log_precision[table.benchmark]))
    held = fit.model.clip * (1.0 + 1e-9)
    z = normal_scores(*censored(y, beta_below(*cells), beta_above(*cells), held))
    total, count = np.zeros((2, table.n_families, table.n_benchmarks))
    np.add.at(total, (table.family, table.benchmark), z)
    np.add.at(count, (table.family, table.benchmark), 1.0)
    own = total / np.maximum(count, 1.0)
    out[with_evidence] = own[request.group[with_evidence]]
    return out


def records(
    fit: Fitted, panel: Panel, fold: Fold, found: Predictive, request: Request
) -> pd.DataFrame:
    """Return the records of a fold: one row for each held-out score."""
    observed = panel.scores.loc[list(fold.test), list(fit.benchmarks)].to_numpy(float)
    row, column = np.nonzero(~np.isnan(observed))
    z = found.normal_scores(observed)
    own = own_residuals(fit, request)
    families = panel.models["family"]
    models = np.array(fold.test, dtype=object)[row]
    values = (
        [fold.lineage] * len(row),
        families.loc[list(models)].to_numpy(),
        models,
        np.array(fit.benchmarks, dtype=object)[column],
        [fold.keep] * len(row),
        z[row, column],
        own[row, column],
        request.distance[row],
    )
    return pd.DataFrame(dict(zip(RECORD, values, strict=True)))


def calibrate(
    fit: Fitted,
    *,
    keep: Iterable[int] = (0, 1, 2),
    seed: int = 0,
    n_jobs: int | None = 1,
    progress: ProgressChoice = False,
) -> Calibration:
    """Learn a calibration from a fit's own data; see :meth:`lvkit.Fit.calibrate`."""
    keeps = _check_keep(keep)
    seed, n_jobs = check_whole(seed, "seed", 0), check_workers(n_jobs)
    curvature_of(fit)  # measured once, here; refuses a fit that did not converge
    tasks = [fold for k in keeps for fold in folds(fit.panel, fit.prepared.models, k)]
    if not tasks:
        raise LvkitError(
            f"no lineage has a family of more than {min(keeps)} models, or there is one only",
            where="keep",
            remedy="Use smaller numbers, such as keep=(0, 1).",
        )
    tables, failed = [], []
    calls = [(fit, fold, seed) for fold in tasks]
    with (
        progress_bar(progress, total=len(tasks), label="Calibrating") as bar,
        closing(run(_hold_out, calls, n_jobs)) as results,
    ):
        for fold, found in zip(tasks, results, strict=True):
            if isinstance(found, pd.DataFrame):
                tables.append(found)
            else:
                failed.append(f"without {fold.lineage}: {found}")
            bar.update()
    if not tables:
        raise LvkitError(f"no part of the data can be held out ({failed[0]})", where="calibrate")
    if max(keeps) > 0 and not any(fold.keep for fold in tasks):
        warnings.warn(
            "no family has two or more models, so no part of a family can be held out: predictions "
            "for unknown families are calibrated, all others keep the model's own intervals",
            LvkitWarning,
            stacklevel=3,
        )
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(tasks)} hold-outs could not be fitted ({failed[0]}); the "
            "calibration is learned from the others",
            LvkitWarning,
            stacklevel=3,
        )
    return Calibration(pd.concat(tables, ignore_index=True))


def _check_keep(keep: object) -> list[int]:
    """Return the numbers of models to be kept, in ascending order."""
    if not isinstance(keep, Iterable) or isinstance(keep, str) or not (each := list(keep)):
        raise LvkitError(
            f"got {keep!r}", where="keep", expected="one or more whole numbers, such as (0, 1, 2)"
        )
    return sorted({check_whole(k, "keep", 0) for k in each})


def _hold_out(fit: Fitted, fold: Fold, seed: int) -> pd.DataFrame | str:
    """Fit without a fold's models and record where their scores lie; say why not if that fails."""
    try:
        return _recorded(fit, fold, seed)
    except LvkitError as error:
        return str(error)


def _recorded(fit: Fitted, fold: Fold, seed: int) -> pd.DataFrame:
    """Fit without a fold's models and record where their scores lie."""
    smaller = refit(fit, fit.panel.select(models=list(fold.train)))
    same = smaller.benchmarks == fit.benchmarks
    curvature = curvature_of(fit).moved_to(smaller) if same else curvature_of(smaller)
    request = read_request(smaller, fold.question(fit.panel), "population")
    found = predictive(
        smaller,
        request,
        draws=_DRAWS,
        seed=seed,
        curvature=curvature,
        parameter_draws=_PARAMETER_DRAWS,
    )
    return records(smaller, fit.panel, fold, found, request)
