"""Required compute: the least compute that reaches a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError
from lvkit.fit.fit import Fit
from lvkit.planning.constraints import Cost, Limits, log_ratio
from lvkit.planning.feature_surface import Region
from lvkit.planning.optimum import Aim, quantiles_of_draws
from lvkit.planning.plan_text import (
    amount,
    as_html,
    association,
    attributes_outside,
    flops,
    size,
    tokens,
    undetermined,
)
from lvkit.tools.checks import check_level, is_number

Array = npt.NDArray[np.float64]

_LEAST, _MOST = 1e15, 1e30
"""The bracket of compute that is looked at, in FLOPs, where limits do not narrow it."""

_STEPS_PER_POWER = 4

_ZOOM, _LOOKS = 9, 10
"""Points of each closer look, and how many: the last are 1e-9 powers of ten apart."""


@dataclass(frozen=True, eq=False)
class Need:
    """The least compute that reaches a score, or why none does.

    Attributes
    ----------
    feasible : bool
        Whether the score is reached within the limits.
    compute : float
        FLOPs; NaN if it is not reached.
    params_b, tokens_t, tokens_per_param : float
        The best size and tokens on that budget; NaN likewise.
    probability : float
        With which the score is reached there; if it is not, the highest within the limits.
    reason : str
        In words.
    corner : str
        Which bound the best point on that budget lies on, "" if it lies inside.
    extrapolates, distance : bool and float
        Whether, and by how many powers of ten, the model lies outside the fitted ones.
    score, asked : float
        The score and the probability that were asked for.
    """

    feasible: bool
    compute: float
    params_b: float
    tokens_t: float
    tokens_per_param: float
    probability: float
    reason: str
    corner: str
    extrapolates: bool
    distance: float
    score: float
    asked: float
    aim: Aim = field(repr=False)

    @property
    def words(self) -> tuple[str, ...]:
        """The answer in sentences."""
        outside = (
            f"The model lies outside the fitted ones by a factor of {amount(10.0**self.distance)}."
        )
        cornered = (
            "That budget has no best point inside: the model is the end of what is looked at, the "
            f"{self.corner.removesuffix(' (bracket)')}, and no recommendation. Limits on size, "
            "tokens or tokens per parameter give one that can be built, for more compute."
        )
        middle = [cornered] if "bracket" in self.corner else []
        middle += [outside] if self.extrapolates else []
        middle += [*attributes_outside(self.aim), *undetermined(self.aim)]
        return (self.reason, *middle, association(self.aim.fit))

    def _repr_html_(self) -> str:
        import pandas as pd

        names = ("compute", "params_b", "tokens_t", "tokens_per_param", "probability", "corner")
        return as_html(self.words, pd.DataFrame([{name: getattr(self, name) for name in names}]))


def required_compute(
    fit: Fit,
    *,
    target: str | Mapping[str, float],
    score: float,
    probability: float = 0.5,
    family: str | None = None,
    limits: Limits | None = None,
    cost: Cost | None = None,
    attributes: Mapping[str, Any] | None = None,
    noise: bool = True,
    seed: int = 0,
) -> Need:
    """Return the least compute whose plan reaches a score with a given probability.

    Parameters
    ----------
    fit : Fit
        A converged fit whose features hold size and tokens.
    target : str or mapping of str to float
        A skill, a benchmark or a weighted mix, as in :func:`lvkit.plan_compute`.
    score : float
        What to reach: between 0 and 1 for benchmarks; standard deviations for skills.
    probability : float
        With which to reach it.
    family, limits, cost, attributes, seed
        As in :func:`lvkit.plan_compute`.
    noise : bool
        For benchmarks: whether a single measured score has to reach it (with the scatter of its
        Beta distribution), or the expected score only.

    Returns
    -------
    Need
        With ``feasible`` False, and the reason, if no compute within the limits does.

    Raises
    ------
    LvkitError
        For a score that no benchmark can have, a skill on which families do not differ (a score on
        it has no unit), a probability outside (0, 1), and whatever :func:`lvkit.plan_compute`
        refuses.

    Notes
    -----
    On each budget the model is the planned one, that with the highest expectation. Another split
    may reach a score with a higher probability where it is known better; then limits may lower the
    answer. Far below all data the model may say that
    *less* compute would raise the target; compute is therefore looked for where the target rises
    with the budget, from where the fitted models are outwards, and from 1e15 to 1e30 FLOPs at most.
    There, on budgets a quarter of a power of ten apart, the first that suffices is found, then its
    exact place. What is drawn are the parameters and the family's latent vector, as for the
    intervals of a plan. The scatter of one benchmark's score is its Beta distribution; that of a
    mix is taken as normal, which can be off by two points of probability where scores scatter
    widely.
    """
    probability = check_level(probability, "probability")
    aim = Aim.read(fit, target, family, limits, cost, attributes, seed)
    score = _check_score(score, aim)
    _check_unit(aim)
    reach = _Reach(aim, score, probability, noise and aim.target.kind == "benchmark")
    low, high = _bracket(aim)
    count = int(np.ceil(_STEPS_PER_POWER * (high - low))) + 1
    powers = reach.rising(np.linspace(low, high, max(count, 2)))
    enough = reach.margin(powers) >= 0.0
    if not enough.any():
        return _cannot(reach, powers)
    at = int(np.argmax(enough))
    power = powers[0] if at == 0 else _crossing(reach, powers[at - 1], powers[at])
    return _answer(reach, power, first=at == 0)


def _check_score(score: object, aim: Aim) -> float:
    benchmark = aim.target.kind == "benchmark"
    if not is_number(score) or (benchmark and not 0.0 < score < 1.0):
        raise LvkitError(
            f"got {score!r}",
            where="score",
            expected="a score between 0 and 1" if benchmark else "a finite number",
            remedy="Divide scores in percent by 100." if benchmark else "",
        )
    return float(score)


def _check_unit(aim: Aim) -> None:
    """Refuse a skill that has no unit: no amount of compute corresponds to a score on it."""
    for name in aim.without_unit:
        benchmark = aim.fit.anchors[name]
        raise LvkitError(
            f"got the skill '{name}', on which families do not differ beyond the features; its "
            "unit, one standard deviation among families, is undefined",
            where="target",
            expected="a benchmark, or a skill on which families differ",
            remedy=f"Name a benchmark and a score from 0 to 1, such as 'benchmark:{benchmark}'.",
        )


def _bracket(aim: Aim) -> tuple[float, float]:
    """Return the powers of ten between which compute is looked for."""
    least = float(aim.cost.flops(*aim.limits.smallest))
    most = min(float(aim.cost.flops(*aim.limits.greatest)), _MOST)
    low = np.log10(max(least, min(_LEAST, most)))
    return float(low), float(np.log10(max(most, least)))


@dataclass(frozen=True, eq=False)
class _Reach:
    """Whether budgets suffice."""

    aim: Aim
    score: float
    asked: float
    noise: bool

    @property
    def goal(self) -> str:
        """What is to be reached, with its unit."""
        target, several = self.aim.target, len(self.aim.target.names) > 1
        if target.kind == "benchmark":
            return f"{'a score' if self.noise else 'an expected score'} of {self.score:g} on " + (
                f"average over {target.label}" if several else target.label
            )
        name = f"the mix of skills {target.label}" if several else f"the skill '{target.names[0]}'"
        unit = target.unit if self.score != 1.0 else "standard deviation among families"
        return f"{self.score:g} {unit} in {name}"

    def points(self, powers: Array) -> tuple[Array, Array]:
        """Return the best log sizes and log tokens on budgets given as powers of ten."""
        span = self.aim.span(10.0**powers)
        s = self.aim.best(span)
        return s, span.tokens(s)

    def rising(self, powers: Array) -> Array:
        """Return those budgets between which the target rises, nearest to the fitted models'."""
        models = self.aim.fit.panel.models.loc[list(self.aim.fit.prepared.models)]
        size, tokens = (np.log10(models[name].to_numpy()) for name in ("params_b", "tokens_t"))
        here = float(np.median(np.log10(self.aim.cost.flops(size, tokens))))
        steps = np.diff(self.aim.centre.value(self.aim.target, *self.points(powers))) > 0.0
        if not steps.any():
            return powers
        middles = 0.5 * (powers[1:] + powers[:-1])
        at = int(np.argmin(np.where(steps, np.abs(middles - here), np.inf)))
        falls = np.flatnonzero(~steps)
        first = int(falls[falls < at].max(initial=-1)) + 1
        last = int(falls[falls > at].min(initial=len(steps)))
        return powers[first : last + 1]

    def margin(self, powers: Array) -> Array:
        """Return numbers that are 0 or more where budgets suffice, and continuous in the budget.

        Without noise, by how much the value that is exceeded with the probability asked for
        exceeds the score; with noise, by how much the probability of the score exceeds it.
        """
        s, t = self.points(powers)
        if self.noise:
            return self.probabilities(s, t) - self.asked
        values = self.aim.drawn_values(s, t)
        reached = quantiles_of_draws(values, [1.0 - self.asked], axis=1)[0]
        return np.asarray(reached - self.score)

    def probabilities(self, s: Array, t: Array) -> Array:
        """Return the probability of reaching the score at n points."""
        if not self.noise:
            return np.asarray((self.aim.drawn_values(s, t) >= self.score).mean(axis=1))
        from scipy.special import ndtr

        from lvkit.model.beta import beta_above

        target, draws = self.aim.target, self.aim.draws
        basis = self.aim.surface.basis(s, t)
        each = draws.predictors.shape[1]
        mean = [np.clip(draws.scores(j, basis), 1e-9, 1.0 - 1e-9) for j in target.positions]
        precision = [np.repeat(draws.precisions[:, j], each) for j in target.positions]
        if len(mean) == 1:
            return np.asarray(
                beta_above(np.full((1, 1), self.score), mean[0], precision[0]).mean(axis=1)
            )
        total, variance = np.zeros((2, *mean[0].shape))
        for weight, mu, phi in zip(target.weights, mean, precision, strict=True):
            total += weight * mu
            variance += weight**2 * mu * (1.0 - mu) / (1.0 + phi)
        return np.asarray(ndtr((total - self.score) / np.sqrt(variance)).mean(axis=1))


