"""Facts: the few numbers that pictures and sentences share.

A picture and the sentence beside it must not disagree. What both of them need and no result object
holds is computed here, once: which families are well known, which skill a benchmark measures most,
how far fitted scores are from observed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lvkit.errors import LvkitError, nearest

if TYPE_CHECKING:
    from lvkit.data.panel import Panel
    from lvkit.posterior import FamilyPosterior
    from lvkit.results import Fit
    from lvkit.select import Selection


# The benchmarks by which arXiv:2512.06553 names its four skills.
PAPER_ANCHORS = {
    "mathematics": "math_lvl5",
    "instruction": "ifeval",
    "commonsense": "hellaswag",
    "reasoning": "bbh",
}

# The features that say how a model was scaled; a product is named in the order of its formula.
_PRODUCTS = {"log_params:log_tokens", "log_tokens:log_params"}
SCALE_FEATURES = frozenset({"log_params", "log_tokens"} | _PRODUCTS)

# How many families pictures and sentences are about, unless asked for more.
TOP_FAMILIES = 24


def score_points(panel: Panel, benchmark: str, against: str = "params_b") -> pd.DataFrame:
    """Return a benchmark's scores with the models' size or tokens, where both are known.

    Parameters
    ----------
    panel : Panel
        The scores.
    benchmark : str
        Its name in the panel.
    against : {"params_b", "tokens_t"}
        The column of ``panel.models`` to go with it.

    Returns
    -------
    DataFrame
        Indexed by model, sorted by `against`: ``family``, `against`, ``score``.

    Raises
    ------
    LvkitError
        If there is no such benchmark or column, or no model has both.
    """
    scores, models = panel.scores, panel.models
    if benchmark not in scores.columns:
        raise LvkitError(
            f"no benchmark '{benchmark}' in the panel",
            expected=f"one of {', '.join(map(str, scores.columns))}",
            remedy=nearest(benchmark, scores.columns).strip(),
        )
    if against not in ("params_b", "tokens_t"):
        raise LvkitError(
            f"got {against!r}", where="argument 'against'", expected="'params_b' or 'tokens_t'"
        )
    known = models.reindex(columns=["family", against]).assign(score=scores[benchmark]).dropna()
    if known.empty:
        raise LvkitError(f"no model has both a score on '{benchmark}' and '{against}'")
    return known.sort_values(against, kind="stable")


def score_correlations(panel: Panel) -> pd.DataFrame:
    """Return how the scores of benchmarks are correlated, over the models that have both.

    NaN stands where fewer than five models have both, and where all have one and the same score.
    """
    return panel.scores.corr(min_periods=5)


def main_skills(fit: Fit) -> pd.Series[str]:
    """Return the skill that each benchmark loads on most, as a Series by benchmark.

    Benchmarks are in the order of their skills and, for one skill, its anchor first, then from the
    largest loading to the smallest.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> loadings = pd.DataFrame({"maths": [0.2, 0.9, 1.5], "reading": [1.1, 0.0, 0.3]},
    ...                         index=["mmlu", "math", "gsm8k"])
    >>> main_skills(SimpleNamespace(loadings=loadings, anchors={"maths": "math"})).to_dict()
    {'math': 'maths', 'gsm8k': 'maths', 'mmlu': 'reading'}
    """
    loadings = fit.loadings
    sizes = loadings.abs().to_numpy()
    main = sizes.argmax(axis=1)
    not_anchor = ~loadings.index.isin(list(fit.anchors.values()))
    order = np.lexsort((-sizes.max(axis=1), not_anchor, main))
    names = loadings.columns.to_numpy()[main[order]]
    return pd.Series(names, index=loadings.index[order], name="skill")


def side_skills(fit: Fit) -> pd.Series[str]:
    """Return the second skill of the benchmarks that load on one at least half as much.

    Loadings count by their size, whatever their sign.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> loadings = pd.DataFrame({"maths": [0.6, 0.9], "reading": [1.1, 0.0]}, index=["bbh", "math"])
    >>> side_skills(SimpleNamespace(loadings=loadings)).to_dict()
    {'bbh': 'maths'}
    """
    sizes = fit.loadings.abs().to_numpy()
    if sizes.shape[1] == 1:
        return pd.Series([], index=fit.loadings.index[:0], dtype=str, name="skill")
    order = np.argsort(-sizes, axis=1, kind="stable")
    main, second = np.take_along_axis(sizes, order[:, :2], axis=1).T
    keep = (second >= 0.5 * main) & (main > 0)
    names = fit.loadings.columns.to_numpy()[order[keep, 1]]
    return pd.Series(names, index=fit.loadings.index[keep], name="skill")


def loading_errors(fit: Fit) -> pd.DataFrame:
    """Return the standard errors of the loadings, benchmarks x skills.

    NaN stands where an anchor's loading is zero by definition, and where the data do not determine
    a loading.

    Raises
    ------
    LvkitError
        For a fit that did not converge.
    """
    errors = fit.summary()["std_error"]
    each = {skill: errors.reindex(_loadings_on(fit, skill)).array for skill in fit.skills}
    return pd.DataFrame(each, index=fit.loadings.index)


def _loadings_on(fit: Fit, skill: str) -> list[str]:
    """Return what ``fit.summary()`` calls the loadings on a skill, fixed ones too."""
    return [f"loading[{benchmark}, {skill}]" for benchmark in fit.benchmarks]


def loading_intervals(fit: Fit, skill: str, level: float = 0.95) -> pd.DataFrame:
    """Return a skill's loadings with their standard errors and confidence intervals.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str
        One of its skills.
    level : float
        Level of the intervals.

    Returns
    -------
    DataFrame
        Indexed by benchmark, in the order of ``fit.benchmarks``; columns ``estimate``,
        ``std_error``, ``ci_lower`` and ``ci_upper`` of ``fit.summary()``, and ``fixed``: whether
        it is the anchor of another skill, whose loading is zero by definition and has no error.

    Raises
    ------
    LvkitError
        If there is no such skill, for a level outside (0, 1), and for a fit that did not converge.
    """
    checked_names([skill], fit.skills, what="skill")
    columns = ["estimate", "std_error", "ci_lower", "ci_upper"]
    table = fit.summary(level)[columns].reindex(_loadings_on(fit, skill))
    table.index = fit.loadings.index
    fixed = table["estimate"].isna()
    return table.assign(estimate=table["estimate"].fillna(0.0), fixed=fixed)


def _family_scores(fit: Fit) -> pd.Series[int]:
    """Return how many scores of each fitted family are in the fit."""
    counts = np.bincount(fit.prepared.table.family, minlength=fit.n_families)
    return pd.Series(counts, index=fit.family_effects.index)


def known_families(fit: Fit, top: int | None = None) -> pd.DataFrame:
    """Return the latent variables of the families with the most scores.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    top : int, optional
        How many families; None for all.

    Returns
    -------
    DataFrame
        Rows of ``fit.family_effects``, the family with the most scores first.

    Raises
    ------
    LvkitError
        If `top` is below one.
    """
    if top is not None and top < 1:
        raise LvkitError(f"got {top}", where="argument 'top'", expected="one family at least")
    order = _family_scores(fit).sort_values(ascending=False, kind="stable").index
    return fit.family_effects.loc[order[:top]]


def family_standings(fit: Fit, skill: str, top: int | None = TOP_FAMILIES) -> pd.DataFrame:
    """Return how the best known families stand on a skill, and how well that is known.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str
        One of its skills.
    top : int, optional
        How many families, those with the most scores; None for all.

    Returns
    -------
    DataFrame
        Indexed by family, highest first: ``standing`` and ``sd``, posterior mean and standard
        deviation of the family's latent variable in standard deviations among families, and
        ``n_scores``, how many scores they rest on. The parameters are taken as known.

    Raises
    ------
    LvkitError
        If `top` is below one.
    """
    effects = known_families(fit, top)[skill]
    weights = fit.frame.factor[0][fit.skills.index(skill)]
    variances = np.einsum("q,fqr,r->f", weights, fit.latent_covariances, weights)
    sd = pd.Series(np.sqrt(variances), index=fit.family_effects.index)
    table = pd.DataFrame({"standing": effects, "sd": sd, "n_scores": _family_scores(fit)})
    return table.loc[effects.index].sort_values("standing", ascending=False, kind="stable")


def bic_by_families(selection: Selection) -> pd.Series[float]:
    """Return the BIC of each number of skills if families, not scores, counted as observations.

    Returns
    -------
    Series
        ``-2 loglik + log(n_families) n_params``, indexed by K. ``selection.table["bic"]`` has the
        number of scores in the place of the number of families. Scores of one family are not
        independent, so that the truth lies between the two.
    """
    table = selection.table
    sizes = pd.Series({skills: fit.n_families for skills, fit in selection.fits.items()})
    values = -2.0 * table["loglik"] + np.log(sizes.loc[table.index]) * table["n_params"]
    return pd.Series(values, name="bic_by_families", dtype=float)


def fitted_errors(fit: Fit) -> pd.Series[float]:
    """Return the mean absolute error of the fitted scores, by benchmark, in points.

    Returns
    -------
    Series
        Hundredths of the score, in the order of ``fit.benchmarks``; over the models in the fit
        whose score was measured.

    Notes
    -----
    These are errors on the data the model learned from. New models will be missed by more.
    """
    fitted = fit.fitted_scores
    observed = fit.panel.scores.reindex(index=fitted.index, columns=fitted.columns)
    return ((fitted - observed).abs().mean() * 100.0).rename("error")


def scale_effects(fit: Fit) -> pd.DataFrame | None:
    """Return what ten times the size, and ten times the tokens, go along with for each skill.

    Returns
    -------
    DataFrame or None
        Rows are skills; the columns, ``size`` and ``tokens`` or the one of them that is a feature,
        are in logits of the skill's anchor, at the average model, other features held alike. None
        if size and tokens are in no feature, or in others than ``log_params``, ``log_tokens`` and
        their product.

    Notes
    -----
    The derivative of ``B x`` by log10 size is ``b_s + b_st t``, with t the mean log10 tokens; times
    the anchor's loading, it no longer depends on the scale the skill is measured in.
    """
    names = list(fit.feature_names)
    scales = {"log_params": "size", "log_tokens": "tokens"}
    found = [name for name in scales if name in names]
    products = [name for name in names if name in _PRODUCTS]
    odd = {name for name in names if "params" in name or "tokens" in name} - SCALE_FEATURES
    if not found or odd or (products and len(found) < 2):
        return None
    loadings, means = fit.loadings, dict(zip(names, fit.feature_means, strict=True))
    anchors = pd.Series({skill: loadings[skill][name] for skill, name in fit.anchors.items()})
    effects = {}
    for name, other in zip(found, reversed(found), strict=True):
        effects[scales[name]] = fit.slopes[name] + sum(
            fit.slopes[product] * means[other] for product in products
        )
    return pd.DataFrame(effects).mul(anchors, axis=0).loc[list(fit.skills)]


def missing_order(panel: Panel) -> pd.Series[str]:
    """Return each model's family, in the order of the columns of the picture."""
    models = panel.models[["family", "params_b"]]
    share = panel.scores.notna().mean(axis=1).groupby(models["family"]).transform("mean")
    order = models.assign(share=-share).sort_values(["share", "family", "params_b"])
    return order["family"]


def checked_names(names: Sequence[str], held: Sequence[str], *, what: str = "family") -> list[str]:
    """Return the names, or say which is not held."""
    for name in names:
        if name not in held:
            raise LvkitError(
                f"no {what} '{name}'", expected=f"one of {len(held)}",
                remedy=nearest(name, held).strip(),
            )  # fmt: skip
    return list(names)


def two_skills(held: FamilyPosterior | Fit, skills: Sequence[str] | None = None) -> tuple[str, str]:
    """Return the two skills of a picture, the first two unless others are asked for."""
    chosen = checked_names(held.skills[:2] if skills is None else skills, held.skills, what="skill")
    if len(set(chosen)) != 2 or len(chosen) != 2:
        raise LvkitError(
            f"got {', '.join(chosen)}", where="argument 'skills'", expected="two different skills"
        )
    return chosen[0], chosen[1]
