"""Interpretation of a fit: which benchmarks make up a skill, and what scale adds.

Figures, sentences and reports take these numbers from here, so that they agree.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lvkit.fit.fit import Fit
from lvkit.tools.checks import checked_names

# The features that say how a model was scaled; a product is named in the order of its formula.
_PRODUCTS = {"log_params:log_tokens", "log_tokens:log_params"}
SCALE_FEATURES = frozenset({"log_params", "log_tokens"} | _PRODUCTS)


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
    present = [name for name in scales if name in names]
    products = [name for name in names if name in _PRODUCTS]
    odd = {name for name in names if "params" in name or "tokens" in name} - SCALE_FEATURES
    if not present or odd or (products and len(present) < 2):
        return None
    loadings, means = fit.loadings, dict(zip(names, fit.feature_means, strict=True))
    anchors = pd.Series({skill: loadings[skill][name] for skill, name in fit.anchors.items()})
    effects = {}
    for name, other in zip(present, reversed(present), strict=True):
        effects[scales[name]] = fit.slopes[name] + sum(
            fit.slopes[product] * means[other] for product in products
        )
    return pd.DataFrame(effects).mul(anchors, axis=0).loc[list(fit.skills)]
