"""The response curve of one benchmark: expected score and spread as a function of a skill.

With one skill the model of :mod:`lvkit.model.beta` can be drawn: the expected score rises along a
logistic curve from the floor to 1, and measured scores are Beta distributed around it. Four numbers
say it all, and each does one thing: the loading makes the curve steep, the intercept moves it, the
floor lifts its lower end, the precision narrows the scatter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError, Problem
from lvkit.model.beta import log_density, response
from lvkit.tools.checks import check_level

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ResponseCurve:
    """One benchmark's Beta response to one skill (arXiv 2512.06553).

    Parameters
    ----------
    loading : float
        How steeply the logit of the expected score rises with the skill.
    intercept : float
        That logit where the skill is 0.
    floor : float
        Expected score of a model without any skill, from 0 to below 1.
    precision : float
        How close scores lie to the curve, above 0: their variance is
        ``mean * (1 - mean) / (1 + precision)``.

    Raises
    ------
    LvkitError
        If a number is not finite or out of its range; all that are wrong at once.

    Examples
    --------
    Half-way up, scores with precision 2 are uniform: a 90 % interval leaves 5 % on each side.

    >>> curve = ResponseCurve(loading=1.5, intercept=0.0, floor=0.0, precision=2.0)
    >>> float(curve.mean(0.0)), [round(float(end), 3) for end in curve.interval(0.0)]
    (0.5, [0.05, 0.95])
    >>> curve.density([0.1, 0.7], 0.0).tolist()
    [1.0, 1.0]
    """

    loading: float = 1.0
    intercept: float = 0.0
    floor: float = 0.0
    precision: float = 50.0

    def __post_init__(self) -> None:
        numbers = {name: float(getattr(self, name)) for name in self.__dataclass_fields__}
        good = {name: bool(np.isfinite(number)) for name, number in numbers.items()}
        good["floor"] &= 0.0 <= numbers["floor"] < 1.0
        good["precision"] &= numbers["precision"] > 0.0
        wanted = {"floor": "a number from 0 to below 1", "precision": "a number above 0"}
        problems = [
            Problem(f"got {numbers[name]:g}", name, wanted.get(name, "a finite number"))
            for name, fine in good.items()
            if not fine
        ]
        if problems:
            raise LvkitError.from_problems(problems)

    @property
    def middle(self) -> float | None:
        """The skill half-way up the curve, where it is steepest; None where it is level."""
        return None if self.loading == 0 else -self.intercept / self.loading

    def mean(self, skill: npt.ArrayLike) -> Array:
        """Return the expected score at each skill, shape as given."""
        eta = self.loading * np.asarray(skill, dtype=float) + self.intercept
        return response(eta, self.floor)

    def sd(self, skill: npt.ArrayLike) -> Array:
        """Return the standard deviation of scores at each skill."""
        mean = self.mean(skill)
        return np.asarray(np.sqrt(mean * (1.0 - mean) / (1.0 + self.precision)))

    def interval(self, skill: npt.ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """Return the ends between which a score lies with a probability, tails being equal.

        Parameters
        ----------
        skill : array_like
            Skills, any shape.
        level : float
            The probability.

        Returns
        -------
        lower, upper : ndarray
            Of the shape of `skill`.
        """
        from scipy.special import betaincinv

        mean, tail = self.mean(skill), (1.0 - check_level(level)) / 2.0
        a, b = mean * self.precision, (1.0 - mean) * self.precision
        # The upper end from its own tail: near 1 the digits are in what is left to it.
        return np.asarray(betaincinv(a, b, tail)), np.asarray(1.0 - betaincinv(b, a, tail))

    def density(self, score: npt.ArrayLike, skill: float) -> Array:
        """Return the density of scores strictly between 0 and 1 at a skill."""
        return np.asarray(np.exp(log_density(score, self.mean(skill), self.precision)))
