"""Standard errors, covariances and confidence intervals of the estimates.

Two estimates of the covariance of the maximum-likelihood estimate, both from the marginal
likelihood of the families' scores:

* ``"information"``: the inverse of the observed information (minus the Hessian, by Louis'
  identity); right when the model is;
* ``"sandwich"``: ``I^-1 (sum_l s_l s_l') I^-1`` with each family's score vector s_l, clustered by
  family; right for many families even when the model is not.

Both are computed in the unconstrained chart of the search, and the delta method carries them over
to loadings, correlations and whatever a user computes from the parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, LvkitWarning
from lvkit.estimation.estimate import objective_at
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.identifiability import Unidentified, concerned, flat_directions, unidentified
from lvkit.estimation.objective import Objective
from lvkit.model.coordinates import Frame, MarkerChart
from lvkit.model.free_parameters import FreeParameters, at_boundary, boundary_variance
from lvkit.model.parameters import Parameters, anchor
from lvkit.model.quadrature import fine_nodes
from lvkit.tools.checks import check_choice, check_level

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Covariance = Literal["information", "sandwich"]

COVARIANCES = ("information", "sandwich")

_UNDETERMINED = 1e-3
"""A direction of which the scores carry less than this share of the complete-data information is
reported as not determined."""

_LEAST_SHARE = 1e-9

_TOUCHED = 0.01
"""A parameter with more than this share of its variance in such directions is not determined."""

_CONSTANT = 1e-16
"""A function with less variance than this is constant but for rounding."""

_STEP = 1e-5
"""Step of the central differences, in the chart of the search, where numbers are of order one."""


@dataclass(frozen=True, eq=False)
class Curvature:
    """The shape of the log-likelihood at a fit, and what follows from it.

    Attributes
    ----------
    fit : Fitted
        The fit.
    chart : MarkerChart
        What the free vector means.
    vector : ndarray, shape (n_params,)
        The estimate.
    information, complete : ndarray, shape (n_params, n_params)
        Observed information, and what it would be were the latent vectors known.
    scores : ndarray, shape (families, n_params)
        Each family's gradient.
    free : FreeParameters
        The parameters as people read them.
    """

    fit: Fitted
    chart: MarkerChart
    vector: Array
    information: Array
    complete: Array
    scores: Array
    free: FreeParameters

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        """Share of the complete-data information that is observed, and directions, by share.

        In a direction u with ``u' C u = 1`` the observed information is the share.
        """
        from scipy.linalg import eigh

        share, directions = eigh(self.information, self.complete)
        return share, directions

    @cached_property
    def _determined(self) -> Mask:
        return self._spectrum[0] > _UNDETERMINED

    @cached_property
    def root(self) -> Array:
        """A root R of the information-based covariance ``R R'``, shape (n_params, rank)."""
        share, directions = self._spectrum
        return np.asarray(
            (directions / np.sqrt(np.maximum(share, _UNDETERMINED)))[:, self._determined]
        )

    def covariance(self, kind: str) -> Array:
        """Return the covariance of the free vector, shape (n_params, n_params)."""
        if kind == "information":
            return np.asarray(self.root @ self.root.T)
        bread = self.root @ self.root.T
        return np.asarray(bread @ (self.scores.T @ self.scores) @ bread)

    def parameters(self, vector: Array) -> Parameters:
        """Return the anchored parameters, in the user's units, that a free vector stands for."""
        return Parameters.of(self.frame(vector))

    def frame(self, vector: Array) -> Frame:
        """Return the anchored frame, in the user's units, of a free vector."""
        fit = self.fit
        frame = fit.prepared.from_search(self.chart.frame(vector))
        positions = [fit.benchmarks.index(benchmark) for benchmark in fit.anchors.values()]
        return anchor(frame, positions, list(fit.anchors.values()), check=False)

    def draws(self, count: int, seed: int) -> list[Frame]:
        """Return draws of the parameters from the normal approximation of their errors.

        Parameters
        ----------
        count : int
            How many; they come in mirrored pairs, so that an odd number gives one more.
        seed : int
            Seed.

        Returns
        -------
        list of Frame
            Kept for the next question. Directions that the data do not determine are held fixed.
        """
        key = (-(-count // 2), seed)
        if key not in self._drawn:
            rng, drawn = np.random.default_rng([seed, 0]), []
            for _ in range(key[0]):
                step = self.root @ rng.standard_normal(self.root.shape[1])
                drawn += [self.frame(self.vector + step), self.frame(self.vector - step)]
            self._drawn[key] = drawn
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[tuple[int, int], list[Frame]]:
        return {}

    def moved_to(self, fit: Fitted) -> Curvature:
        """Return the same shape around the estimate of another fit of the same model.

        For fits to parts of the data, whose own curvature differs little and takes long.
        """
        vector = self.chart.vector(fit.prepared.to_search(fit.frame))
        return replace(self, fit=fit, vector=vector)

    def through(self, fit: Fitted) -> Curvature:
        """Return the same shape for the same estimate, read through the anchors of another fit.

        The chart does not know of anchors, so that nothing is measured again.
        """
        return replace(self, fit=fit, free=fit.free_parameters)

    def jacobian(self, function: Callable[[Parameters], Array]) -> Array:
        """Return the derivative of a function of the parameters by the free vector.

        Parameters
        ----------
        function : callable
            From :class:`~lvkit.Parameters` to an array of shape (r,).

        Returns
        -------
        ndarray, shape (r, n_params)
            By central differences.
        """
        columns = []
        for at in range(len(self.vector)):
            step = np.zeros_like(self.vector)
            step[at] = _STEP * max(1.0, abs(self.vector[at]))
            high = function(self.parameters(self.vector + step))
            low = function(self.parameters(self.vector - step))
            columns.append((high - low) / (2.0 * step[at]))
        return np.stack(columns, axis=1)

    @cached_property
    def free_jacobian(self) -> Array:
        """Derivative of the free parameters by the free vector."""
        return self.jacobian(self.free.values)

    @cached_property
    def undetermined(self) -> Mask:
        """Which free parameters the data do not determine, shape (n_params,).

        A parameter at the boundary of its range counts: a floor at an end of its own, where the
        likelihood has no maximum inside, a correlation of one, a spread of zero. So does all that
        :attr:`lvkit.Fit.unidentified` is about, such as what is measured in the unit of a skill on
        which families do not differ.
        """
        boundary = at_boundary(
            self.free, self.fit.params, self.chart.floors.ceiling, self._free_errors
        )
        meaningless = concerned(self.fit, unidentified(self.fit))
        return np.asarray(self.touched(self.free_jacobian) | boundary | meaningless)

    @cached_property
    def _free_errors(self) -> Array:
        return _errors(self, self.free_jacobian, "information")

    def varies_with_boundary(self, function: Callable[[Parameters], Array], error: Array) -> Mask:
        """Return which values of a function vary with parameters at the boundary of their range.

        Beside what the other parameters' errors make of them, shape (r,).
        """
        ceiling = self.chart.floors.ceiling
        variance = boundary_variance(
            self.free, self.fit.params, ceiling, self._free_errors, function
        )
        most = _TOUCHED / (1.0 - _TOUCHED) * error**2  # variance is a larger share of both
        return np.asarray((variance > most) & (variance > _CONSTANT))

    def touched(self, jacobian: Array) -> Mask:
        """Return which functions of the parameters vary along undetermined directions."""
        share, directions = self._spectrum
        variance = np.square(jacobian @ directions) / np.maximum(share, _LEAST_SHARE)
        lost, total = variance[:, ~self._determined].sum(axis=1), variance.sum(axis=1)
        return np.asarray((lost > _TOUCHED * total) & (total > _CONSTANT))

    @property
    def undetermined_names(self) -> list[str]:
        """Names of the free parameters the data do not determine."""
        return [n for n, off in zip(self.free.names, self.undetermined, strict=True) if off]


def curvature_of(fit: Fitted) -> Curvature:
    """Return the shape of the log-likelihood at a fit, read through its anchors.

    Parameters
    ----------
    fit : Fitted
        A converged fit.

    Returns
    -------
    Curvature
        Measured when it is first asked for, and kept in the fit's memo.

    Raises
    ------
    LvkitError
        If the fit did not converge: away from the maximum the curvature says nothing about errors.

    Warns
    -----
    LvkitWarning
        If the data leave parameters undetermined.
    """
    return fit.memo.get("curvature", lambda: _checked_curvature(fit))


def _checked_curvature(fit: Fitted) -> Curvature:
    """Refuse a fit that did not converge; warn of what the data do not determine."""
    if not fit.converged:
        raise LvkitError(
            f"the fit did not converge ({fit.message})",
            where="standard errors",
            expected="a fit at the maximum of its likelihood",
            remedy="Fit with more starts or fewer skills; fit.summary(level=None) lists the "
            "estimates alone.",
        )
    curvature = _measured(fit)
    lost = curvature.undetermined_names
    if lost:
        why = [record.sentence for record in unidentified(fit)]
        remedy = " ".join(why) or "Use fewer skills, other anchors or more families."
        warnings.warn(
            f"the data do not determine {_listed(lost)}: these have no standard errors. {remedy}",
            LvkitWarning,
            stacklevel=7,  # the line that asked the fit
        )
    return curvature


def _measured(fit: Fitted) -> Curvature:
    """Return the curvature without a check, measured once."""
    return fit.memo.get("measured", lambda: measure(fit))


def share_curvature(fit: Fitted, again: Fitted) -> None:
    """Give another fit of the same estimate the curvature that was measured for this one.

    Parameters
    ----------
    fit : Fitted
        A fit; nothing is given of one whose curvature was not measured yet.
    again : Fitted
        The same estimate, through any anchors. It does not keep `fit` alive.
    """
    if "measured" in fit.memo:
        again.memo.get("measured", lambda: _measured(fit).through(again))


def all_unidentified(fit: Fitted) -> tuple[Unidentified, ...]:
    """Return :attr:`lvkit.Fit.unidentified` and, of a converged fit, the flat directions.

    Flat directions of the likelihood need its curvature, which takes a moment, on large panels
    longer.

    Parameters
    ----------
    fit : Fitted
        A fit, converged or not.
    """
    records = unidentified(fit)
    if fit.converged:
        curvature = _measured(fit)
        flat = curvature.touched(curvature.free_jacobian)
        records += flat_directions(fit, records, flat)
    return records


def measure(fit: Fitted) -> Curvature:
    """Measure the shape of the log-likelihood at a converged fit."""
    from threadpoolctl import threadpool_limits

    objective, frame = objective_of(fit), fit.prepared.to_search(fit.frame)
    # On a large panel as many threads as the user's joblib.parallel_config says.
    objective = replace(objective, n_jobs=None)
    with threadpool_limits(limits=1, user_api="blas"):
        here = objective.survey(frame, fine_nodes(objective.chart.n_latent, fit.seed), fit.seed)
    shape = (here.vector, here.information, here.complete, here.scores)
    return Curvature(fit, objective.chart, *shape, fit.free_parameters)


def objective_of(fit: Fitted) -> Objective:
    """Return the hill that a fit climbed, on the chart in which its shape is measured.

    The chart's markers follow from what latent vector and features do to the benchmarks, which no
    anchors change: through all of them, errors and seeded draws are the same.
    """
    objective = objective_at(fit.model, fit.prepared, fit.anchors)
    effects = fit.prepared.to_search(fit.frame).coefficients()
    together = np.concatenate([effects.latent[0], effects.feature], axis=1)
    return replace(objective, chart=objective.chart.recentred(together))


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def check_kind(kind: object, fit: Fitted) -> str:
    """Return the kind of covariance; warn where the sandwich is singular."""
    kind = check_choice(kind, COVARIANCES, "kind")
    if kind == "sandwich" and fit.n_families <= fit.n_params:
        warnings.warn(
            f"the sandwich of {fit.n_families} families for {fit.n_params} parameters has rank "
            f"{fit.n_families - 1} at most: single standard errors can be read, but it is no "
            "covariance to test several parameters by or to draw from",
            LvkitWarning,
            stacklevel=4,
        )
    return kind


def summary(fit: Fitted, level: float | None, kind: str) -> pd.DataFrame:
    """Return the table of :meth:`lvkit.Fit.summary`."""
    from scipy.special import ndtri

    free = fit.free_parameters
    table = pd.DataFrame(
        {"estimate": free.values(fit.params)}, pd.Index(free.names, name="parameter")
    )
    if level is None:
        return table
    level, kind = check_level(level), check_kind(kind, fit)
    curvature = curvature_of(fit)
    error = _errors(curvature, curvature.free_jacobian, kind)
    error[curvature.undetermined] = np.nan
    estimate, ceiling = table["estimate"].to_numpy(), curvature.chart.floors.ceiling
    lower, upper = free.intervals(estimate, ndtri(0.5 + level / 2.0) * error, ceiling)
    table["std_error"], table["ci_lower"], table["ci_upper"] = error, lower, upper
    table["determined"] = ~curvature.undetermined
    return table


def _errors(curvature: Curvature, jacobian: Array, kind: str) -> Array:
    """Return standard errors by the delta method; NaN where the data do not determine."""
    covariance = curvature.covariance(kind)
    variance = np.einsum("ri,ij,rj->r", jacobian, covariance, jacobian)
    return np.where(curvature.touched(jacobian), np.nan, np.sqrt(np.maximum(variance, 0.0)))


def cov_params(fit: Fitted, kind: str) -> pd.DataFrame:
    """Return the table of :meth:`lvkit.Fit.cov_params`."""
    kind, curvature = check_kind(kind, fit), curvature_of(fit)
    jacobian = curvature.free_jacobian
    covariance = jacobian @ curvature.covariance(kind) @ jacobian.T
    covariance[curvature.undetermined] = np.nan
    covariance[:, curvature.undetermined] = np.nan
    names = pd.Index(curvature.free.names, name="parameter")
    return pd.DataFrame(covariance, names, names.rename("with"))


def delta(
    fit: Fitted, function: Callable[[Parameters], Any], level: float, kind: str
) -> pd.DataFrame:
    """Return the table of :meth:`lvkit.Fit.delta`."""
    from scipy.special import ndtri

    level, kind = check_level(level), check_kind(kind, fit)
    index = _index_of(function(fit.params))

    def values(params: Parameters) -> Array:
        return np.ravel(np.asarray(function(params), dtype=float))

    estimate = values(fit.params)
    curvature = curvature_of(fit)
    error = _errors(curvature, curvature.jacobian(values), kind)
    error[curvature.varies_with_boundary(values, error)] = np.nan
    half = ndtri(0.5 + level / 2.0) * error
    columns = {
        "estimate": estimate,
        "std_error": error,
        "ci_lower": estimate - half,
        "ci_upper": estimate + half,
    }
    return pd.DataFrame(columns, index)


def _index_of(value: Any) -> pd.Index:
    """Return the labels of what a user's function returns; refuse what is no number."""
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all() or numbers.size == 0:
        raise LvkitError(
            f"the function returns {value!r} at the estimate",
            where="delta",
            expected="finite numbers: a number, an array, a Series or a DataFrame",
        )
    if isinstance(value, pd.Series):
        return value.index
    if isinstance(value, pd.DataFrame):
        return pd.MultiIndex.from_product([value.index, value.columns])
    if numbers.ndim <= 1:
        return pd.RangeIndex(numbers.size)
    return pd.MultiIndex.from_tuples(list(np.ndindex(numbers.shape)))
