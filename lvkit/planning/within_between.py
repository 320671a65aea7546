"""Slopes within families compared with slopes between families (Mundlak).

A slope on training tokens can come from two places. Families whose models differ in tokens show
what more of them went along with inside one recipe; families with many tokens, beside families with
few, show it between recipes, and those differ in more than tokens: in data, in date, in care.
Where tokens vary within few families, the slope is mostly of the second kind, and a plan that rests
on it should say so. The check puts each family's mean among the features and fits again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, nearest
from lvkit.fit.fit import Fit
from lvkit.fit.latent_skill_model import LatentSkillModel
from lvkit.model.features import FeatureMap
from lvkit.model.formula import parse_formula
from lvkit.model.parameters import Parameters
from lvkit.tools.checks import check_level

Array = npt.NDArray[np.float64]

SLOPES = ("pooled", "within", "between", "contextual")
"""The slopes of each skill, in the order of the table."""

_MEAN = "family_mean"
"""What the column of the families' means is called, unless there is one of that name."""

_STEP = 1e-4
"""Step of the central difference by the feature, in its own units."""

_SAME = 1e-9
"""Values that differ by no more than this are one."""

_PLAIN = {"log_tokens": "training tokens", "log_params": "size"}


@dataclass(frozen=True, eq=False)
class WithinBetween:
    """A feature's slope within families beside its slope between them.

    Attributes
    ----------
    feature : str
        The feature, such as ``log_tokens``.
    table : DataFrame
        Index ``skill`` and ``slope``; columns ``estimate``, ``std_error``, ``ci_lower``,
        ``ci_upper``, in standard deviations of the skill among families for each unit of the
        feature (ten times the tokens, for ``log_tokens``), averaged over the fitted models.
        ``pooled`` is the slope of the fit that was checked, ``within`` and ``between`` those of the
        fit with the families' means, ``contextual`` their difference, between minus within.
        Families differ a little less in that fit, so that its unit is a little smaller.
    n_varying, n_families : int
        In how many families the models differ in the feature, and how many there are.
    share_within : float
        Share of the feature's variance over the fitted models that lies within families.
    statistic, p_value : float
        Wald test that within and between slopes are the same in all skills; NaN where the data
        determine none of the differences.
    dof : int
        Its degrees of freedom: the skills whose difference the data determine.
    level : float
        Level of the intervals.
    fit, refit : Fit
        The fit that was checked, and the one with the families' means among its features.
        ``lv.compare([fit, refit])`` has their criteria.
    """

    feature: str
    table: pd.DataFrame
    n_varying: int
    n_families: int
    share_within: float
    statistic: float
    p_value: float
    dof: int
    level: float
    fit: Fit = field(repr=False)
    refit: Fit = field(repr=False)

    @property
    def words(self) -> tuple[str, ...]:
        """The answer in plain sentences."""
        return (*self._where(), self._verdict(), self._caution())

    def _where(self) -> tuple[str, str]:
        what = _PLAIN.get(self.feature, f"'{self.feature}'")
        slopes = self.table["estimate"].unstack("slope").loc[list(self.fit.skills)]
        mostly = ": its slopes mostly compare families" if self.share_within < 0.5 else ""
        each = "; ".join(
            f"{skill} {row['within']:.2f} and {row['between']:.2f}"
            for skill, row in slopes.iterrows()
        )
        return (
            f"Models differ in {what} within {self.n_varying} of {self.n_families} families, and "
            f"{self.share_within:.1%} of the variance of {self.feature} lies there{mostly}.",
            f"Slopes on {self.feature} within families, and between them: {each}.",
        )

    def _verdict(self) -> str:
        if math.isnan(self.p_value):
            return "The data do not determine the differences between the two kinds of slope."
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        degrees = "1 degree" if self.dof == 1 else f"{self.dof} degrees"
        test = f"(Wald statistic {self.statistic:.1f} with {degrees} of freedom, {p})"
        if self.p_value < 1.0 - self.level:
            return f"The two kinds differ by more than chance explains {test}."
        return (
            f"The two kinds cannot be told apart {test}; that does not show that they are the same."
        )

    def _caution(self) -> str:
        return (
            f"Both are associational, not causal: nobody drew {self.feature} at random. Families "
            "that have more of it differ in other ways too, and a plan that rests on the slope "
            "trusts that a recipe would move as recipes differ."
        )

    def __repr__(self) -> str:
        return (
            f"WithinBetween({self.feature}: varies within {self.n_varying} of {self.n_families} "
            f"families; Wald {self.statistic:.2f}, {self.dof} df, p = {self.p_value:.3g})"
        )

    def _repr_html_(self) -> str:
        said = " ".join(self.words)
        return f"{self.table.to_html(float_format='{:.2f}'.format)}<p>{escape(said)}</p>"


