"""Fits side by side: information criteria and Akaike weights, where they may be compared at all.

Likelihoods are comparable only between fits of the same scores, clipped alike. What differs may be
anything else: the number of skills, the features, the floors, slopes that differ between families.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lvkit.errors import LvkitError, count
from lvkit.results import Fit


def compare(fits: Iterable[Fit]) -> pd.DataFrame:
    """Compare fits of the same scores by their information criteria.

    Parameters
    ----------
    fits : iterable of Fit
        Fits of different models to the same scores with the same clip.

    Returns
    -------
    DataFrame
        Index ``fit`` (0, 1, ...); columns ``skills``, ``features``, ``family_slopes``, ``floor``,
        ``loglik``, ``n_params``, ``aic``, ``bic``, ``delta_aic`` and ``weight`` (Akaike weights).

    Raises
    ------
    LvkitError
        If the fits rest on different scores or clips: their likelihoods cannot be compared.
    """
    fits = fits if isinstance(fits, Fit) else list(fits)
    if isinstance(fits, Fit) or not all(isinstance(fit, Fit) for fit in fits):
        raise LvkitError("got something else", where="compare", expected="a list of fits")
    if not fits:
        raise LvkitError("got no fit", where="compare", expected="at least one")
    first = _data_of(fits[0])
    for number, fit in enumerate(fits):
        if fit.model.clip != fits[0].model.clip:
            raise LvkitError(
                f"clip {fit.model.clip:g}",
                where=f"fit {number}",
                expected=f"the clip of fit 0, {fits[0].model.clip:g}",
                remedy="Fit again with one clip: the likelihood depends on it.",
            )
        if _data_of(fit) != first:
            raise LvkitError(
                f"{count(fit.n_scores, 'score')} of {count(fit.n_models, 'model')}",
                where=f"fit {number}",
                expected=f"the scores of fit 0: {fits[0].n_scores} of {fits[0].n_models} models",
                remedy="Fit the models to the same panel; features decide which models take part.",
            )
    table = pd.DataFrame(
        {
            "skills": [len(fit.skills) for fit in fits],
            "features": [fit.model.features for fit in fits],
            "family_slopes": [fit.model.family_slopes or "" for fit in fits],
            "floor": [fit.model.floor for fit in fits],
        },
        index=pd.RangeIndex(len(fits), name="fit"),
    )
    return table.join(criteria(fits, table.index))


def criteria(fits: Sequence[Fit], index: pd.Index) -> pd.DataFrame:
    """Return log-likelihoods, criteria and Akaike weights of fits of the same scores."""
    aic = np.array([fit.aic for fit in fits])
    delta = aic - aic.min()
    weight = np.exp(-0.5 * delta)
    return pd.DataFrame(
        {
            "loglik": [fit.loglik for fit in fits],
            "n_params": [fit.n_params for fit in fits],
            "aic": aic,
            "bic": [fit.bic for fit in fits],
            "delta_aic": delta,
            "weight": weight / weight.sum(),
        },
        index=index,
    )


def _data_of(fit: Fit) -> tuple[object, ...]:
    """Return what two fits must share to be compared: models, benchmarks and scores."""
    table = fit.prepared.table
    return (
        fit.prepared.models,
        fit.benchmarks,
        table.seen.log_odds.tobytes(),
        table.model.tobytes(),
        table.benchmark.tobytes(),
    )
