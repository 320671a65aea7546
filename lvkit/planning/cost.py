"""What a model costs: floating-point operations for its training and for serving it.

Training N parameters on D tokens takes about ``6 N D`` operations, and reading or writing T tokens
with the finished model about ``2 N T`` (Kaplan et al., 2020, arXiv:2001.08361). A budget C thus
buys

    C = N (a D + b T) ,

a curve in the plane of size and tokens. All that is asked of the curve has a closed form: the
tokens at a size, the size at a number of tokens, and the size at a number of tokens per parameter.

Sizes and tokens are handled as ``s = log10(parameters in billions)`` and ``t = log10(tokens in
trillions)``, the units of the panels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError

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
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            least = "a number above 0" if part.name == "flops_per_param_token" else "0 or more"
            if (
                not number
                or not np.isfinite(value)
                or value < 0.0
                or (value == 0 and "above" in least)
            ):
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
