"""Constraints of a plan: the cost of a model, and limits on size, tokens and their ratio.

Training N parameters on D tokens takes about ``6 N D`` operations, and reading or writing T tokens
with the finished model about ``2 N T`` (Kaplan et al., 2020, arXiv:2001.08361). A budget C thus
buys

    C = N (a D + b T) ,

a curve in the plane of size and tokens. Sizes and tokens are handled as
``s = log10(parameters in billions)`` and ``t = log10(tokens in trillions)``, the units of the
panels.

On a budget's curve the tokens fall as the size grows, so that every limit is an end of an interval
of sizes, and the ends have a closed form. Where tokens per parameter have no limit there is a wide
numerical *bracket*: from 0.001 to 10 million, beyond anything that was ever trained.

In logarithms the limits bound s, t and t - s, which makes the region they leave a lattice: it has a
smallest corner, where both size and tokens are least, and a greatest. A budget below the cost of
the smallest corner buys nothing that is allowed; one above the cost of the greatest cannot be
spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError
from lvkit.tools.checks import is_number

Array = npt.NDArray[np.float64]

_BILLION = 9.0
_TRILLION = 12.0


@dataclass(frozen=True)
class Cost:
    """What training and serving a model cost.

    Parameters
    ----------
    flops_per_param_token : float
        Operations to train one parameter on one token; 6 by the usual count.
    serving_tokens_t : float
        Tokens, in trillions, that the model will read and write in its service; 0 leaves serving
        out of the budget.
    serving_flops_per_param_token : float
        Operations to serve one token by one parameter; 2 by the usual count.

    Raises
    ------
    LvkitError
        If a number is not finite, or negative, or training costs nothing.

    Examples
    --------
    Chinchilla, 70 billion parameters on 1.4 trillion tokens, took about 6e23 operations:

    >>> round(float(Cost().flops(np.log10(70.0), np.log10(1.4))) / 1e23, 2)
    5.88
    """

    flops_per_param_token: float = 6.0
    serving_tokens_t: float = 0.0
    serving_flops_per_param_token: float = 2.0

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            positive = part.name == "flops_per_param_token"
            if not is_number(value) or value < 0.0 or (positive and value == 0.0):
                least = "a number above 0" if positive else "0 or more"
                raise LvkitError(f"got {value!r}", where=f"Cost, {part.name}", expected=least)

    @property
    def serves(self) -> bool:
        """Whether serving is part of the budget."""
        return self._served > 0.0

    @property
    def _served(self) -> float:
        """Operations of serving, for each parameter."""
        return float(self.serving_flops_per_param_token * self.serving_tokens_t * 10.0**_TRILLION)

    def flops(self, s: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """Return the operations that a size and tokens cost; arguments broadcast."""
        tokens = 10.0 ** (np.asarray(t, dtype=float) + _TRILLION)
        size = 10.0 ** (np.asarray(s, dtype=float) + _BILLION)
        return np.asarray(size * (self.flops_per_param_token * tokens + self._served))

    def log_tokens(self, s: npt.ArrayLike, budget: npt.ArrayLike) -> Array:
        """Return t at a size on a budget; minus infinity where serving alone takes it all."""
        size = 10.0 ** (np.asarray(s, dtype=float) + _BILLION)
        left = np.asarray(budget, dtype=float) / size - self._served
        with np.errstate(divide="ignore"):
            return np.log10(np.maximum(left, 0.0) / self.flops_per_param_token) - _TRILLION

    def log_size(self, t: npt.ArrayLike, budget: npt.ArrayLike) -> Array:
        """Return s at a number of tokens on a budget."""
        tokens = 10.0 ** (np.asarray(t, dtype=float) + _TRILLION)
        each = self.flops_per_param_token * tokens + self._served
        return np.asarray(np.log10(np.asarray(budget, dtype=float) / each) - _BILLION)

    def log_size_at_ratio(self, tokens_per_param: float, budget: npt.ArrayLike) -> Array:
        """Return s at a number of training tokens per parameter on a budget.

        The positive root of ``a r N^2 + b T N = C``, in the form that loses no digits.
        """
        budget = np.asarray(budget, dtype=float)
        quadratic = self.flops_per_param_token * tokens_per_param
        root = np.sqrt(self._served**2 + 4.0 * quadratic * budget)
        return np.asarray(np.log10(2.0 * budget / (self._served + root)) - _BILLION)


def log_ratio(s: npt.ArrayLike, t: npt.ArrayLike) -> Array:
    """Return log10 of the tokens per parameter at a size and tokens.

    Examples
    --------
    >>> round(float(10.0 ** log_ratio(np.log10(70.0), np.log10(1.4))), 6)
    20.0
    """
    difference = np.asarray(t, dtype=float) - np.asarray(s, dtype=float)
    return np.asarray(difference + _TRILLION - _BILLION)


BRACKET = (1e-3, 1e7)
"""Fewest and most tokens per parameter that a plan looks at."""

_TOGETHER = 1e-9
"""Log sizes and log tokens closer than this are one."""

_BRACKETS = {
    "min_tokens_per_param": "fewest tokens per parameter (bracket)",
    "max_tokens_per_param": "most tokens per parameter (bracket)",
}


@dataclass(frozen=True)
class Limits:
    """Limits of a plan; None is no limit. For a fixed size, set its least and greatest alike.

    Parameters
    ----------
    min_params_b, max_params_b : float, optional
        Size in billions of parameters.
    min_tokens_t, max_tokens_t : float, optional
        Training tokens in trillions.
    min_tokens_per_param, max_tokens_per_param : float, optional
        Training tokens for each parameter.

    Raises
    ------
    LvkitError
        For limits that are no positive numbers, or that exclude each other.

    Examples
    --------
    >>> Limits(min_params_b=70, max_tokens_t=1, min_tokens_per_param=20)
    Traceback (most recent call last):
    lvkit.errors.LvkitError: Limits: got limits that exclude each other: 70 billion parameters with
    20 tokens each are 1.4 trillion tokens, above max_tokens_t=1...
    """

    min_params_b: float | None = None
    max_params_b: float | None = None
    min_tokens_t: float | None = None
    max_tokens_t: float | None = None
    min_tokens_per_param: float | None = None
    max_tokens_per_param: float | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if value is not None and not (is_number(value) and value > 0.0):
                raise LvkitError(
                    f"got {value!r}",
                    where=f"Limits, {part.name}",
                    expected="a positive number, or None for no limit",
                )
        for name in ("params_b", "tokens_t", "tokens_per_param"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                raise _excluded(f"min_{name}={least:g} is above max_{name}={most:g}")
        self._check_bracket()
        self._check_together()

    def _check_bracket(self) -> None:
        """Refuse a lone limit on tokens per parameter beyond the other end of the bracket."""
        fewest, most = self.tokens_per_param
        if fewest > most and self.max_tokens_per_param is None:
            raise _excluded(
                f"min_tokens_per_param={fewest:g} is above {most:g}, the most that is looked at "
                "without max_tokens_per_param"
            )
        if fewest > most:
            raise _excluded(
                f"max_tokens_per_param={most:g} is below {fewest:g}, the fewest that are looked at "
                "without min_tokens_per_param"
            )

    def _check_together(self) -> None:
        """Refuse sizes and tokens that no allowed tokens per parameter bring together."""
        fewest, most = self.tokens_per_param
        if self.min_params_b and self.max_tokens_t:
            need = self.min_params_b * fewest / 1000.0
            if need > self.max_tokens_t * (1.0 + _TOGETHER):
                raise _excluded(
                    f"{self.min_params_b:g} billion parameters with {fewest:g} tokens each are "
                    f"{need:g} trillion tokens, above max_tokens_t={self.max_tokens_t:g}"
                )
        if self.min_tokens_t and self.max_params_b:
            need = self.min_tokens_t / most * 1000.0
            if need > self.max_params_b * (1.0 + _TOGETHER):
                raise _excluded(
                    f"{self.min_tokens_t:g} trillion tokens at {most:g} for each parameter need "
                    f"{need:g} billion parameters, above max_params_b={self.max_params_b:g}"
                )

    @property
    def tokens_per_param(self) -> tuple[float, float]:
        """Fewest and most tokens per parameter, the bracket's where no limit is given."""
        return (
            self.min_tokens_per_param or BRACKET[0],
            self.max_tokens_per_param or BRACKET[1],
        )

    @property
    def smallest(self) -> tuple[float, float]:
        """Log size and log tokens of the smallest corner; minus infinity without limits."""
        low, high = self._differences()
        size = max(_log(self.min_params_b, -np.inf), _log(self.min_tokens_t, -np.inf) - high)
        return size, max(_log(self.min_tokens_t, -np.inf), size + low)

    @property
    def greatest(self) -> tuple[float, float]:
        """Log size and log tokens of the greatest corner; infinity without limits."""
        low, high = self._differences()
        size = min(_log(self.max_params_b, np.inf), _log(self.max_tokens_t, np.inf) - low)
        return size, min(_log(self.max_tokens_t, np.inf), size + high)

    def _differences(self) -> tuple[float, float]:
        """Least and greatest t - s."""
        offset = float(log_ratio(0.0, 0.0))
        fewest, most = self.tokens_per_param
        return float(np.log10(fewest)) - offset, float(np.log10(most)) - offset

    def binding(self, s: float, t: float) -> str:
        """Return which limits a point lies on, in words; "" if it lies on none."""
        values = {"params_b": s, "tokens_t": t, "tokens_per_param": float(log_ratio(s, t))}
        names = []
        for part in fields(self):
            limit = getattr(self, part.name)
            if limit is None and part.name in _BRACKETS:
                limit = BRACKET[part.name.startswith("max")]
            at = values[part.name[4:]]
            if limit is not None and abs(np.log10(limit) - at) < 1e-6:
                given = getattr(self, part.name) is not None
                names.append(part.name if given else _BRACKETS[part.name])
        return " and ".join(names)