def _crossing(reach: _Reach, low: float, high: float) -> float:
    """Return the power of ten where budgets begin to suffice, between one that does not and one."""
    for _ in range(_LOOKS):
        powers = np.linspace(low, high, _ZOOM)
        at = max(1, int(np.argmax(reach.margin(powers) >= 0.0)))
        low, high = float(powers[at - 1]), float(powers[at])
    return high


def _answer(reach: _Reach, power: float, *, first: bool) -> Need:
    aim = reach.aim
    (s,), (t,) = reach.points(np.array([power]))
    chance = float(reach.probabilities(np.array([s]), np.array([t]))[0])
    distance = float(Region.of(aim.fit).distance(np.array([s]), np.array([t]))[0])
    reason = (
        f"{flops(10.0**power)}, for {size(10.0**s)} on {tokens(10.0**t)}, reach "
        f"{reach.goal} with a probability of {chance:.0%}"
    )
    more = "; that is the least compute that was looked at." if first else "."
    return Need(
        True,
        10.0**power,
        float(10.0**s),
        float(10.0**t),
        float(10.0 ** log_ratio(s, t)),
        chance,
        reason + more,
        aim.limits.binding(float(s), float(t)),
        distance > 0.0,
        distance,
        reach.score,
        reach.asked,
        aim,
    )


def _cannot(reach: _Reach, powers: Array) -> Need:
    chances = reach.probabilities(*reach.points(powers))
    at = int(np.argmax(chances))
    goal = reach.goal[0].upper() + reach.goal[1:]
    reason = (
        f"{goal} cannot be reached with a probability of "
        f"{reach.asked:.0%} within these limits: up to {flops(10.0 ** powers[-1])}, the highest is "
        f"{chances[at]:.0%}, at {flops(10.0 ** powers[at])}."
    )
    nothing = float("nan")
    return Need(
        False,
        nothing,
        nothing,
        nothing,
        nothing,
        float(chances[at]),
        reason,
        "",
        False,
        nothing,
        reach.score,
        reach.asked,
        reach.aim,
    )