def within_between(fit: Fit, feature: str = "log_tokens", *, level: float = 0.95) -> WithinBetween:
    """Ask whether a feature's slopes within families are those between families.

    Parameters
    ----------
    fit : Fit
        A converged fit with the feature in its formula.
    feature : str
        A numeric feature, as the formula names it.
    level : float
        Level of the intervals, and one minus the size of the test that the words report.

    Returns
    -------
    WithinBetween

    Raises
    ------
    LvkitError
        If the formula does not use the feature, if it is a category, if it varies within no family
        or between none, and for a fit that did not converge.

    Notes
    -----
    After Mundlak (1978): with the family's mean of the feature among the features, the feature's
    own slope is learned within families, and that of the mean is the *contextual* difference,
    between minus within. Means are over the fitted models. The model is fitted again with the same
    settings, anchors, method and seed. Only this feature's mean is added, linearly: the test has
    one degree of freedom for each skill, few enough for the few families in which features vary.
    The feature's products with others stay pooled, as between as within families.

    A slope is the derivative of a skill by the feature, averaged over the fitted models, so that it
    means the same for products and powers: with ``log_params * log_tokens`` it is the slope at the
    mean log size. It holds the other features alike.

    Examples
    --------
    Skills that rise by 1 with tokens, wherever these differ:

    >>> import numpy as np, lvkit as lv
    >>> truth = lv.Parameters(
    ...     loadings=np.array([[1.0], [0.8], [0.6]]), intercepts=np.zeros(3),
    ...     precisions=np.full(3, 200.0), floors=np.zeros(3),
    ...     slopes=np.array([[1.5, 1.0]]), correlation=np.eye(1),
    ... )
    >>> models = lv.simulate_models(n_families=60, models_per_family=4, seed=1)
    >>> panel = lv.simulate(truth, models, features="log_params + log_tokens", seed=1)
    >>> model = lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens")
    >>> check = within_between(model.fit(panel))
    >>> check.n_varying, check.n_families, check.p_value > 0.05
    (60, 60, True)
    """
    level = check_level(level)
    values = _values(fit, feature)
    families = fit.panel.models["family"].loc[values.index]
    means = values.groupby(families).mean()
    own = values - means.loc[families].to_numpy()
    _check_variation(feature, own, means)
    pooled = _pooled(fit, feature, level)
    name = _free_name(fit.panel)
    refit = _with_means(fit, means, name)
    statistic, dof = _wald(refit, name)
    return WithinBetween(
        feature=feature,
        table=_joined(fit, pooled, _apart(refit, feature, name, level)),
        n_varying=int((own.abs().groupby(families).max() > _SAME).sum()),
        n_families=fit.n_families,
        share_within=float((own**2).sum() / ((values - values.mean()) ** 2).sum()),
        statistic=statistic,
        p_value=_chance(statistic, dof),
        dof=dof,
        level=level,
        fit=fit,
        refit=refit,
    )


def _values(fit: Fit, feature: str) -> pd.Series[float]:
    """Return the feature of the fitted models; refuse one that is not in the formula, or text."""
    variables = parse_formula(fit.model.features).variables
    if feature not in variables:
        raise LvkitError(
            f"got {feature!r}",
            where="feature",
            expected=f"one that the features '{fit.model.features}' are made of",
            remedy=nearest(str(feature), variables).strip()
            or f"There are: {', '.join(variables)}.",
        )
    models = _fitted(fit)
    alone = FeatureMap.learn(f"`{feature}`", models)
    if len(alone.names) != 1 or alone.names[0].strip("`") != feature:
        raise LvkitError(
            f"'{feature}' is a category", where="feature", expected="a feature made of numbers"
        )
    return pd.Series(alone.values(models)[:, 0] + alone.means[0], index=models.index)


def _fitted(fit: Fit) -> pd.DataFrame:
    return fit.panel.models.loc[list(fit.prepared.models)]