def _excluded(what: str) -> LvkitError:
    return LvkitError(
        f"got limits that exclude each other: {what}",
        where="Limits",
        expected="limits that leave something between them",
        remedy="Widen one of them.",
    )


def _log(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else float(np.log10(value))


@dataclass(frozen=True, eq=False)
class Span:
    """The allowed part of each budget's curve: an interval of log sizes.

    Attributes
    ----------
    cost : Cost
        What size and tokens cost.
    budget, spent : ndarray, shape (n,)
        Budgets in operations, and what of them can be spent within the limits.
    low, high : ndarray, shape (n,)
        Ends of the interval.
    """

    cost: Cost
    budget: Array
    spent: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, budgets: Array, limits: Limits, cost: Cost) -> Span:
        """Return the spans of budgets.

        Parameters
        ----------
        budgets : ndarray, shape (n,)
            Operations.
        limits : Limits
            The limits.
        cost : Cost
            What size and tokens cost.

        Raises
        ------
        LvkitError
            If a budget is less than the least that the limits allow costs.
        """
        least = float(cost.flops(*limits.smallest))
        _check_affordable(budgets, least)
        spent = np.minimum(budgets, cost.flops(*limits.greatest))
        fewest, most = limits.tokens_per_param
        ends = [cost.log_size_at_ratio(most, spent), cost.log_size_at_ratio(fewest, spent)]
        if limits.min_params_b is not None:
            ends[0] = np.maximum(ends[0], np.log10(limits.min_params_b))
        if limits.max_params_b is not None:
            ends[1] = np.minimum(ends[1], np.log10(limits.max_params_b))
        if limits.max_tokens_t is not None:
            ends[0] = np.maximum(ends[0], cost.log_size(np.log10(limits.max_tokens_t), spent))
        if limits.min_tokens_t is not None:
            ends[1] = np.minimum(ends[1], cost.log_size(np.log10(limits.min_tokens_t), spent))
        low = np.minimum(ends[0], ends[1])  # but for rounding, the first is not above the second
        return cls(cost, budgets, spent, low, ends[1])

    def tokens(self, s: Array) -> Array:
        """Return log tokens at log sizes, whose last axis is that of the budgets."""
        return self.cost.log_tokens(s, self.spent)

    def rows(self, at: slice | Sequence[int]) -> Span:
        """Return the spans of some of the budgets."""
        parts = (self.budget, self.spent, self.low, self.high)
        return Span(self.cost, *(part[at] for part in parts))


def _check_affordable(budgets: Array, least: float) -> None:
    short = np.flatnonzero(budgets < least * (1.0 - _TOGETHER))
    if len(short):
        raise LvkitError(
            f"got a budget of {budgets[short[0]]:.3g} FLOPs",
            where=f"budgets, number {short[0] + 1}",
            expected=f"at least {least:.3g} FLOPs, what the limits' smallest model costs",
            remedy="Lower the least size, tokens or tokens per parameter, or raise the budget.",
        )
