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
    from lvkit.panel import Panel
    from lvkit.results import Fit

__all__ = [
    "checked_names",
    "fitted_errors",
    "known_families",
    "main_skills",
    "missing_order",
    "scale_effects",
    "score_points",
    "side_skills",
]


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
            f"saw {against!r}", where="argument 'against'", expected="'params_b' or 'tokens_t'"
        )
    known = models.reindex(columns=["family", against]).assign(score=scores[benchmark]).dropna()
    if known.empty:
        raise LvkitError(f"no model has both a score on '{benchmark}' and '{against}'")
    return known.sort_values(against, kind="stable")


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

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> loadings = pd.DataFrame({"maths": [0.6, 0.9], "reading": [1.1, 0.0]}, index=["bbh", "math"])
    >>> side_skills(SimpleNamespace(loadings=loadings)).to_dict()
    {'bbh': 'maths'}
    """
    sizes = fit.loadings.to_numpy()
    order = np.argsort(-sizes, axis=1)
    if sizes.shape[1] == 1:
        return pd.Series([], index=fit.loadings.index[:0], dtype=str, name="skill")
    rows = np.arange(len(sizes))
    keep = (sizes[rows, order[:, 1]] >= 0.5 * np.abs(sizes).max(axis=1)) & (sizes.max(axis=1) > 0)
    names = fit.loadings.columns.to_numpy()[order[keep, 1]]
    return pd.Series(names, index=fit.loadings.index[keep], name="skill")


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
        raise LvkitError(f"saw {top}", where="argument 'top'", expected="one family at least")
    scores = fit.panel.scores.loc[fit.fitted_scores.index].notna().sum(axis=1)
    counts = scores.groupby(fit.panel.models["family"].loc[scores.index]).sum()
    counts = counts.reindex(fit.family_effects.index).fillna(0)
    order = counts.sort_values(ascending=False, kind="stable").index
    return fit.family_effects.loc[order[:top]]


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
    """Return what ten times the size and ten times the tokens go along with, for each skill.

    Returns
    -------
    DataFrame or None
        Rows are skills; the columns ``size`` and ``tokens`` are in logits of the skill's anchor, at
        the average model. None if the features are not those of ``log_params * log_tokens``.

    Notes
    -----
    The derivative of ``B x`` by log10 size is ``b_s + b_st t``, with t the mean log10 tokens; times
    the anchor's loading, it no longer depends on the scale the skill is measured in.
    """
    names = list(fit.feature_names)
    if names != ["log_params", "log_tokens", "log_params:log_tokens"]:
        return None
    size, tokens, both = (fit.slopes[name] for name in names)
    mean_size, mean_tokens = (float(fit.feature_means[i]) for i in (0, 1))
    loadings = fit.loadings
    anchors = pd.Series({skill: loadings[skill][name] for skill, name in fit.anchors.items()})
    effects = {"size": size + both * mean_tokens, "tokens": tokens + both * mean_size}
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
