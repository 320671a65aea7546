"""The free parameters as one labelled vector, and those at the boundary of their range.

Tables of estimates, covariance matrices and simulation studies all speak of the same parameters in
the same order: loadings (an anchor's only on its own skill), intercepts, precisions, estimated
floors, slopes, correlations, and the standard deviations of slopes that differ between families.
What is fixed by the anchors or by the settings is not among them.

An estimate may lie at the boundary of its range: a floor of zero, a correlation of one, a standard
deviation of zero. The likelihood then has no maximum inside the range, and its curvature says
nothing about the error. In the chart of the search such a parameter hardly moves, so that an error
computed there would be tiny where it is in fact unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lvkit.model.parameters import Parameters

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_POSITIVE = ("anchor", "precision", "slope_sd")
"""Kinds of parameters that are positive."""

_LEAST = 1e-12
"""No distance from the boundary of a range is taken to be smaller than this."""


@dataclass(frozen=True, eq=False)
class FreeParameters:
    """Names and order of a model's free parameters.

    Attributes
    ----------
    names : tuple of str
        Such as ``loading[mmlu, reasoning]``.
    kinds : ndarray of str
        ``loading``, ``anchor`` (an anchor's own loading), ``intercept``, ``precision``, ``floor``,
        ``slope``, ``correlation`` or ``slope_sd``.
    free_loadings : ndarray of bool, shape (J, K)
        Which loadings are free.
    free_floors : ndarray of int
        Benchmarks whose floor is estimated.
    """

    names: tuple[str, ...]
    kinds: npt.NDArray[np.str_]
    free_loadings: npt.NDArray[np.bool_]
    free_floors: npt.NDArray[np.intp]

    @classmethod
    def of(
        cls,
        anchors: Mapping[str, str],
        benchmarks: Sequence[str],
        features: Sequence[str],
        *,
        free_floors: Sequence[int] = (),
        slope_sd: bool = False,
    ) -> FreeParameters:
        """List the free parameters of a model.

        Parameters
        ----------
        anchors : mapping of str to str
            Skill to anchor benchmark, in the order of the skills.
        benchmarks, features : sequence of str
            Their names, in the order of the parameters.
        free_floors : sequence of int
            Benchmarks whose floor is estimated.
        slope_sd : bool
            Whether slopes differ between families.

        Examples
        --------
        >>> FreeParameters.of({"maths": "gsm8k"}, ["gsm8k"], ["size"]).names
        ('loading[gsm8k, maths]', 'intercept[gsm8k]', 'precision[gsm8k]', 'slope[maths, size]')
        """
        skills = tuple(anchors)
        owner = {benchmark: skill for skill, benchmark in anchors.items()}
        free = np.array([[owner.get(b, skill) == skill for skill in skills] for b in benchmarks])
        rows: list[tuple[str, str]] = [
            (f"loading[{b}, {skill}]", "anchor" if b in owner else "loading")
            for b, open_to in zip(benchmarks, free, strict=True)
            for skill, is_free in zip(skills, open_to, strict=True)
            if is_free
        ]
        rows += [(f"intercept[{b}]", "intercept") for b in benchmarks]
        rows += [(f"precision[{b}]", "precision") for b in benchmarks]
        rows += [(f"floor[{benchmarks[j]}]", "floor") for j in free_floors]
        rows += [(f"slope[{s}, {f}]", "slope") for s in skills for f in features]
        rows += [
            (f"correlation[{skills[h]}, {skills[k]}]", "correlation")
            for k in range(len(skills))
            for h in range(k)
        ]
        if slope_sd:
            rows += [(f"slope_sd[{skill}]", "slope_sd") for skill in skills]
        names, kinds = zip(*rows, strict=True)
        return cls(tuple(names), np.array(kinds), free, np.array(free_floors, dtype=np.intp))

    def values(self, params: Parameters) -> Array:
        """Return the free parameters as one vector, in the order of :attr:`names`."""
        later, earlier = self._pairs
        pieces = [
            params.loadings[self.free_loadings],
            params.intercepts,
            params.precisions,
            params.floors[self.free_floors],
            params.slopes.ravel(),
            params.correlation[later, earlier],
        ]
        if params.slope_sd is not None:
            pieces.append(params.slope_sd)
        return np.concatenate(pieces)

    def placed(self, params: Parameters, values: Array) -> Parameters:
        """Return parameters with the free ones replaced; the inverse of :meth:`values`.

        Parameters
        ----------
        params : Parameters
            What is not free is taken from them.
        values : ndarray, shape (n_params,)
            The free parameters, in the order of :attr:`names`.
        """
        later, earlier = self._pairs
        loadings, floors = params.loadings.copy(), params.floors.copy()
        correlation = params.correlation.copy()
        n_skills = 0 if params.slope_sd is None else params.n_skills
        sizes = (
            int(self.free_loadings.sum()), params.n_benchmarks, params.n_benchmarks,
            len(self.free_floors), params.slopes.size, len(later), n_skills,
        )  # fmt: skip
        parts = np.split(values, np.cumsum(sizes[:-1]))
        loadings[self.free_loadings], floors[self.free_floors] = parts[0], parts[3]
        correlation[later, earlier] = correlation[earlier, later] = parts[5]
        slope_sd = None if params.slope_sd is None else parts[6]
        slopes = parts[4].reshape(params.slopes.shape)
        return Parameters(loadings, parts[1], parts[2], floors, slopes, correlation, slope_sd)

    def stretch(self, estimate: Array, ceiling: Array) -> Array:
        """Return the derivative of each parameter's unbounded scale by the parameter.

        Parameters
        ----------
        estimate : ndarray, shape (n_params,)
            The parameters, in the order of :attr:`names`.
        ceiling : ndarray, shape (J,)
            Highest floor allowed for each benchmark whose floor is estimated.

        Returns
        -------
        ndarray, shape (n_params,)
            The scale is the logarithm of what is positive, Fisher's z of a correlation, the logit
            of a floor's share of its range, and the parameter itself where it has no bounds.
        """
        out = np.ones_like(estimate)
        positive, within, floors = self._ranges
        out[positive] = 1.0 / np.maximum(estimate[positive], _LEAST)
        out[within] = 1.0 / np.maximum(1.0 - estimate[within] ** 2, _LEAST)
        span = ceiling[self.free_floors]
        share = estimate[floors] / span
        out[floors] = 1.0 / (span * np.maximum(share * (1.0 - share), _LEAST))
        return out

    def intervals(self, estimate: Array, half: Array, ceiling: Array) -> tuple[Array, Array]:
        """Return intervals that are symmetric on the parameters' unbounded scales.

        Parameters
        ----------
        estimate, ceiling : ndarray
            As in :meth:`stretch`.
        half : ndarray, shape (n_params,)
            Half the width of the symmetric interval on the parameters' own scales.

        Returns
        -------
        lower, upper : ndarray, shape (n_params,)
        """
        from scipy.special import expit, logit

        width = half * self.stretch(estimate, ceiling)
        lower, upper = estimate - half, estimate + half
        positive, within, floors = self._ranges
        factor = np.exp(width[positive])
        lower[positive], upper[positive] = estimate[positive] / factor, estimate[positive] * factor
        z = np.arctanh(np.clip(estimate[within], _LEAST - 1.0, 1.0 - _LEAST))
        lower[within], upper[within] = np.tanh(z - width[within]), np.tanh(z + width[within])
        span = ceiling[self.free_floors]
        u = logit(np.clip(estimate[floors] / span, _LEAST, 1.0 - _LEAST))
        lower[floors], upper[floors] = (
            span * expit(u - width[floors]),
            span * expit(u + width[floors]),
        )
        return lower, upper

    def of_skill(self, skill: int) -> Mask:
        """Return which parameters are measured in a skill's unit, or are its correlations.

        Parameters
        ----------
        skill : int
            Position of the skill.

        Returns
        -------
        ndarray of bool, shape (n_params,)

        Examples
        --------
        >>> free = FreeParameters.of({"maths": "gsm8k"}, ["gsm8k", "mmlu"], ["size"])
        >>> [name for name, own in zip(free.names, free.of_skill(0)) if own]
        ['loading[gsm8k, maths]', 'loading[mmlu, maths]', 'slope[maths, size]']
        """
        kinds, skills = self.kinds, np.arange(self.free_loadings.shape[1])
        out = np.zeros(len(kinds), dtype=bool)
        out[np.isin(kinds, ("loading", "anchor"))] = np.nonzero(self.free_loadings)[1] == skill
        slopes = kinds == "slope"
        out[slopes] = np.repeat(skills, int(slopes.sum()) // len(skills)) == skill
        later, earlier = self._pairs
        out[kinds == "correlation"] = (later == skill) | (earlier == skill)
        if (kinds == "slope_sd").any():
            out[kinds == "slope_sd"] = skills == skill
        return out

    @property
    def bounded(self) -> Mask:
        """Which parameters cannot take any value, shape (n_params,)."""
        positive, within, floors = self._ranges
        return positive | within | floors

    @cached_property
    def _pairs(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Positions of the correlations in their matrix: the later and the earlier skill."""
        return np.tril_indices(self.free_loadings.shape[1], -1)

    @property
    def _ranges(self) -> tuple[Mask, Mask, Mask]:
        """Which parameters are positive, correlations, and floors."""
        kinds = self.kinds
        return np.isin(kinds, _POSITIVE), kinds == "correlation", kinds == "floor"


_AT_BOUND = 0.01
"""A floor within this share of its range from an end of the range is at that end."""

_UNBOUNDED_ERROR = 2.0
"""A bounded parameter with a larger standard error than this, on the scale where it can take any
value, is within half a standard error of its bound: a correlation of one, a spread of zero."""

_STEP = 1e-5
"""Step inward, as a share of how far the parameter might be from its boundary."""


def at_boundary(free: FreeParameters, params: Parameters, ceiling: Array, error: Array) -> Mask:
    """Return which free parameters are at the boundary of their range.

    Parameters
    ----------
    free : FreeParameters
        Names and order, P of them.
    params : Parameters
        The estimate.
    ceiling : ndarray, shape (J,)
        Highest floor allowed for each benchmark.
    error : ndarray, shape (P,)
        Standard errors from the curvature; NaN where it gives none.

    Returns
    -------
    ndarray of bool, shape (P,)
    """
    values = free.values(params)
    share = params.floors[free.free_floors] / ceiling[free.free_floors]
    out = free.bounded & (error * free.stretch(values, ceiling) > _UNBOUNDED_ERROR)
    out[free.kinds == "floor"] |= (share < _AT_BOUND) | (share > 1.0 - _AT_BOUND)
    return np.asarray(out)


def boundary_variance(
    free: FreeParameters,
    params: Parameters,
    ceiling: Array,
    error: Array,
    function: Callable[[Parameters], Array],
) -> Array:
    """Return how much a function varies with the parameters at the boundary of their range.

    Parameters
    ----------
    free, params, ceiling, error
        As in :func:`at_boundary`.
    function : callable
        From :class:`~lvkit.Parameters` to an array of shape (r,).

    Returns
    -------
    ndarray, shape (r,)
        Its variance if each of them were, independently, as far from the boundary as it can be:
        half its range for a floor, one for a correlation, its size or its error for what is
        positive.
        Infinite where the function cannot be computed beside the estimate.
    """
    here = free.values(params)
    base = function(params)
    out = np.zeros_like(base)
    for at in np.flatnonzero(at_boundary(free, params, ceiling, error)):
        inside = here.copy()
        inside[at] += _STEP * _inward(free, here, ceiling, error)[at]
        try:
            slope = (function(free.placed(params, inside)) - base) / _STEP
        except np.linalg.LinAlgError:  # no correlation matrix any more
            slope = np.full_like(base, np.inf)
        out += np.square(np.where(np.isnan(slope), np.inf, slope))
    return out


def _inward(free: FreeParameters, values: Array, ceiling: Array, error: Array) -> Array:
    """Return how far each bounded parameter might be from its boundary, signed into the range."""
    out = np.fmax(np.abs(values), error)
    floors, within = free.kinds == "floor", free.kinds == "correlation"
    half = 0.5 * ceiling[free.free_floors]
    out[floors] = np.where(values[floors] < half, half, -half)
    out[within] = -np.sign(values[within])
    return np.asarray(out)
