"""Parameters at the edge of their range, and what leans on them.

A floor of zero, a correlation of one, a spread of nothing: there the likelihood has no maximum
inside the range, and the curvature says nothing about the error. In the chart of the search such a
parameter hardly moves, so that an error computed there would come out tiny where it is not known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lvkit.freeparams import FreeParameters
from lvkit.parameters import Parameters

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_AT_BOUND = 0.01
"""A floor within this share of its range from an end of the range is at that end."""

_AT_EDGE = 2.0
"""A bounded parameter with a larger standard error than this, on the scale where it can take any
value, is within half a standard error of its bound: a correlation of one, a spread of zero."""

_STEP = 1e-5
"""Step inward, as a share of how far the parameter might be from its edge."""


def at_edge(free: FreeParameters, params: Parameters, ceiling: Array, error: Array) -> Mask:
    """Return which free parameters are at the edge of their range.

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
    out = free.bounded & (error * free.stretch(values, ceiling) > _AT_EDGE)
    out[free.kinds == "floor"] |= (share < _AT_BOUND) | (share > 1.0 - _AT_BOUND)
    return np.asarray(out)


def lean(
    free: FreeParameters,
    params: Parameters,
    ceiling: Array,
    error: Array,
    function: Callable[[Parameters], Array],
) -> Array:
    """Return how much a function varies with the parameters at the edge of their range.

    Parameters
    ----------
    free, params, ceiling, error
        As in :func:`at_edge`.
    function : callable
        From :class:`~lvkit.Parameters` to an array of shape (r,).

    Returns
    -------
    ndarray, shape (r,)
        Its variance if each of them were, independently, as far from the edge as it might be: half
        its range for a floor, one for a correlation, its size or its error for what is positive.
        Infinite where the function cannot be computed beside the estimate.
    """
    here = free.values(params)
    base = function(params)
    out = np.zeros_like(base)
    for at in np.flatnonzero(at_edge(free, params, ceiling, error)):
        inside = here.copy()
        inside[at] += _STEP * _inward(free, here, ceiling, error)[at]
        try:
            slope = (function(free.placed(params, inside)) - base) / _STEP
        except np.linalg.LinAlgError:  # no correlation matrix any more
            slope = np.full_like(base, np.inf)
        out += np.square(np.where(np.isnan(slope), np.inf, slope))
    return out


def _inward(free: FreeParameters, values: Array, ceiling: Array, error: Array) -> Array:
    """Return how far each bounded parameter might be from its edge, signed into the range."""
    out = np.fmax(np.abs(values), error)
    floors, within = free.kinds == "floor", free.kinds == "correlation"
    half = 0.5 * ceiling[free.free_floors]
    out[floors] = np.where(values[floors] < half, half, -half)
    out[within] = -np.sign(values[within])
    return np.asarray(out)
