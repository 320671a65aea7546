"""The best size on a budget: in closed form where there is one, by a bounded search elsewhere.

Without serving, a budget fixes ``s + t = c`` with ``c = log10(C / a) - 21``, and a form of degree
two, ``f = f0 + f1 s + f2 t + f3 s^2 + f4 s t + f5 t^2``, becomes a parabola along that line:

    f = const + (f1 - f2 + (f4 - 2 f5) c) s + (f3 - f4 + f5) s^2 .

Opened downwards it has its top inside, otherwise one of the ends is best. With the default features
(f3 = f5 = 0, f4 the interaction) the top lies at ``s - t = (f1 - f2) / f4``: the same tokens per
parameter on every budget, and for every family, as families differ in f0 alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lvkit.planning.limits import Span

Array = npt.NDArray[np.float64]

Value = Callable[[Array, Array], Array]

_FLAT = 1e-12
"""Curvature of a parabola that counts as none."""

_GRID = 65

_ZOOM = 9
"""Points of each further look, which is four times as close."""

_LOOKS = 8

_OFFSET = 21.0
"""Powers of ten between C / a in operations and size times tokens in the panels' units."""


def bend(forms: Array) -> Array:
    """Return the coefficient of s^2 along a budget, of forms of shape (..., 6)."""
    return np.asarray(forms[..., 3] - forms[..., 4] + forms[..., 5])


def parabola_top(forms: Array, span: Span) -> Array:
    """Return the log size where a form of degree two is greatest on each budget.

    Parameters
    ----------
    forms : ndarray, shape (..., 6)
        Coefficients of (1, s, t, s^2, s t, t^2).
    span : Span
        n budgets, without serving.

    Returns
    -------
    ndarray, shape (..., n)
    """
    f = forms[..., None, :]
    c = np.log10(span.spent / span.cost.flops_per_param_token) - _OFFSET
    linear = f[..., 1] - f[..., 2] + (f[..., 4] - 2.0 * f[..., 5]) * c
    square = bend(f)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        top = np.clip(-linear / (2.0 * square), span.low, span.high)
    rise = linear * (span.high - span.low) + square * (span.high**2 - span.low**2)
    end = np.where(rise > 0.0, span.high, span.low)
    return np.where(square < -_FLAT, top, end)


def search_top(value: Value, span: Span, lead: tuple[int, ...] = ()) -> Array:
    """Return the log size where a function is greatest on each budget, by a bounded search.

    Parameters
    ----------
    value : callable
        From log sizes and log tokens, both of shape (points, *lead, n), to values of that shape.
    span : Span
        n budgets.
    lead : tuple of int
        Leading axes: several functions at once.

    Returns
    -------
    ndarray, shape (*lead, n)

    Notes
    -----
    A grid over the whole span finds the highest hill, closer and closer looks climb it, and a
    parabola through the last three points gives the remaining digits, which values alone cannot
    tell: near a top they differ by less than their rounding errors.
    """
    shape = (*lead, len(span.low))
    low, high = (np.broadcast_to(end, shape) for end in (span.low, span.high))
    best, step = _look(value, span, low, high, _GRID)
    for _ in range(_LOOKS):
        left, right = np.maximum(best - step, low), np.minimum(best + step, high)
        best, step = _look(value, span, left, right, _ZOOM)
    around = np.stack([best - step, best, best + step])
    inside = (around[0] >= low) & (around[2] <= high) & (step > 0.0)
    around = np.clip(around, low, high)
    before, here, after = value(around, span.tokens(around))
    bend = before - 2.0 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.clip(0.5 * (before - after) / bend, -1.0, 1.0) * step
    return np.where(inside & (bend < 0.0), best + shift, best)


def _look(value: Value, span: Span, low: Array, high: Array, count: int) -> tuple[Array, Array]:
    """Return the best of evenly spaced points, and their spacing."""
    share = np.linspace(0.0, 1.0, count).reshape(-1, *(1,) * low.ndim)
    points = np.where(share == 1.0, high, low + share * (high - low))
    at = np.argmax(value(points, span.tokens(points)), axis=0)[None]
    return np.take_along_axis(points, at, axis=0)[0], (high - low) / (count - 1)
