"""How far out a score lies: tails of the Beta distribution, and normal scores.

The normal score of an observation is the standard normal quantile of its distribution function. If
the distribution is right, normal scores are standard normal, whatever the shape of the distribution
itself, so scores of easy and hard benchmarks can be looked at together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["beta_tails", "normal_scores"]

Array = npt.NDArray[np.float64]

_LEAST = 1e-300


def beta_tails(
    y: npt.ArrayLike, mean: npt.ArrayLike, precision: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return the probabilities below and above a score in a Beta distribution.

    Parameters
    ----------
    y : array_like
        Scores from 0 to 1.
    mean, precision : array_like
        Of the distribution.

    Returns
    -------
    tuple of ndarray
        Each computed by itself, so that neither loses its digits where it is small.

    Examples
    --------
    >>> below, above = beta_tails(0.25, 0.5, 2.0)  # the uniform distribution
    >>> float(below), float(above)
    (0.25, 0.75)
    """
    from scipy.special import betainc, betaincc

    y, mean, precision = (np.asarray(v, dtype=float) for v in (y, mean, precision))
    a, b = mean * precision, (1.0 - mean) * precision
    return np.asarray(betainc(a, b, y)), np.asarray(betaincc(a, b, y))


def normal_scores(below: npt.ArrayLike, above: npt.ArrayLike) -> Array:
    """Return normal scores from the probabilities below and above.

    Examples
    --------
    >>> normal_scores([0.5, 0.975], [0.5, 0.025]).round(2).tolist()
    [0.0, 1.96]
    """
    from scipy.special import ndtri

    low = np.maximum(np.asarray(below, dtype=float), _LEAST)
    high = np.maximum(np.asarray(above, dtype=float), _LEAST)
    return np.asarray(np.where(low < high, ndtri(low), -ndtri(high)))
