"""The aim of a plan: for whom, at what, within which limits and at what cost.

An :class:`Aim` is what the user said, read and checked once, together with the family's outlook. It
answers the two questions that every plan is made of: where is the best point on a budget, and what
is the target worth at a point; at the estimate, and in every draw of what is uncertain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lvkit.checks import check_whole
from lvkit.errors import LvkitError
from lvkit.identifiability import without_unit
from lvkit.planning import outlook
from lvkit.planning.cost import Cost
from lvkit.planning.limits import Limits, Span
from lvkit.planning.optimum import bend, parabola_top, search_top
from lvkit.planning.outlook import Centre, Draws, check_family
from lvkit.planning.surface import Surface, learn_surface
from lvkit.planning.target import Target, read_target
from lvkit.results import Fit

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
            fit.memo.get("centre", lambda: outlook.centre(fit, surface, family), key=whose),
            check_whole(seed, "seed", 0),
        )

    @cached_property
    def draws(self) -> Draws:
        """Draws of the family's outlook, made when first asked for."""
        known = _spelled(self.surface.attributes)
        return self.fit.memo.get(
            "draws",
            lambda: outlook.draws(self.fit, self.surface, self.family, self.seed),
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