def _check_variation(feature: str, own: pd.Series[float], means: pd.Series[float]) -> None:
    """Refuse a feature of which one of the two kinds of slope cannot be learned."""
    if own.abs().max() <= _SAME:
        raise LvkitError(
            f"'{feature}' is the same for all models of each family",
            where="feature",
            expected="a feature that varies within families",
            remedy="All of its slope compares families: take it as associational.",
        )
    if means.max() - means.min() <= _SAME:
        raise LvkitError(
            f"'{feature}' has the same mean in all families",
            where="feature",
            expected="a feature that varies between families",
            remedy="All of its slope is learned within families: there is nothing to compare.",
        )


def _free_name(panel: Panel) -> str:
    name = _MEAN
    while name in panel.models or name in panel.scores:
        name += "_"
    return name


def _with_means(fit: Fit, means: pd.Series[float], name: str) -> Fit:
    """Return the same model, with each family's mean as one more feature, fitted again."""
    table = fit.panel.to_frame()
    table[name] = table["family"].map(means)
    chance: dict[str, float | None] = dict.fromkeys([*fit.panel.models.columns, name])
    levels = fit.panel.benchmarks["chance"]
    chance |= {str(benchmark): float(level) for benchmark, level in levels.items()}
    panel = Panel.from_frame(table, benchmarks=chance)
    formula = f"{fit.model.features} + {name}"
    changed = {"anchors": fit.anchors, "n_skills": None, "features": formula}
    return LatentSkillModel(**vars(fit.model) | changed).fit(panel, fit.method, seed=fit.seed)


def _average_step(fit: Fit, feature: str) -> Array:
    """Return how the features change with one of them, averaged over the fitted models.

    Central differences of two widths must agree: a feature that is cut into classes has no slope.
    """
    models = _fitted(fit)
    (column,) = FeatureMap.learn(f"`{feature}`", models).columns

    def slope(step: float) -> Array:
        ends = []
        for move in (step, -step):
            cells = models[column].astype(float)
            moved = cells * 10.0**move if column != feature else cells + move
            ends.append(fit.prepared.features.values(models.assign(**{column: moved})))
        return np.asarray((ends[0] - ends[1]).mean(axis=0) / (2.0 * step))

    wide, narrow = slope(_STEP), slope(_STEP / 2.0)
    if not wide.any() or not np.allclose(wide, narrow, rtol=1e-3, atol=1e-6 * np.abs(wide).max()):
        raise LvkitError(
            f"the features '{fit.model.features}' do not change smoothly with '{feature}'",
            where="feature",
            expected="a feature that enters as a number, not cut into classes",
        )
    return narrow


def _pooled(fit: Fit, feature: str, level: float) -> pd.DataFrame:
    """Return the feature's slopes as the fit has them."""
    step = _average_step(fit, feature)

    def slopes(params: Parameters) -> pd.DataFrame:
        return pd.DataFrame({"pooled": params.slopes @ step}, list(fit.skills))

    return fit.delta(slopes, level)


def _apart(refit: Fit, feature: str, name: str, level: float) -> pd.DataFrame:
    """Return the feature's slopes within and between families, and their difference."""
    step, mean_at = _average_step(refit, feature), refit.feature_names.index(name)

    def slopes(params: Parameters) -> pd.DataFrame:
        within, contextual = params.slopes @ step, params.slopes[:, mean_at]
        columns = {"within": within, "between": within + contextual, "contextual": contextual}
        return pd.DataFrame(columns, list(refit.skills))

    return refit.delta(slopes, level)


def _joined(fit: Fit, *tables: pd.DataFrame) -> pd.DataFrame:
    order = pd.MultiIndex.from_product([list(fit.skills), SLOPES], names=["skill", "slope"])
    return pd.concat(tables).reindex(order)


def _wald(refit: Fit, name: str) -> tuple[float, int]:
    """Return the Wald statistic that the mean's slopes are zero, and its degrees of freedom."""
    rows = [f"slope[{skill}, {name}]" for skill in refit.skills]
    covariance = refit.cov_params().loc[rows, rows].to_numpy()
    known = ~np.isnan(np.diag(covariance))
    slopes = refit.slopes[name].to_numpy()[known]
    if not known.any():
        return math.nan, 0
    statistic = slopes @ np.linalg.solve(covariance[np.ix_(known, known)], slopes)
    return float(statistic), int(known.sum())


def _chance(statistic: float, dof: int) -> float:
    """Return the probability of a statistic as large by chance alone."""
    from scipy.special import chdtrc

    return float(chdtrc(dof, statistic)) if dof else math.nan
