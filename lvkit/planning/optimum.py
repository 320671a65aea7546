"""The inputs of a plan, checked once, and the best point on a budget.

An :class:`Aim` holds for whom and for which target a plan is made, within which limits and at what
cost, together with the family's outlook. It answers the two questions that every plan is made of:
where is the best point on a budget, and what is the target worth at a point; at the estimate, and
in every draw of what is uncertain.

The best size has a closed form where the target allows one. Without serving, a budget fixes
``s + t = c`` with ``c = log10(C / a) - 21``, and a form of degree two,
``f = f0 + f1 s + f2 t + f3 s^2 + f4 s t + f5 t^2``, becomes a parabola along that line:

    f = const + (f1 - f2 + (f4 - 2 f5) c) s + (f3 - f4 + f5) s^2 .

Opened downwards it has its top inside, otherwise one of the ends is best. With the default features
(f3 = f5 = 0, f4 the interaction) the top lies at ``s - t = (f1 - f2) / f4``: the same tokens per
parameter on every budget, and for every family, as families differ in f0 alone. Elsewhere the best
size is found by a bounded search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError
from lvkit.estimation.identifiability import without_unit
from lvkit.fit.fit import Fit
from lvkit.planning import family_curves
from lvkit.planning.constraints import Cost, Limits, Span
from lvkit.planning.family_curves import Centre, Draws, check_family
from lvkit.planning.feature_surface import Surface, learn_surface
from lvkit.planning.target import Target, read_target
from lvkit.tools.checks import check_whole

Array = npt.NDArray[np.float64]

_ROWS = 64
"""Budgets whose draws are worked on at once."""

_LOOKED_AT = 41
"""Budgets at which draws are searched; between them, draws of the best size are interpolated."""


@dataclass(frozen=True, eq=False)
class Aim:
    """Everything a plan needs to know, read and checked once.

    Attributes
    ----------
    fit : Fit
        The fit.
    target : Target
        What is aimed at.
    family : str or None
        For whom.
    limits : Limits
        Where it may go.
    cost : Cost
        What it costs.
    surface : Surface
        Features over size and tokens.
    centre : Centre
        The family's outlook at the estimate.
    """

    fit: Fit
    target: Target
    family: str | None
    limits: Limits
    cost: Cost
    surface: Surface
    centre: Centre
    seed: int

    @classmethod
    def read(
        cls,
        fit: Fit,
        target: str | Mapping[str, float],
        family: str | None,
        limits: Limits | None,
        cost: Cost | None,
        attributes: Mapping[str, Any] | None,
        seed: int,
    ) -> Aim:
        """Check what the user said, and look at the family's outlook."""
        if not hasattr(fit, "prepared"):
            raise LvkitError(
                f"got a {type(fit).__name__}", where="plan", expected="a fit: model.fit(panel)"
            )
        check_family(fit, family)
        whose = (family, _spelled(attributes))
        surface = fit.memo.get("surface", lambda: learn_surface(fit, family, attributes), key=whose)
        for value, kind in ((limits, Limits), (cost, Cost)):
            if value is not None and not isinstance(value, kind):
                name = kind.__name__
                raise LvkitError(
                    f"got {value!r}", where=name.lower(), expected=f"an lv.{name}, or None"
                )
        return cls(
            fit,
            read_target(fit, target),
            family,
            limits or Limits(),
            cost or Cost(),
            surface,
            fit.memo.get("centre", lambda: family_curves.centre(fit, surface, family), key=whose),
            check_whole(seed, "seed", 0),
        )

    @cached_property
    def draws(self) -> Draws:
        """Draws of the family's curves, made when first asked for."""
        known = _spelled(self.surface.attributes)
        return self.fit.memo.get(
            "draws",
            lambda: family_curves.draws(self.fit, self.surface, self.family, self.seed),
            key=(self.family, known, self.seed),
        )

    @property
    def without_unit(self) -> tuple[str, ...]:
        """Skills of the target on which families do not differ: their unit is undefined."""
        if self.target.kind != "skill":
            return ()
        undefined = without_unit(self.fit)
        return tuple(name for name in self.target.names if name in undefined)

    @property
    def closed_form(self) -> bool:
        """Whether the best size has a closed form."""
        form = self.centre.form(self.target)
        return form is not None and self._parabolic

    @property
    def _parabolic(self) -> bool:
        return self.surface.quadratic and not self.cost.serves

    @property
    def bend(self) -> float | None:
        """Coefficient of s^2 along a budget without serving; None without a closed form."""
        form = self.centre.form(self.target)
        return float(bend(form)) if form is not None and self._parabolic else None

    def bend_interval(self, level: float) -> tuple[float, float]:
        """Return the interval of :attr:`bend`; in the unit of the target, so without one NaN."""
        if self.without_unit:
            return float("nan"), float("nan")
        forms = self.draws.forms(self.target)
        assert forms is not None
        ends = [0.5 - 0.5 * level, 0.5 + 0.5 * level]
        lower, upper = quantiles_of_draws(bend(forms), ends, axis=0)
        return float(lower), float(upper)

    def span(self, budgets: Array) -> Span:
        """Return the allowed part of the budgets' curves."""
        return Span.of(budgets, self.limits, self.cost)

    def best(self, span: Span) -> Array:
        """Return the best log size on each budget, shape (n,)."""
        form = self.centre.form(self.target)
        if form is not None and self._parabolic:
            return parabola_top(form, span)
        if form is not None:
            return search_top(lambda s, t: np.asarray(self.surface.basis(s, t) @ form), span)
        return search_top(lambda s, t: self.centre.value(self.target, s, t), span)

    def best_drawn(self, span: Span) -> Array:
        """Return the best log size in each draw of the parameters, shape (F, n).

        Each draw knows its own parameters and latent vector. Where a search is needed, at most 41
        budgets are searched and draws interpolated between them, in their share of the span: with
        more budgets, a draw that jumps from an end to the inside is then known less exactly.
        """
        forms = self.draws.forms(self.target)
        if forms is not None and self._parabolic:
            return parabola_top(forms, span)
        n, lead = len(span.low), (len(self.draws.floors),)
        order = np.argsort(span.spent, kind="stable")
        at = order[np.unique(np.linspace(0, n - 1, min(n, _LOOKED_AT)).round().astype(int))]
        few = span.rows(at)
        found = search_top(lambda s, t: self.draws.value(self.target, s, t), few, lead)
        width = np.maximum(few.high - few.low, np.finfo(float).tiny)
        shares = (found - few.low) / width
        known, asked = np.log10(few.spent), np.log10(span.spent)
        share = np.stack([np.interp(asked, known, row) for row in shares])
        return np.asarray(span.low + share * (span.high - span.low))

    def drawn_values(self, s: Array, t: Array) -> Array:
        """Return draws of the target at n points, shape (n, draws)."""
        rows = range(0, len(s), _ROWS)
        pieces = [
            self.draws.values(self.target, s[at : at + _ROWS], t[at : at + _ROWS]) for at in rows
        ]
        return np.concatenate(pieces)


def _spelled(attributes: Any) -> str:
    """Return attributes as text that tells them apart, whatever they are."""
    named = attributes.items() if isinstance(attributes, Mapping) else [(None, attributes)]
    return repr([(name, type(value).__name__, value) for name, value in named])


def quantiles_of_draws(draws: Array, probabilities: Sequence[float], *, axis: int) -> Array:
    """Return quantiles, the i-th of n draws standing at the probability i / (n + 1).

    A further draw lies between two such quantiles with the probability that they promise; numpy's
    usual positions would make intervals from 300 draws a little too narrow.
    """
    return np.asarray(np.quantile(draws, probabilities, axis=axis, method="weibull"))


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
